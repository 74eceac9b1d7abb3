//! Where a watch can be taken up again.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::Error;
use crate::domain::{Namespace, Selection};
use crate::seal::Seal;
use crate::store::Horizon;

const KIND: &str = "watch";
/// Older tokens are not honoured: what they missed may have been pruned.
const LONGEST_LIFE_SECONDS: i64 = 3_600;

/// Where a watch stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumeToken {
    /// Which history of which database.
    pub incarnation: String,
    /// Everything final before this was sent.
    pub horizon: i64,
    /// When it was made, in seconds since 1970.
    pub issued_at: i64,
}

impl ResumeToken {
    /// What is watched, as text: tokens are bound to it. Not to the caller, whose key may be replaced
    /// while it watches; whoever resumes has to be allowed to watch anyway.
    pub fn watched(namespace: &Namespace, selection: &Selection) -> String {
        let mut text = namespace.to_string();
        let part = |text: &mut String, part: &str| write!(text, " {}:{part}", part.len()).ok();
        match selection {
            Selection::Ids(ids) => {
                text.push_str(" ids");
                for id in ids {
                    part(&mut text, &id.to_string());
                }
            }
            Selection::Filter(filter) => {
                text.push_str(" filter");
                part(&mut text, filter.queue.as_ref().map_or("", |queue| queue.as_str()));
                part(&mut text, filter.kind.as_ref().map_or("", |kind| kind.as_str()));
                for (key, value) in &filter.labels {
                    part(&mut text, key);
                    part(&mut text, value);
                }
            }
        }
        text
    }

    /// The opaque text.
    pub fn encode(&self, seal: &Seal, watched: &str) -> String {
        let text = format!("{} {} {}", self.horizon, self.issued_at, self.incarnation);
        seal.seal(KIND, watched, &text)
    }

    /// Reads the text.
    ///
    /// # Errors
    /// What is allowed instead.
    pub fn decode(seal: &Seal, watched: &str, token: &str) -> Result<Self, String> {
        let wrong =
            || "must be a resume token as the server gave it, with the same query".to_owned();
        let text = seal.open(KIND, watched, token).ok_or_else(wrong)?;
        let mut parts = text.splitn(3, ' ');
        let mut next = || parts.next().ok_or_else(wrong);
        Ok(Self {
            horizon: next()?.parse().map_err(|_| wrong())?,
            issued_at: next()?.parse().map_err(|_| wrong())?,
            incarnation: next()?.to_owned(),
        })
    }

    /// Whether nothing can have been missed since.
    pub(super) fn check(&self, present: &Horizon, now: Timestamp) -> Result<(), Error> {
        if self.incarnation != present.incarnation {
            return Err(Error::Resync("it is from another database"));
        }
        if self.horizon > present.newest {
            return Err(Error::Resync("it is from the future"));
        }
        if now.as_second().saturating_sub(self.issued_at) > LONGEST_LIFE_SECONDS {
            return Err(Error::Resync("it is more than an hour old"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_as_it_went_out_and_nonsense_is_refused() {
        let token =
            ResumeToken { incarnation: "a b/1".to_owned(), horizon: 7, issued_at: 1_800_000_000 };
        let seal = Seal::new(&[7; 32]);
        let text = token.encode(&seal, "default");
        assert_eq!(ResumeToken::decode(&seal, "default", &text), Ok(token));
        assert!(ResumeToken::decode(&seal, "other", &text).is_err());
        for bad in ["", "!", "AAAA", &seal.seal(KIND, "default", "1 x y")] {
            assert!(ResumeToken::decode(&seal, "default", bad).is_err(), "{bad}");
        }
    }
}
