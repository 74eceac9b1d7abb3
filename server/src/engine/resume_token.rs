//! Where a watch can be taken up again.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

use super::Error;
use crate::store::Horizon;

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
    /// The opaque text.
    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD
            .encode(format!("1 {} {} {}", self.horizon, self.issued_at, self.incarnation))
    }

    /// Reads the text.
    ///
    /// # Errors
    /// What is allowed instead.
    pub fn decode(text: &str) -> Result<Self, String> {
        let wrong = || "must be a resume token as the server gave it".to_owned();
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
        let text = String::from_utf8(bytes).map_err(|_| wrong())?;
        let mut parts = text.splitn(4, ' ');
        let mut next = || parts.next().ok_or_else(wrong);
        if next()? != "1" {
            return Err(wrong());
        }
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
        assert_eq!(ResumeToken::decode(&token.encode()), Ok(token));
        for bad in ["", "!", "AAAA", &URL_SAFE_NO_PAD.encode("2 1 1 x")] {
            assert!(ResumeToken::decode(bad).is_err(), "{bad}");
        }
    }
}
