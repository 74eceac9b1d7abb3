//! Who may call: which proofs are asked for.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Deserializer};

/// The section `auth`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "documented in config.default.toml")]
pub struct Auth {
    #[serde(deserialize_with = "read_words")]
    pub mechanisms: Vec<Mechanism>,
    pub insecure: bool,
    pub reflection: Reflection,
}

/// A way to prove who one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mechanism {
    /// API keys of the service.
    Keys,
}

impl Mechanism {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Keys => "keys",
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
    pub(super) fn check(&self, listen: SocketAddr, problems: &mut Vec<String>) {
        if !self.is_on() && !self.insecure && !listen.ip().is_loopback() {
            problems.push(format!(
                "auth.mechanisms: nobody is asked who they are, and server.listen {listen} is not a \
                 loopback address: turn authentication on, listen on loopback, or set auth.insecure \
                 (--insecure) if whoever reaches that address may be in control"
            ));
        }
        let repeated = self.mechanisms.iter().enumerate();
        if repeated.clone().any(|(n, mechanism)| self.mechanisms[..n].contains(mechanism)) {
            problems.push("auth.mechanisms: one is named twice".to_owned());
        }
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
        let Self { mechanisms, insecure, reflection } = self;
        let words: Vec<&str> = mechanisms.iter().map(|mechanism| mechanism.word()).collect();
        let reflection = match reflection {
            Reflection::Auto => "auto",
            Reflection::On => "on",
            Reflection::Off => "off",
        };
        writeln!(f, "\n[auth]")?;
        writeln!(f, "mechanisms = {words:?}")?;
        writeln!(f, "insecure = {insecure}")?;
        writeln!(f, "reflection = {reflection:?}")
    }
}

/// A list, or words with commas between them: variables of the environment have no lists.
fn read_words<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        List(Vec<String>),
        Text(String),
    }
    let words = match Given::deserialize(deserializer)? {
        Given::List(words) => words,
        Given::Text(text) => text.split(',').map(|word| word.trim().to_owned()).collect(),
    };
    let read =
        |word: String| T::deserialize(serde::de::value::StringDeserializer::<D::Error>::new(word));
    words.into_iter().filter(|word| !word.is_empty()).map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Flags};

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
}
