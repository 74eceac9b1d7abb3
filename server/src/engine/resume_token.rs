//! Where a watch can be taken up again.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;

use super::Error;
use crate::domain::{Namespace, Selection};
use crate::seal::Seal;
use crate::store::{Horizon, Sight};

const KIND: &str = "watch";
/// Older tokens are not honoured: what they missed may have been pruned.
const LONGEST_LIFE_SECONDS: i64 = 3_600;
/// By how much clocks may differ.
const CLOCKS_SECONDS: i64 = 5;
/// Transactions that ran, in a token.
const MOST_RUNNING: usize = 64;

/// Where a watch stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumeToken {
    /// Which history of which database.
    pub incarnation: String,
    /// Everything final within this was sent.
    pub sight: Sight,
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

    /// The opaque text. Servers from before transactions that hang were told apart take those that have a `|` for
    /// tokens of another database.
    pub fn encode(&self, seal: &Seal, watched: &str) -> String {
        let sight = self.sight.clone().shortened(MOST_RUNNING);
        let mut text = format!("{} {} {}", sight.oldest(), sight.read_at, self.incarnation);
        if !sight.running.is_empty() {
            write!(text, "|{}", sight.newest).ok();
            for xid in &sight.running {
                write!(text, ",{xid}").ok();
            }
        }
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
        let number = |text: &str| text.parse::<i64>().map_err(|_| wrong());
        let oldest = number(next()?)?;
        let read_at = number(next()?)?;
        let rest = next()?;
        let (incarnation, sight) = match rest.split_once('|') {
            None => (rest, Sight { read_at, ..Sight::before(oldest) }),
            Some((incarnation, numbers)) => {
                let mut numbers = numbers.split(',').map(number);
                let newest = numbers.next().ok_or_else(wrong)??;
                let running = numbers.collect::<Result<_, _>>()?;
                (incarnation, Sight { newest, running, read_at })
            }
        };
        Ok(Self { sight, incarnation: incarnation.to_owned() })
    }

    /// Whether nothing can have been missed since; ended tasks are kept as long as `kept`, if that matters.
    pub(super) fn check(
        &self,
        present: &Horizon,
        now: Timestamp,
        kept: Option<Duration>,
    ) -> Result<(), Error> {
        if self.incarnation != present.incarnation {
            return Err(Error::Resync("it is from another database"));
        }
        if self.sight.newest > present.sight.newest {
            return Err(Error::Resync("it is from the future"));
        }
        let age = now.as_second().saturating_sub(self.sight.read_at);
        if age > LONGEST_LIFE_SECONDS {
            return Err(Error::Resync("it is more than an hour old"));
        }
        let kept = kept.map_or(i64::MAX, |kept| i64::try_from(kept.as_secs()).unwrap_or(i64::MAX));
        if age.saturating_add(CLOCKS_SECONDS) > kept {
            return Err(Error::Resync("what has ended since may not be kept any more"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(sight: Sight) -> ResumeToken {
        ResumeToken { incarnation: "a b/1".to_owned(), sight }
    }

    #[test]
    fn a_token_comes_back_as_it_went_out_and_nonsense_is_refused() {
        let seal = Seal::new(&[7; 32]);
        let token = token(Sight { read_at: 1_800_000_000, ..Sight::before(7) });
        let text = token.encode(&seal, "default");
        assert_eq!(ResumeToken::decode(&seal, "default", &text), Ok(token));
        assert!(ResumeToken::decode(&seal, "other", &text).is_err());
        let sealed = |text: &str| seal.seal(KIND, "default", text);
        for bad in ["", "!", "AAAA", &sealed("1 x y"), &sealed("1 2 y|"), &sealed("1 2 y|3,z")] {
            assert!(ResumeToken::decode(&seal, "default", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_token_tells_transactions_that_hang_from_what_has_ended_since() {
        let seal = Seal::new(&[7; 32]);
        let decoded = |sight: Sight| {
            let text = token(sight).encode(&seal, "default");
            ResumeToken::decode(&seal, "default", &text).unwrap().sight
        };
        let hanging = Sight { newest: 500_000, running: vec![7, 499_990], ..Sight::default() };
        assert_eq!(decoded(hanging.clone()), hanging);
        let many = Sight {
            newest: 500_000,
            running: (1..2_000).map(|n| n * 10).collect(),
            ..Sight::default()
        };
        assert_eq!(decoded(many.clone()), many.shortened(64));
        // However close: one transaction may have ended a thousand tasks.
        let close = Sight { newest: 9, running: vec![7], ..Sight::default() };
        assert_eq!(decoded(close.clone()), close);
    }

    #[test]
    fn a_token_is_honoured_for_an_hour_and_no_longer_than_what_has_ended_since_is_kept() {
        let token = token(Sight { read_at: 1_000, ..Sight::before(7) });
        let sight = Sight::before(9);
        let present = Horizon { sight, incarnation: token.incarnation.clone() };
        let is_good = |age: i64, kept: Option<u64>| {
            let now = Timestamp::from_second(1_000 + age).unwrap();
            token.check(&present, now, kept.map(Duration::from_secs)).is_ok()
        };
        assert!(is_good(3_600, None) && !is_good(3_601, None));
        assert!(is_good(3_600, Some(86_400)) && !is_good(3_601, Some(86_400)));
        assert!(is_good(55, Some(60)) && !is_good(56, Some(60)));
    }
}
