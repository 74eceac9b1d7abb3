//! The whole terminal, by the few codes that every terminal knows, also over ssh.

use std::io::{self, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;

/// The other screen of the terminal, without a cursor; and back.
const OPEN: &str = "\x1b[?1049h\x1b[?25l";
const CLOSE: &str = "\x1b[?25h\x1b[?1049l";
/// To the upper left.
const HOME: &str = "\x1b[H";
/// Clears the rest of a line, and of the screen.
const END_OF_LINE: &str = "\x1b[K";
const END_OF_SCREEN: &str = "\x1b[J";

/// The terminal while it is ours; as it was before, when this is dropped.
pub(super) struct Screen {
    before: Termios,
    keys: tokio::io::Stdin,
}

impl Screen {
    /// Takes the terminal: keys come one by one and are not shown.
    pub(super) fn open() -> Result<Self, Failure> {
        let before = tcgetattr(io::stdin()).map_err(io::Error::from)?;
        let mut raw = before.clone();
        raw.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Now, &raw).map_err(io::Error::from)?;
        let screen = Self { before, keys: tokio::io::stdin() };
        write(OPEN)?;
        Ok(screen)
    }

    /// Shows as much of a text as there is room for, and a last line.
    pub(super) fn show(&mut self, text: &str, foot: &str) -> Result<(), Failure> {
        let size = tcgetwinsize(io::stdout()).map_err(io::Error::from)?;
        let (rows, columns) = (usize::from(size.ws_row.max(2)), usize::from(size.ws_col.max(20)));
        write(&frame(text, foot, rows, columns))
    }

    /// Whether somebody wants to quit before `wait` has ended: with q, Ctrl-C or a signal.
    pub(super) async fn quits_within(
        &mut self,
        wait: impl Future<Output = ()>,
    ) -> Result<bool, Failure> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::pin!(wait);
        loop {
            let mut key = [0];
            tokio::select! {
                () = &mut wait => return Ok(false),
                _ = interrupt.recv() => return Ok(true),
                _ = terminate.recv() => return Ok(true),
                read = self.keys.read(&mut key) => {
                    // Ctrl-D, or the end of the input, is a wish to end as well.
                    if read? == 0 || matches!(key[0], b'q' | b'Q' | 4) {
                        return Ok(true);
                    }
                }
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // There is nobody to tell if the terminal is gone.
        let _ = write(CLOSE);
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

fn write(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

/// What is sent for one picture. Lines are cut, colours and all; each ends with a return to plain text.
fn frame(text: &str, foot: &str, rows: usize, columns: usize) -> String {
    let mut frame = HOME.to_owned();
    let lines = text.lines().take(rows - 1);
    for line in lines {
        frame.push_str(&fit(line, columns));
        frame.push_str("\x1b[0m");
        frame.push_str(END_OF_LINE);
        frame.push_str("\r\n");
    }
    frame.push_str(&fit(foot, columns));
    frame.push_str(END_OF_SCREEN);
    frame
}

/// The first `columns` characters of a line; codes of colours take no room.
fn fit(line: &str, columns: usize) -> String {
    let mut fitted = String::new();
    let (mut room, mut is_code) = (columns, false);
    for character in line.chars() {
        if character == '\x1b' {
            is_code = true;
        } else if is_code {
            is_code = character != 'm';
        } else if room == 0 {
            break;
        } else {
            room -= 1;
        }
        fitted.push(character);
    }
    fitted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_never_exceeds_the_terminal() {
        let text = "a title that is long\n\n\x1b[32mgreen\x1b[0m and more\nlost";
        let frame = frame(text, "q: quit", 4, 7);
        let lines: Vec<&str> = frame.trim_start_matches(HOME).split("\r\n").collect();
        let plain = |line: &str| fit(line, 100).replace("\x1b[0m", "").replace(END_OF_LINE, "");
        assert_eq!(lines.len(), 4);
        assert_eq!(plain(lines[0]), "a title");
        assert!(lines[2].starts_with("\x1b[32mgreen\x1b[0m a\x1b[0m"), "{:?}", lines[2]);
        assert!(lines[3].starts_with("q: quit") && !frame.contains("lost"));
    }
}
