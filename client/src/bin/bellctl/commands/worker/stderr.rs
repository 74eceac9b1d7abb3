//! Standard error of a command: progress lines are taken out, of the rest the tail is kept.

use bellringer_api::v1::Progress;

/// What a progress line begins with.
const PREFIX: &str = "bellringer:progress ";

/// Longest line that can be a progress line, in bytes.
const LINE: usize = 4096;

/// Bytes of standard error that are kept, and sent as detail of an error.
const TAIL: usize = 32 * 1024;

/// Reads standard error as it comes.
#[derive(Debug, Default)]
pub(crate) struct Stderr {
    tail: Vec<u8>,
    /// The line that is still being written.
    line: Vec<u8>,
    /// The line is too long to be progress; what came of it is in the tail already.
    overlong: bool,
}

impl Stderr {
    /// Takes what was written; answers with the last progress in it, if there was any.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Option<Progress> {
        let mut progress = None;
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            progress = self.take_part(part).or(progress);
        }
        progress
    }

    /// Part of one line, at most up to its end.
    fn take_part(&mut self, part: &[u8]) -> Option<Progress> {
        let ends = part.last() == Some(&b'\n');
        if self.overlong || self.line.len() + part.len() > LINE {
            let start = std::mem::take(&mut self.line);
            self.keep(&start);
            self.keep(part);
            self.overlong = !ends;
            return None;
        }
        self.line.extend_from_slice(part);
        if !ends {
            return None;
        }
        let line = std::mem::take(&mut self.line);
        let progress = parse(&String::from_utf8_lossy(&line));
        if progress.is_none() {
            self.keep(&line);
        }
        progress
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        // Cut seldom, so that each byte is moved about once.
        if self.tail.len() > 2 * TAIL {
            self.tail.drain(..self.tail.len() - TAIL);
        }
    }

    /// The last 32 KiB as text, cut at the start of a line where something was cut.
    pub(crate) fn into_tail(mut self) -> String {
        let line = std::mem::take(&mut self.line);
        if parse(&String::from_utf8_lossy(&line)).is_none() {
            self.keep(&line);
        }
        let mut tail = &self.tail[self.tail.len().saturating_sub(TAIL)..];
        if tail.len() < self.tail.len()
            && let Some(end) = tail.iter().position(|&byte| byte == b'\n')
        {
            tail = &tail[end + 1..];
        }
        String::from_utf8_lossy(tail).trim_end().to_owned()
    }
}

/// Reads `bellringer:progress 3/10 resizing`: done, all if known, a message if wanted.
fn parse(line: &str) -> Option<Progress> {
    let rest = line.strip_prefix(PREFIX)?.trim();
    let (amount, message) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let (current, total) = amount.split_once('/').unwrap_or((amount, "0"));
    let current: f64 = current.parse().ok().filter(|number: &f64| number.is_finite())?;
    let total: f64 = total.parse().ok().filter(|number: &f64| number.is_finite())?;
    if current < 0.0 || total < 0.0 {
        return None;
    }
    // The server refuses more than all; who counts past the end is at the end.
    let current = if total > 0.0 { current.min(total) } else { current };
    Some(Progress { current, total, message: message.trim().to_owned(), reported_at: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_lines_are_taken_out_even_in_pieces() {
        let mut stderr = Stderr::default();
        assert_eq!(stderr.take(b"starting\nbellringer:prog"), None);
        let progress = stderr.take(b"ress 3/10 resizing it\nmore").unwrap();
        assert!((progress.current - 3.0).abs() < 1e-9 && (progress.total - 10.0).abs() < 1e-9);
        assert_eq!(progress.message, "resizing it");
        assert_eq!(stderr.into_tail(), "starting\nmore");
    }

    #[test]
    fn the_last_progress_counts() {
        let mut stderr = Stderr::default();
        let progress = stderr.take(b"bellringer:progress 1\nbellringer:progress 2.5\n").unwrap();
        assert!((progress.current - 2.5).abs() < 1e-9);
        assert!(progress.total.abs() < 1e-9);
    }

    #[test]
    fn what_is_no_progress_is_kept() {
        for line in ["bellringer:progress x", "bellringer:progress -1/3", "bellringer:progress NaN"]
        {
            let mut stderr = Stderr::default();
            assert_eq!(stderr.take(format!("{line}\n").as_bytes()), None, "{line}");
            assert_eq!(stderr.into_tail(), line);
        }
    }

    #[test]
    fn only_whole_last_lines_are_kept() {
        let mut stderr = Stderr::default();
        for number in 0..20_000 {
            stderr.take(format!("line {number}\n").as_bytes());
        }
        let tail = stderr.into_tail();
        assert!(tail.len() <= TAIL && tail.len() > TAIL - 100, "{}", tail.len());
        assert!(tail.starts_with("line ") && tail.ends_with("line 19999"));
    }

    #[test]
    fn a_line_without_end_does_not_fill_the_memory() {
        let mut stderr = Stderr::default();
        for _ in 0..100 {
            stderr.take(&[b'x'; 8192]);
        }
        assert!(stderr.tail.len() <= 2 * TAIL + 8192 && stderr.line.len() <= LINE);
        assert_eq!(stderr.into_tail().len(), TAIL);
    }
}
