//! Texts that clients keep for the server and bring back. They can be read by whoever has them, and
//! neither changed nor made: each has a tag, made with a key that all replicas share.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects, clippy::indexing_slicing))]

use std::{fmt, iter};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The form of what is sealed. Other forms are not opened.
const VERSION: u8 = 2;
/// Bytes of a tag: half of a SHA-256, which nobody guesses.
const TAG: usize = 16;
/// Longest sealed text; ours are far shorter.
const LONGEST: usize = 4096;

/// Seals and opens.
#[derive(Clone)]
pub struct Seal(Hmac<Sha256>);

impl Seal {
    /// Seals with a key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes keys of any length"))
    }

    /// Seals a text of a kind, so that it can be opened with the same kind and circumstances only.
    pub fn seal(&self, kind: &str, circumstances: &str, text: &str) -> String {
        let tag = self.mac(kind, circumstances, text).finalize().into_bytes();
        let tag = tag.iter().copied().take(TAG);
        URL_SAFE_NO_PAD
            .encode(iter::once(VERSION).chain(tag).chain(text.bytes()).collect::<Vec<u8>>())
    }

    /// What was sealed; `None` if it was not sealed so.
    pub fn open(&self, kind: &str, circumstances: &str, sealed: &str) -> Option<String> {
        if sealed.len() > LONGEST {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (version, rest) = bytes.split_first()?;
        let (tag, text) = rest.split_at_checked(TAG)?;
        let text = std::str::from_utf8(text).ok()?;
        if *version != VERSION {
            return None;
        }
        // Takes the same time wherever the tag is wrong.
        self.mac(kind, circumstances, text).verify_truncated_left(tag).ok()?;
        Some(text.to_owned())
    }

    fn mac(&self, kind: &str, circumstances: &str, text: &str) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in [kind, circumstances, text] {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_sealed_is_opened_and_nothing_else() {
        let seal = Seal::new(&[7; 32]);
        let sealed = seal.seal("page", "a list", "last");
        assert_eq!(seal.open("page", "a list", &sealed).as_deref(), Some("last"));
        assert_eq!(Seal::new(&[7; 32]).open("page", "a list", &sealed).as_deref(), Some("last"));
        assert_eq!(seal.open("watch", "a list", &sealed), None);
        assert_eq!(seal.open("page", "another", &sealed), None);
        assert_eq!(seal.open("page ", "a list", &sealed), None);
        assert_eq!(Seal::new(&[8; 32]).open("page", "a list", &sealed), None);
        // What is one part cannot be moved into another.
        assert_eq!(seal.open("pag", "ea list", &sealed), None);
        assert!(!format!("{seal:?}").contains('7'));
    }

    #[test]
    fn every_changed_character_and_every_shorter_text_is_refused() {
        let seal = Seal::new(&[7; 32]);
        let sealed = seal.seal("page", "a list", "0191d0c0-0000-7000-8000-000000000000");
        for at in 0..sealed.len() {
            assert_eq!(seal.open("page", "a list", &sealed[..at]), None);
            for other in ["A", "B", "_"] {
                let mut changed = sealed.clone();
                changed.replace_range(at..=at, other);
                assert!(changed == sealed || seal.open("page", "a list", &changed).is_none());
            }
        }
        assert_eq!(seal.open("page", "a list", &"A".repeat(100_000)), None);
    }

    proptest! {
        #[test]
        fn nothing_made_up_is_opened(made_up in "[A-Za-z0-9_-]{0,200}") {
            prop_assert_eq!(Seal::new(&[7; 32]).open("page", "", &made_up), None);
        }
    }
}
