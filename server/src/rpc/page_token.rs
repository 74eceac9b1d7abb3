//! Where the next page of a list begins. Bound to the query, so that a token of another query is
//! refused instead of quietly answering something else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// Makes the token of the page after `last`.
pub(super) fn encode(query: &str, last: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("1 {} {last}", fingerprint(query)))
}

/// Reads a token back into `last`.
///
/// # Errors
/// What is allowed instead.
pub(super) fn decode(query: &str, token: &str) -> Result<String, String> {
    let wrong =
        || "must be a next_page_token as the server gave it, with the same query".to_owned();
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| wrong())?;
    let text = String::from_utf8(bytes).map_err(|_| wrong())?;
    let mut parts = text.splitn(3, ' ');
    match (parts.next(), parts.next(), parts.next()) {
        (Some("1"), Some(print), Some(last)) if print == fingerprint(query) => Ok(last.to_owned()),
        _ => Err(wrong()),
    }
}

fn fingerprint(query: &str) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(query.as_bytes())[..9])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_serves_its_own_query_only() {
        let token = encode("a", "last");
        assert_eq!(decode("a", &token).as_deref(), Ok("last"));
        for (query, token) in [("b", token.as_str()), ("a", ""), ("a", "!"), ("a", "MSBh")] {
            assert!(decode(query, token).is_err(), "{token}");
        }
    }
}
