//! Where the next page of a list begins. Bound to the query, so that a token of another query is
//! refused instead of quietly answering something else; and sealed, so that nobody makes one up.

use crate::seal::Seal;

const KIND: &str = "page";

/// Makes the token of the page after `last`.
pub(super) fn encode(seal: &Seal, query: &str, last: &str) -> String {
    seal.seal(KIND, query, last)
}

/// Reads a token back into `last`.
///
/// # Errors
/// What is allowed instead.
pub(super) fn decode(seal: &Seal, query: &str, token: &str) -> Result<String, String> {
    seal.open(KIND, query, token).ok_or_else(|| {
        "must be a next_page_token as the server gave it, with the same query".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_serves_its_own_query_only() {
        let seal = Seal::new(&[7; 32]);
        let token = encode(&seal, "a", "last");
        assert_eq!(decode(&seal, "a", &token).as_deref(), Ok("last"));
        for (query, token) in [("b", token.as_str()), ("a", ""), ("a", "!"), ("a", "MSBh")] {
            assert!(decode(&seal, query, token).is_err(), "{token}");
        }
    }
}
