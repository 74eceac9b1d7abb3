//! Where results go: standard output for what was asked for, standard error for remarks.

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use comfy_table::{Cell, Color, Table, presets};
use serde_json::Value;

use crate::{failure::Failure, paint::Paint};

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people: tables and cards.
    #[default]
    Table,
    /// For programs: one document; one object a line where there are several.
    Json,
}

/// Writes results and remarks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) format: Format,
    /// Leaves remarks out.
    pub(crate) quiet: bool,
    /// Colours of standard output.
    pub(crate) paint: Paint,
    /// Whether standard output is a terminal.
    pub(crate) terminal: bool,
}

impl Output {
    /// Looks at the terminal and at `NO_COLOR`.
    pub(crate) fn new(format: Format, quiet: bool, no_color: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        let colour = terminal
            && !no_color
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Self { format, quiet, paint: Paint { on: colour }, terminal }
    }

    pub(crate) fn is_json(self) -> bool {
        self.format == Format::Json
    }

    /// Writes one line of result.
    pub(crate) fn line(self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{text}")?;
        Ok(stdout.flush()?)
    }

    /// Writes bytes of result as they are.
    pub(crate) fn raw(self, bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes)?;
        Ok(stdout.flush()?)
    }

    /// Writes a document: indented for a person, compact for a program.
    pub(crate) fn document(self, value: &Value) -> Result<(), Failure> {
        if self.terminal { self.line(&format!("{value:#}")) } else { self.object(value) }
    }

    /// Writes one object of a stream on one line.
    pub(crate) fn object(self, value: &Value) -> Result<(), Failure> {
        self.line(&value.to_string())
    }

    /// Writes a remark for people to standard error; it may be lost.
    pub(crate) fn remark(self, text: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// Writes a table with a head line, columns two spaces apart.
    pub(crate) fn table(self, head: &[&str], rows: Vec<Vec<Cell>>) -> Result<(), Failure> {
        self.line(&self.table_text(head, rows))
    }

    /// The text of such a table.
    pub(crate) fn table_text(self, head: &[&str], rows: Vec<Vec<Cell>>) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(head.to_vec());
        if self.paint.on {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        for row in rows {
            table.add_row(row);
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
        lines.join("\n")
    }
}

/// A cell that holds a state, in its colour.
pub(crate) fn state_cell(state: bellringer_api::v1::TaskState) -> Cell {
    use bellringer_api::v1::TaskState as State;
    let cell = Cell::new(crate::paint::state_word(state));
    match state {
        State::Succeeded => cell.fg(Color::Green),
        State::Failed => cell.fg(Color::Red),
        State::Running => cell.fg(Color::Cyan),
        State::Retrying | State::Expired => cell.fg(Color::Yellow),
        State::Cancelled => cell.fg(Color::Magenta),
        State::Unspecified | State::Scheduled | State::Ready => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_plain_columns() {
        let output = Output {
            format: Format::Table,
            quiet: false,
            paint: Paint { on: false },
            terminal: false,
        };
        let rows = vec![
            vec![Cell::new("mail"), Cell::new("12")],
            vec![Cell::new("a-longer-name"), Cell::new("")],
        ];
        let text = output.table_text(&["QUEUE", "READY"], rows);
        assert_eq!(text, "QUEUE          READY\nmail           12\na-longer-name");
    }
}
