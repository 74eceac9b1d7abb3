//! Who may call: which proofs are asked for.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hyper::Uri;
use serde::{Deserialize, Deserializer};

use super::Tls;
use super::units::{duration_text, read_duration};
use crate::domain::{ClaimRule, UriPrefix, UriRule};

/// The section `auth`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "documented in config.default.toml")]
pub struct Auth {
    #[serde(deserialize_with = "read_words")]
    pub mechanisms: Vec<Mechanism>,
    pub jwt_issuer: String,
    pub jwt_audience: String,
    pub jwt_keys_file: String,
    pub jwt_keys_url: String,
    #[serde(deserialize_with = "read_duration")]
    pub jwt_leeway: Duration,
    #[serde(deserialize_with = "read_rules")]
    pub jwt_rules: Vec<ClaimRule>,
    #[serde(deserialize_with = "read_prefix")]
    pub certificate_uris: Option<UriPrefix>,
    #[serde(deserialize_with = "read_uri_rules")]
    pub certificate_rules: Vec<UriRule>,
    pub require: Require,
    pub insecure: bool,
    pub reflection: Reflection,
}

/// A way to prove who one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mechanism {
    /// API keys of the service.
    Keys,
    /// JSON Web Tokens of an issuer.
    Jwt,
    /// Certificates of clients.
    Certificates,
}

/// How many proofs a call needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Require {
    /// One.
    One,
    /// A certificate, and a key or token.
    Both,
}

impl Mechanism {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Jwt => "jwt",
            Self::Certificates => "certificates",
        }
    }
}

/// Whether the interface can be asked for by reflection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reflection {
    /// If nobody is asked who they are.
    Auto,
    /// By everybody.
    On,
    /// By nobody.
    Off,
}

impl Auth {
    /// Whether callers are asked who they are.
    pub fn is_on(&self) -> bool {
        !self.mechanisms.is_empty()
    }

    /// Whether the interface can be asked for by reflection.
    pub fn has_reflection(&self) -> bool {
        match self.reflection {
            Reflection::Auto => !self.is_on(),
            Reflection::On => true,
            Reflection::Off => false,
        }
    }

    /// Adds what is wrong to `problems`.
    pub(super) fn check(&self, listen: SocketAddr, tls: &Tls, problems: &mut Vec<String>) {
        if !self.is_on() && !self.insecure && !listen.ip().is_loopback() {
            problems.push(format!(
                "auth.mechanisms: nobody is asked who they are, and server.listen {listen} is not a \
                 loopback address: turn authentication on, listen on loopback, or set auth.insecure \
                 (--insecure) if whoever reaches that address may be in control"
            ));
        }
        if self.mechanisms.contains(&Mechanism::Jwt) {
            self.check_jwt(problems);
        }
        self.check_certificates(tls, problems);
        let repeated = self.mechanisms.iter().enumerate();
        if repeated.clone().any(|(n, mechanism)| self.mechanisms[..n].contains(mechanism)) {
            problems.push("auth.mechanisms: one is named twice".to_owned());
        }
    }

    fn check_jwt(&self, problems: &mut Vec<String>) {
        let mut require = |key: &str, is_good: bool, why: &str| {
            if !is_good {
                problems.push(format!("auth.{key}: {why}"));
            }
        };
        let (file, url) = (&self.jwt_keys_file, &self.jwt_keys_url);
        require("jwt_issuer", !self.jwt_issuer.is_empty(), "is required with mechanism jwt");
        require("jwt_audience", !self.jwt_audience.is_empty(), "is required with mechanism jwt");
        let has_one = file.is_empty() != url.is_empty();
        require("jwt_keys_file", has_one, "either this or auth.jwt_keys_url is required, not both");
        let is_readable = file.is_empty() || std::fs::File::open(file).is_ok();
        require("jwt_keys_file", is_readable, "cannot be read");
        if !url.is_empty()
            && let Err(why) = check_url(url)
        {
            require("jwt_keys_url", false, &why);
        }
        let leeway = (Duration::ZERO..=Duration::from_secs(60)).contains(&self.jwt_leeway);
        require("jwt_leeway", leeway, "must be 0s to 60s");
        let has_rules = !self.jwt_rules.is_empty();
        require("jwt_rules", has_rules, "without a rule no token is allowed anything");
    }

