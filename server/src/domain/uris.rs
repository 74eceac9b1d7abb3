//! What the URI of a certificate means here: rules of the configuration.

use std::fmt;

use super::{Grant, Namespace};

/// Longest URI, in bytes.
const LONGEST: usize = 2_048;

/// How the URIs of certificates begin that are taken: `spiffe://example.org/`, or deeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UriPrefix(String);

impl UriPrefix {
    /// Reads the text.
    ///
    /// # Errors
    /// What is allowed instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "\"{text}\" is no beginning of a URI: write SCHEME://HOST/, for example \
                 spiffe://example.org/, with a / at its end"
            )
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let whole = rest.strip_suffix('/').ok_or_else(wrong)?;
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_lowercase())
            && scheme.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        if text.len() > LONGEST || !is_scheme || !whole.split('/').all(is_part) {
            return Err(wrong());
        }
        Ok(Self(text.to_owned()))
    }

    /// The parts of a URI after this beginning; `None`: it begins otherwise, or has parts that could be written in
    /// more ways than one, such as `..`, `//` and `%41`.
    pub fn path<'a>(&self, uri: &'a str) -> Option<Vec<&'a str>> {
        let rest = uri.strip_prefix(&self.0).filter(|_| uri.len() <= LONGEST)?;
        let parts: Vec<&str> = rest.split('/').collect();
        parts.iter().all(|part| is_part(part)).then_some(parts)
    }
}

impl fmt::Display for UriPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `PATH -> GRANT`: whose certificate has this path has the grant. `*` is any one part of the path, and `{}` in
/// the grant stands for it: `ns/*/sa/web -> submitter@{}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UriRule {
    /// `None`: any.
    path: Vec<Option<String>>,
    /// With `{}` for the part that is any.
    grant: String,
}

impl UriRule {
    /// Reads the text.
    ///
    /// # Errors
    /// What is allowed instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is no rule: write PATH -> ROLE@NAMESPACE");
        let (path, grant) = text.split_once("->").ok_or_else(wrong)?;
        let (path, grant) = (path.trim(), grant.trim());
        let parts: Vec<&str> = path.split('/').collect();
        let any = parts.iter().filter(|part| **part == "*").count();
        if any > 1 {
            return Err(format!("\"{text}\": at most one part of the path can be *"));
        }
        if !parts.iter().all(|part| *part == "*" || is_part(part)) {
            return Err(format!(
                "\"{text}\": the path is what follows auth.certificate_uris, parts of letters, digits and .-_ with / \
                 between"
            ));
        }
        if grant.contains("{}") && any == 0 {
            return Err(format!("\"{text}\": {{}} stands for the part of the path that is *"));
        }
        Grant::parse(&grant.replace("{}", "x"))?;
        let path = parts.into_iter().map(|part| (part != "*").then(|| part.to_owned())).collect();
        Ok(Self { path, grant: grant.to_owned() })
    }

    /// What this rule grants to whose URI has these parts. A part that is no name of a namespace grants nothing
    /// where it would have to be one.
    pub fn grant(&self, path: &[&str]) -> Option<Grant> {
        if path.len() != self.path.len() {
            return None;
        }
        let mut any = "";
        for (part, wanted) in path.iter().zip(&self.path) {
            match wanted {
                Some(wanted) if wanted != part => return None,
                Some(_) => {}
                None => any = part,
            }
        }
        if self.grant.contains("{}") && Namespace::parse(any).is_err() {
            return None;
        }
        Grant::parse(&self.grant.replace("{}", any)).ok()
    }
}

impl fmt::Display for UriRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<&str> =
            self.path.iter().map(|part| part.as_deref().unwrap_or("*")).collect();
        write!(f, "{} -> {}", parts.join("/"), self.grant)
    }
}

/// What SPIFFE allows: no part has two ways to be written, and none means another place.
fn is_part(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    !matches!(text, "" | "." | "..") && text.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(rule: &str, uri: &str) -> Option<String> {
        let prefix = UriPrefix::parse("spiffe://example.org/").unwrap();
        let rule = UriRule::parse(rule).unwrap();
        rule.grant(&prefix.path(uri)?).map(|grant| grant.to_string())
    }

    #[test]
    fn uris_become_grants_by_rule_and_by_nothing_else() {
        let mailer = "mailer -> worker@shop/mail";
        let granted_to = |uri: &str| granted(mailer, uri);
        assert_eq!(granted_to("spiffe://example.org/mailer").unwrap(), "worker@shop/mail");
        let tenant = "ns/*/sa/web -> submitter@{}";
        let shop = granted(tenant, "spiffe://example.org/ns/shop/sa/web");
        assert_eq!(shop.unwrap(), "submitter@shop");
        for uri in [
            "spiffe://example.org/",
            "spiffe://example.org/mailer/",
            "spiffe://example.org//mailer",
            "spiffe://example.org/./mailer",
            "spiffe://example.org/x/../mailer",
            "spiffe://example.org/mail%65r",
            "spiffe://example.org/mailer?x",
            "spiffe://example.org/mailer#x",
            "spiffe://example.org/Mailer",
            "spiffe://example.org/mailer/more",
            "spiffe://example.org.evil.test/mailer",
            "spiffe://EXAMPLE.org/mailer",
            "https://example.org/mailer",
            "mailer",
            "",
        ] {
            assert_eq!(granted(mailer, uri), None, "{uri}");
            assert_eq!(granted(tenant, uri), None, "{uri}");
        }
        for part in ["*", "", "a@b", "..", "_", &"x".repeat(300)] {
            let uri = format!("spiffe://example.org/ns/{part}/sa/web");
            assert_eq!(granted(tenant, &uri), None, "{uri}");
        }
        assert_eq!(granted(mailer, &format!("spiffe://example.org/{}", "x".repeat(3_000))), None);
    }

    #[test]
    fn a_rule_that_cannot_hold_is_refused() {
        for wrong in [
            "",
            "mailer",
            "-> operator",
            "a//b -> operator",
            "/a -> operator",
            "a/.. -> operator",
            "*/* -> operator",
            "a* -> operator",
            "a -> king@acme",
            "a -> submitter@{}",
            "spiffe://example.org/a -> operator",
        ] {
            assert!(UriRule::parse(wrong).is_err(), "{wrong}");
        }
        for text in ["a/b -> viewer@*", "ns/*/sa -> worker@{}/mail,reports"] {
            assert_eq!(UriRule::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_beginning_ends_where_a_part_does() {
        for good in ["spiffe://example.org/", "https://id.example.org/workers/"] {
            assert_eq!(UriPrefix::parse(good).unwrap().to_string(), good);
        }
        for wrong in [
            "",
            "spiffe://",
            "spiffe:///",
            "spiffe://example.org",
            "spiffe://example.org/work",
            "spiffe://example.org//",
            "spiffe://*/",
            "Spiffe://example.org/",
            "://example.org/",
            "example.org/",
            "spiffe://me@example.org/",
        ] {
            assert!(UriPrefix::parse(wrong).is_err(), "{wrong}");
        }
    }
}
