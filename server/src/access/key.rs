//! An API key as text: `brk_<id>_<secret>`. The prefix is for scanners that look for secrets in places
//! where none belong.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::domain::KeyHash;

/// How every key begins.
pub(super) const PREFIX: &str = "brk_";
/// Length of the id.
const ID: usize = 16;
/// Length of the secret: 256 bits in base64url.
const SECRET: usize = 43;

/// A new key: its id, its text, and what to keep of it.
#[derive(Clone)]
pub struct NewKey {
    /// Finds it.
    pub id: String,
    /// What its owner is given, once.
    pub text: String,
    /// What is kept.
    pub hash: KeyHash,
}

impl NewKey {
    /// Makes a key.
    pub fn random() -> Self {
        let id: [u8; ID / 2] = rand::random();
        let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let secret = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let hash = hash(&secret);
        Self { text: format!("{PREFIX}{id}_{secret}"), id, hash }
    }
}

impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Reads a key into its id and the hash of its secret. `None` if it is not one.
pub(super) fn read(text: &str) -> Option<(&str, KeyHash)> {
    let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    let is_id = id.len() == ID && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let is_secret = secret.len() == SECRET
        && secret.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    (is_id && is_secret).then(|| (id, hash(secret)))
}

fn hash(secret: &str) -> KeyHash {
    KeyHash(Sha256::digest(secret.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_made_and_nothing_else_is() {
        let key = NewKey::random();
        assert_eq!(key.text.len(), PREFIX.len() + ID + 1 + SECRET);
        let (id, hash) = read(&key.text).unwrap();
        assert!(id == key.id && hash.matches(&key.hash));
        assert!(!NewKey::random().hash.matches(&key.hash));
        let text = key.text.as_str();
        for wrong in [
            "",
            "brk_",
            "brk__",
            &text[1..],
            &text[..text.len() - 1],
            &format!("{text}A"),
            &text.replace("brk_", "BRK_"),
            &format!("{}!", &text[..text.len() - 1]),
        ] {
            assert!(read(wrong).is_none(), "{wrong}");
        }
        assert!(!format!("{key:?}").contains(&text[21..]));
    }
}