    fn check_certificates(&self, tls: &Tls, problems: &mut Vec<String>) {
        let mut require = |key: &str, is_good: bool, why: &str| {
            if !is_good {
                problems.push(format!("{key}: {why}"));
            }
        };
        let has = |mechanism| self.mechanisms.contains(&mechanism);
        if has(Mechanism::Certificates) {
            const WITH: &str = "is required with mechanism certificates";
            require("tls.client_ca_file", !tls.client_ca_file.is_empty(), WITH);
            require("auth.certificate_uris", self.certificate_uris.is_some(), WITH);
            let has_rules = !self.certificate_rules.is_empty();
            let why = "without a rule no certificate is allowed anything";
            require("auth.certificate_rules", has_rules, why);
        }
        let bearer = has(Mechanism::Keys) || has(Mechanism::Jwt);
        require(
            "auth.require",
            self.require == Require::One || has(Mechanism::Certificates) && bearer,
            "\"both\" are a certificate, and a key or token: auth.mechanisms must have \"certificates\", and \
             \"keys\" or \"jwt\"",
        );
    }

    /// Adds what is allowed and yet should be known.
    pub(super) fn warn(&self, listen: SocketAddr, warnings: &mut Vec<String>) {
        if !self.is_on() && !listen.ip().is_loopback() {
            warnings.push(format!(
                "auth.insecure: nobody is asked who they are: whoever reaches {listen} is in control"
            ));
        }
    }
}

impl fmt::Display for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mechanisms, insecure, reflection, .. } = self;
        let words: Vec<&str> = mechanisms.iter().map(|mechanism| mechanism.word()).collect();
        let reflection = match reflection {
            Reflection::Auto => "auto",
            Reflection::On => "on",
            Reflection::Off => "off",
        };
        writeln!(f, "\n[auth]")?;
        writeln!(f, "mechanisms = {words:?}")?;
        writeln!(f, "jwt_issuer = {:?}", self.jwt_issuer)?;
        writeln!(f, "jwt_audience = {:?}", self.jwt_audience)?;
        writeln!(f, "jwt_keys_file = {:?}", self.jwt_keys_file)?;
        writeln!(f, "jwt_keys_url = {:?}", self.jwt_keys_url)?;
        writeln!(f, "jwt_leeway = {:?}", duration_text(self.jwt_leeway))?;
        let rules: Vec<String> = self.jwt_rules.iter().map(ToString::to_string).collect();
        writeln!(f, "jwt_rules = {rules:?}")?;
        let uris = self.certificate_uris.as_ref().map(ToString::to_string).unwrap_or_default();
        writeln!(f, "certificate_uris = {uris:?}")?;
        let rules: Vec<String> = self.certificate_rules.iter().map(ToString::to_string).collect();
        writeln!(f, "certificate_rules = {rules:?}")?;
        let require = match self.require {
            Require::One => "one",
            Require::Both => "both",
        };
        writeln!(f, "require = {require:?}")?;
        writeln!(f, "insecure = {insecure}")?;
        writeln!(f, "reflection = {reflection:?}")
    }
}

/// Whether a document may be fetched from there.
///
/// # Errors
/// What is allowed instead.
pub fn check_url(url: &str) -> Result<Uri, String> {
    let wrong = || "must be https://HOST/…, or http:// to this machine, without a user".to_owned();
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let host = url_host(&uri).ok_or_else(wrong)?;
    let is_here = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    let is_allowed = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => is_here,
        _ => false,
    };
    let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    if is_allowed && !has_user { Ok(uri) } else { Err(wrong()) }
}

/// The host, of an IPv6 address without brackets.
pub fn url_host(uri: &Uri) -> Option<&str> {
    uri.host().map(|host| host.trim_start_matches('[').trim_end_matches(']'))
}

/// Rules: a list, or with semicolons between, since the grants of some have commas.
fn read_rules<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ClaimRule>, D::Error> {
    let rules = read_texts(deserializer, ';')?;
    let rules = rules.iter().map(|rule| ClaimRule::parse(rule)).collect::<Result<_, _>>();
    rules.map_err(serde::de::Error::custom)
}

