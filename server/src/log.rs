//! The log: one line for each event, to standard error, for people or as JSON. Panics are events as well.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects, clippy::indexing_slicing))]

use std::io::{self, IsTerminal as _, Write};

use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::config::{Log, LogFormat};
use crate::panics;
use crate::telemetry::Reports;

/// Starts the log of this process; errors are reported as well, if that is wanted.
///
/// # Errors
/// If the level is not one, or there is a log already.
pub fn start(settings: &Log, reports: Option<&Reports>) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&settings.level)
        .map_err(|error| anyhow::anyhow!("log.level: {error}"))?;
    let has_colours = io::stderr().is_terminal();
    let writer = OneLine { inner: io::stderr, has_colours };
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(has_colours);
    let lines = match settings.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let log = tracing_subscriber::registry().with(filter).with(lines);
    log.with(reports.map(Reports::layer))
        .try_init()
        .map_err(|error| anyhow::anyhow!("the log cannot be started: {error}"))?;
    panics::watch();
    Ok(())
}

/// Makes of each event one line: what somebody else wrote into a value must not look like an event of
/// its own, or play with the terminal.
#[derive(Debug, Clone)]
struct OneLine<M> {
    inner: M,
    has_colours: bool,
}

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for OneLine<M> {
    type Writer = Line<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Line { inner: self.inner.make_writer(), has_colours: self.has_colours }
    }
}

struct Line<W> {
    inner: W,
    has_colours: bool,
}

impl<W: Write> Write for Line<W> {
    /// Events are written whole, each with the end of its line: in one piece, since between two pieces there
    /// may be an event of another thread.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = event.strip_suffix(b"\n").unwrap_or(event);
        let breaks_out = |(at, byte): (usize, &u8)| {
            let is_colour = || text.get(at..).is_some_and(is_colour);
            byte.is_ascii_control() && !(self.has_colours && is_colour())
        };
        if text.iter().enumerate().any(breaks_out) {
            let mut line = Vec::with_capacity(event.len().saturating_add(16));
            for (at, byte) in text.iter().enumerate() {
                match breaks_out((at, byte)) {
                    true => line.extend(byte.escape_ascii()),
                    false => line.push(*byte),
                }
            }
            line.extend(event.get(text.len()..).unwrap_or_default());
            self.inner.write_all(&line)?;
        } else {
            self.inner.write_all(event)?;
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Whether this begins with what changes the colour and nothing else.
fn is_colour(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"\x1b[") else { return false };
    let end = rest.iter().position(|byte| !byte.is_ascii_digit() && *byte != b';');
    end.is_some_and(|end| rest.get(end) == Some(&b'm'))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    /// Pieces as they were written.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<Vec<u8>>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Kept {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().concat()).unwrap()
        }

        fn pieces(&self) -> usize {
            self.0.lock().unwrap().len()
        }
    }

    /// What somebody would write who wants to forge a line.
    const FORGED: &str = "x\r\n{\"level\":\"ERROR\"}\u{1b}[2J\u{7}";

    fn logged(json: bool) -> Kept {
        let kept = Kept::default();
        let writer = kept.clone();
        let inner = move || writer.clone();
        let log = tracing_subscriber::fmt().with_writer(OneLine { inner, has_colours: false });
        let event = || tracing::warn!(shown = %FORGED, told = FORGED, "{FORGED}");
        match json {
            true => tracing::subscriber::with_default(log.json().finish(), event),
            false => tracing::subscriber::with_default(log.with_ansi(false).finish(), event),
        }
        kept
    }

    #[test]
    fn only_colours_reach_a_terminal() {
        let kept = Kept::default();
        let mut line = Line { inner: kept.clone(), has_colours: true };
        line.write_all(b"\x1b[2m12:00\x1b[0m \x1b[2J\x1b]0;title\x07 \x1b[38;5;1mred\n").unwrap();
        let told = "\u{1b}[2m12:00\u{1b}[0m \\x1b[2J\\x1b]0;title\\x07 \u{1b}[38;5;1mred\n";
        assert_eq!(kept.text(), told);
    }

    #[test]
    fn an_event_is_one_line_whatever_is_in_its_values() {
        for json in [false, true] {
            let text = logged(json).text();
            assert_eq!(text.matches('\n').count(), 1, "{text}");
            let line = text.strip_suffix('\n').unwrap();
            assert!(!line.contains(char::is_control), "{line:?}");
        }
        let value: serde_json::Value = serde_json::from_str(&logged(true).text()).unwrap();
        assert_eq!(value["fields"]["told"], FORGED);
    }

    #[test]
    fn an_event_is_written_in_one_piece_so_that_no_other_gets_into_it() {
        assert_eq!([true, false].map(|json| logged(json).pieces()), [1, 1]);
    }
}
