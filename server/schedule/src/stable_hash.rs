//! A hash that gives the same number on every machine, in every version, for ever.

use sha2::{Digest, Sha256};

/// A number from `0` to `below - 1` that depends on `seed`, `purpose` and `value` alone; 0 if `below`
/// is 0.
///
/// It is `h mod below`, where `h` are the first eight bytes, big-endian, of the SHA-256 of: the length
/// of `seed` in bytes (u64, big-endian), `seed`, the length of `purpose`, `purpose`, `value` (i64,
/// big-endian). Times of users depend on this: it must not change.
pub(crate) fn below(below: u64, seed: &str, purpose: &str, value: i64) -> u64 {
    let mut hash = Sha256::new();
    for text in [seed, purpose] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hash.update(value.to_be_bytes());

    let digest: [u8; 32] = hash.finalize().into();
    let first = digest.first_chunk().expect("a digest has 32 bytes");
    u64::from_be_bytes(*first).checked_rem(below).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_never_change() {
        // Computed by another program from the description above.
        assert_eq!(below(u64::MAX, "nightly", "minute", 0), 8_313_875_253_775_387_464);
        assert_eq!(below(60, "nightly", "minute", 0), 24);
        assert_eq!(below(86_400_000, "", "jitter", 1_800_000_000), 40_103_501);
    }

    #[test]
    fn texts_are_kept_apart() {
        assert_ne!(below(u64::MAX, "ab", "c", 0), below(u64::MAX, "a", "bc", 0));
    }

    #[test]
    fn nothing_is_below_zero() {
        assert_eq!(below(0, "nightly", "minute", 0), 0);
        assert_eq!(below(1, "nightly", "minute", 0), 0);
    }
}
