//! What the claims of a token mean here: rules of the configuration.

use serde_json::{Map, Value};

use super::{Grant, Namespace};

/// `CLAIM=VALUE -> GRANT`: whose token has this value, or has it among others, has this grant. `*` is any value,
/// and `{}` in the grant stands for it: `tenant=* -> submitter@{}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRule {
    claim: String,
    /// `None`: any.
    value: Option<String>,
    /// With `{}` for the value.
    grant: String,
}

impl ClaimRule {
    /// Reads the text.
    ///
    /// # Errors
    /// What is allowed instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is no rule: write CLAIM=VALUE -> ROLE@NAMESPACE");
        let (condition, grant) = text.split_once("->").ok_or_else(wrong)?;
        let (claim, value) = condition.split_once('=').ok_or_else(wrong)?;
        let (claim, value, grant) = (claim.trim(), value.trim(), grant.trim());
        if claim.is_empty() || value.is_empty() {
            return Err(wrong());
        }
        let is_any = value == "*";
        if grant.contains("{}") && !is_any {
            return Err(format!("\"{text}\": {{}} stands for the value of a rule with CLAIM=*"));
        }
        Grant::parse(&grant.replace("{}", "x"))?;
        let value = (!is_any).then(|| value.to_owned());
        Ok(Self { claim: claim.to_owned(), value, grant: grant.to_owned() })
    }

    /// What a token with these claims is granted by this rule. A value that is no name grants nothing: above
    /// all it cannot be `*`.
    pub fn grants(&self, claims: &Map<String, Value>) -> Vec<Grant> {
        let values: Vec<&str> = match claims.get(&self.claim) {
            Some(Value::String(value)) => vec![value],
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let holds = |value: &&str| self.value.as_ref().is_none_or(|wanted| wanted == value);
        let is_name = |value: &&str| !self.grant.contains("{}") || Namespace::parse(value).is_ok();
        values
            .into_iter()
            .filter(holds)
            .filter(is_name)
            .filter_map(|value| Grant::parse(&self.grant.replace("{}", value)).ok())
            .collect()
    }
}

impl std::fmt::Display for ClaimRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={} -> {}", self.claim, self.value.as_deref().unwrap_or("*"), self.grant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(rule: &str, claims: &str) -> Vec<String> {
        let claims = serde_json::from_str(claims).unwrap();
        let grants = ClaimRule::parse(rule).unwrap().grants(&claims);
        grants.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn claims_become_grants_by_rule_and_by_nothing_else() {
        assert_eq!(granted("group=ops -> operator", r#"{"group": ["dev", "ops"]}"#), ["operator"]);
        assert_eq!(granted("group=ops -> operator", r#"{"group": "op"}"#), Vec::<String>::new());
        let tenant = "tenant=* -> submitter@{}";
        assert_eq!(granted(tenant, r#"{"tenant": "acme"}"#), ["submitter@acme"]);
        for claims in [
            r#"{"tenant": "*"}"#,
            r#"{"tenant": "a@*"}"#,
            r#"{"tenant": "acme/mail"}"#,
            r#"{"tenant": ""}"#,
            r#"{"tenant": 7}"#,
            r#"{"other": "acme"}"#,
        ] {
            assert_eq!(granted(tenant, claims), Vec::<String>::new(), "{claims}");
        }
    }

    #[test]
    fn a_rule_that_cannot_hold_is_refused() {
        for wrong in [
            "",
            "a=b",
            "a -> operator",
            "=b -> operator",
            "a= -> operator",
            "a=b -> king@acme",
            "a=b -> submitter@{}",
        ] {
            assert!(ClaimRule::parse(wrong).is_err(), "{wrong}");
        }
        let text = "group=ops -> viewer@*";
        assert_eq!(ClaimRule::parse(text).unwrap().to_string(), text);
    }
}
