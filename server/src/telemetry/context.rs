//! Where in which trace something happens: W3C Trace Context, level 1.

use std::fmt;

/// The place of a span: its trace, itself, and whether the trace is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace; never 0.
    pub trace: u128,
    /// The span; never 0.
    pub span: u64,
    /// Whether whoever began the trace wants it recorded.
    pub is_sampled: bool,
}

impl TraceContext {
    /// Reads a `traceparent`; `None` if it is not one, as the standard wants it: a context that cannot
    /// be read is no reason to refuse a call.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let is_hex = |b: &u8| b.is_ascii_digit() || (b'a'..=b'f').contains(b);
        // A later version may say more behind a further dash; the first of them is the length known.
        let is_whole = bytes.len() == 55 || bytes.get(55) == Some(&b'-');
        let has_dashes = is_whole && [2, 35, 52].iter().all(|&at| bytes.get(at) == Some(&b'-'));
        if !has_dashes || text.starts_with("ff") || (text.starts_with("00") && bytes.len() > 55) {
            return None;
        }
        let part = |from: usize, to: usize| {
            let is_number = bytes.get(from..to)?.iter().all(is_hex);
            is_number.then(|| text.get(from..to)).flatten()
        };
        part(0, 2)?;
        let trace = u128::from_str_radix(part(3, 35)?, 16).ok().filter(|&trace| trace != 0)?;
        let span = u64::from_str_radix(part(36, 52)?, 16).ok().filter(|&span| span != 0)?;
        let flags = u8::from_str_radix(part(53, 55)?, 16).ok()?;
        Some(Self { trace, span, is_sampled: flags & 1 == 1 })
    }
}

impl fmt::Display for TraceContext {
    /// As a `traceparent` of 55 characters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = u8::from(self.is_sampled);
        write!(f, "00-{:032x}-{:016x}-{flags:02x}", self.trace, self.span)
    }
}

#[cfg(test)]
mod tests {
    use super::TraceContext;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_context_is_written_as_it_was_read() {
        let context = TraceContext::parse(GOOD).unwrap();
        assert!(context.is_sampled);
        assert_eq!(context.to_string(), GOOD);
    }

    #[test]
    fn what_is_no_context_is_none() {
        for bad in [
            "",
            "00",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-+1",
            "00-4bf92f3577b34da6a3ce929d0e0e47é6-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceContext::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        let later = GOOD.replacen("00", "01", 1) + "-more";
        assert_eq!(TraceContext::parse(&later), TraceContext::parse(GOOD));
    }
}