/// The same for rules of certificates.
fn read_uri_rules<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<UriRule>, D::Error> {
    let rules = read_texts(deserializer, ';')?;
    let rules = rules.iter().map(|rule| UriRule::parse(rule)).collect::<Result<_, _>>();
    rules.map_err(serde::de::Error::custom)
}

/// The beginning of URIs; empty: none.
fn read_prefix<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<UriPrefix>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let prefix = (!text.is_empty()).then(|| UriPrefix::parse(&text)).transpose();
    prefix.map_err(serde::de::Error::custom)
}

/// A list, or words with commas between them: variables of the environment have no lists.
fn read_words<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let words = read_texts(deserializer, ',')?;
    let read =
        |word: String| T::deserialize(serde::de::value::StringDeserializer::<D::Error>::new(word));
    words.into_iter().map(read).collect()
}

fn read_texts<'de, D: Deserializer<'de>>(
    deserializer: D,
    separator: char,
) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        List(Vec<String>),
        Text(String),
    }
    let texts = match Given::deserialize(deserializer)? {
        Given::List(texts) => texts,
        Given::Text(text) => text.split(separator).map(|one| one.trim().to_owned()).collect(),
    };
    Ok(texts.into_iter().filter(|text| !text.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Flags};
    use super::check_url;

    fn load(settings: &[(&str, &str)]) -> Result<Config, String> {
        let environment = settings
            .iter()
            .map(|(name, value)| (format!("BELLRINGER__{name}"), (*value).to_owned()));
        Config::load(None, environment, &Flags::default()).map_err(|problems| problems.to_string())
    }

    /// The matrix of starts: address, mechanisms, insecure, whether it starts.
    #[test]
    fn g_23_without_authentication_it_starts_on_loopback_only_unless_told_to() {
        for listen in ["127.0.0.1:7117", "[::1]:7117", "0.0.0.0:7117", "[::]:7117", "10.0.0.1:1"] {
            for mechanisms in ["", "keys"] {
                for insecure in ["false", "true"] {
                    let is_loopback = listen.starts_with("127.") || listen.starts_with("[::1]");
                    let loaded = load(&[
                        ("SERVER__LISTEN", listen),
                        ("AUTH__MECHANISMS", mechanisms),
                        ("AUTH__INSECURE", insecure),
                    ]);
                    let is_open = mechanisms.is_empty() && !is_loopback;
                    match loaded {
                        Ok(config) => {
                            assert!(!is_open || insecure == "true", "{listen} is open");
                            // It is said at each start.
                            let warnings = config.warnings().concat();
                            assert_eq!(warnings.contains("nobody is asked"), is_open, "{listen}");
                        }
                        Err(problems) => {
                            assert!(is_open && insecure == "false", "{problems}");
                            assert!(problems.contains("auth.mechanisms"), "{problems}");
                            assert!(problems.contains("--insecure"), "{problems}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn g_23_what_cannot_be_understood_refuses_the_start_and_is_named() {
        for (name, value, named) in [
            ("AUTH__MECHANISMS", "kyes", "auth.mechanisms"),
            ("AUTH__MECHANISMS", "keys,none", "auth.mechanisms"),
            ("AUTH__MECHANISMS", "keys,keys", "auth.mechanisms"),
            ("AUTH__REFLECTION", "maybe", "auth.reflection"),
            ("AUTH__INSECURE", "very", "INSECURE"),
        ] {
            let problems = load(&[(name, value)]).unwrap_err();
            assert!(problems.contains(named), "{name}={value}: {problems}");
        }
    }

    #[test]
    fn reflection_is_on_by_itself_only_where_nobody_is_asked() {
        let has = |settings: &[(&str, &str)]| load(settings).unwrap().auth.has_reflection();
        assert!(has(&[]));
        assert!(!has(&[("AUTH__MECHANISMS", "keys")]));
        assert!(has(&[("AUTH__MECHANISMS", "keys"), ("AUTH__REFLECTION", "on")]));
        assert!(!has(&[("AUTH__REFLECTION", "off")]));
    }

    #[test]
    fn g_23_tokens_need_an_issuer_an_audience_keys_and_rules() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let file = file.path().to_str().unwrap();
        let whole = [
            ("AUTH__MECHANISMS", "keys,jwt"),
            ("AUTH__JWT_ISSUER", "https://id.example.org"),
            ("AUTH__JWT_AUDIENCE", "bellringer"),
            ("AUTH__JWT_KEYS_FILE", file),
            ("AUTH__JWT_RULES", "group=ops -> operator; t=* -> worker@{}/mail,reports"),
        ];
        let config = load(&whole).unwrap();
        assert_eq!(config.auth.jwt_rules.len(), 2);
        for (name, value, named) in [
            ("AUTH__JWT_ISSUER", "", "auth.jwt_issuer"),
            ("AUTH__JWT_AUDIENCE", "", "auth.jwt_audience"),
            ("AUTH__JWT_KEYS_FILE", "", "auth.jwt_keys_file"),
            ("AUTH__JWT_KEYS_FILE", "/no/such/file", "auth.jwt_keys_file"),
            ("AUTH__JWT_KEYS_URL", "https://id.example.org/keys", "not both"),
            ("AUTH__JWT_KEYS_URL", "http://id.example.org/keys", "auth.jwt_keys_url"),
            ("AUTH__JWT_LEEWAY", "2m", "auth.jwt_leeway"),
            ("AUTH__JWT_RULES", "", "auth.jwt_rules"),
            ("AUTH__JWT_RULES", "group=ops -> king@acme", "auth.jwt_rules"),
        ] {
            let mut settings = whole.to_vec();
            settings.retain(|(other, _)| *other != name);
            settings.push((name, value));
            let problems = load(&settings).unwrap_err();
            assert!(problems.contains(named), "{name}={value}: {problems}");
        }
    }

    #[test]
    fn g_23_certificates_need_an_authority_a_beginning_of_uris_and_rules() {
        let whole = [
            ("AUTH__MECHANISMS", "keys,certificates"),
            ("AUTH__CERTIFICATE_URIS", "spiffe://example.org/"),
            (
                "AUTH__CERTIFICATE_RULES",
                "mailer -> worker@shop/mail,post; ns/*/web -> submitter@{}",
            ),
            ("AUTH__REQUIRE", "both"),
            ("TLS__CERT_FILE", "tls.crt"),
            ("TLS__KEY_FILE", "tls.key"),
            ("TLS__CLIENT_CA_FILE", "ca.crt"),
        ];
        assert_eq!(load(&whole).unwrap().auth.certificate_rules.len(), 2);
        for (name, value, named) in [
            ("AUTH__MECHANISMS", "keys", "auth.require"),
            ("AUTH__MECHANISMS", "certificates", "auth.require"),
            ("AUTH__MECHANISMS", "", "auth.require"),
            ("AUTH__REQUIRE", "all", "auth.require"),
            ("AUTH__CERTIFICATE_URIS", "", "auth.certificate_uris"),
            ("AUTH__CERTIFICATE_URIS", "spiffe://example.org", "auth.certificate_uris"),
            ("AUTH__CERTIFICATE_RULES", "", "auth.certificate_rules"),
            ("AUTH__CERTIFICATE_RULES", "a -> king@shop", "auth.certificate_rules"),
            ("AUTH__CERTIFICATE_RULES", "a -> viewer@{}", "auth.certificate_rules"),
            ("TLS__CLIENT_CA_FILE", "", "tls.client_ca_file"),
        ] {
            let mut settings = whole.to_vec();
            settings.retain(|(other, _)| *other != name);
            settings.push((name, value));
            let problems = load(&settings).unwrap_err();
            assert!(problems.contains(named), "{name}={value}: {problems}");
        }
    }

    #[test]
    fn only_what_cannot_be_changed_on_the_way_is_fetched() {
        for good in [
            "https://id.example.org/keys",
            "http://localhost:8080/keys",
            "http://127.0.0.1/",
            "http://[::1]:1/keys",
        ] {
            assert!(check_url(good).is_ok(), "{good}");
        }
        for wrong in [
            "",
            "keys.json",
            "ftp://id.example.org/keys",
            "file:///etc/passwd",
            "http://id.example.org/keys",
            "http://127.0.0.1.example.org/keys",
            "https://me:secret@id.example.org/keys",
            "http://id.example.org@127.0.0.1/keys",
        ] {
            assert!(check_url(wrong).is_err(), "{wrong}");
        }
    }
}
