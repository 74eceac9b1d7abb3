//! What was measured, as tables and as JSON.

use serde_json::{Value, json};

use super::bars::Reached;
use super::numbers::shown;
use crate::{failure::Failure, output::Output};

/// The shape of the JSON; raised when a name changes its meaning or goes.
const VERSION: u32 = 3;

/// One line: what was measured, and its numbers. Their names carry the units.
#[derive(Debug)]
pub(super) struct Line {
    name: String,
    numbers: Vec<(&'static str, Option<f64>)>,
    rounds: Vec<f64>,
}

impl Line {
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), numbers: Vec::new(), rounds: Vec::new() }
    }

    #[must_use]
    pub(super) fn with(mut self, name: &'static str, number: impl Into<Option<f64>>) -> Self {
        self.numbers.push((name, number.into()));
        self
    }

    /// What each round gave, for the JSON.
    #[must_use]
    pub(super) fn rounds(mut self, rounds: Vec<f64>) -> Self {
        self.rounds = rounds;
        self
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.numbers.iter().find(|(other, _)| *other == name).and_then(|(_, number)| *number)
    }
}

/// What one suite measured.
#[derive(Debug)]
pub(super) struct Section {
    suite: &'static str,
    title: &'static str,
    trouble: Option<String>,
    lines: Vec<Line>,
}

impl Section {
    pub(super) fn new(suite: &'static str, title: &'static str) -> Self {
        Self { suite, title, trouble: None, lines: Vec::new() }
    }

    /// One table for each run of lines that have the same numbers.
    fn text(&self) -> String {
        let mut text = format!("== {}: {}", self.suite, self.title);
        if let Some(trouble) = &self.trouble {
            text.push_str(&format!("\n{trouble}"));
        }
        let names = |line: &Line| line.numbers.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        for lines in self.lines.chunk_by(|one, two| names(one) == names(two)) {
            let head = names(&lines[0]);
            let mut rows = vec![vec![String::new()]];
            rows[0].extend(head.iter().map(|name| name.replace('_', " ")));
            for line in lines {
                let mut row = vec![line.name.clone()];
                row.extend(line.numbers.iter().map(|(_, number)| shown(*number)));
                rows.push(row);
            }
            text.push('\n');
            text.push_str(&table(&rows));
        }
        text
    }

    fn json(&self) -> Value {
        let line = |line: &Line| {
            let mut value = json!({"name": line.name});
            for (name, number) in &line.numbers {
                value[*name] = json!(number);
            }
            if !line.rounds.is_empty() {
                value["rounds"] = json!(line.rounds);
            }
            value
        };
        json!({
            "suite": self.suite,
            "trouble": self.trouble,
            "lines": self.lines.iter().map(line).collect::<Vec<_>>(),
        })
    }
}

/// The first column to the left, the others to the right.
fn table(rows: &[Vec<String>]) -> String {
    let width = |n: usize| rows.iter().filter_map(|row| row.get(n)).map(String::len).max();
    let line = |row: &Vec<String>| {
        let cells = row.iter().enumerate().map(|(n, cell)| {
            let width = width(n).unwrap_or_default();
            if n == 0 { format!("{cell:width$}") } else { format!("  {cell:>width$}") }
        });
        cells.collect::<String>().trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Everything that was measured.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// About machine, database and benchmark.
    pub(super) facts: Value,
    pub(super) reached: Reached,
    pub(super) sections: Vec<Section>,
}

impl Report {
    /// Adds a line to the suite that is being measured.
    pub(super) fn add(&mut self, line: Line) {
        if let Some(section) = self.sections.last_mut() {
            section.lines.push(line);
        }
    }

    /// Why the suite that is being measured was left out or broke off.
    pub(super) fn trouble(&mut self, why: String) {
        if let Some(section) = self.sections.last_mut() {
            section.trouble = Some(why);
        }
    }

    /// A number of a line, if it was measured.
    pub(super) fn number(&self, suite: &str, line: &str, number: &str) -> Option<f64> {
        let section = self.sections.iter().find(|section| section.suite == suite)?;
        section.lines.iter().find(|other| other.name == line)?.number(number)
    }

    pub(super) fn print(&self, out: Output) -> Result<(), Failure> {
        if out.is_json() { out.document(&self.json()) } else { out.line(&self.text()) }
    }

    fn json(&self) -> Value {
        json!({
            "version": VERSION,
            "facts": self.facts,
            "bars": self.reached.json(),
            "suites": self.sections.iter().map(Section::json).collect::<Vec<_>>(),
        })
    }

    fn text(&self) -> String {
        let mut parts = vec![facts(&self.facts)];
        parts.extend(self.sections.iter().map(Section::text));
        parts.push(self.reached.text());
        parts.join("\n\n")
    }
}

/// One line for each group of facts.
fn facts(facts: &Value) -> String {
    let word = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => shown(number.as_f64()),
        other => other.to_string(),
    };
    let groups = facts.as_object().into_iter().flatten().map(|(name, group)| match group {
        Value::Object(group) => {
            let pairs = group.iter().map(|(name, value)| format!("{name} {}", word(value)));
            format!("{name}: {}", pairs.collect::<Vec<_>>().join(", "))
        }
        other => format!("{name}: {}", word(other)),
    });
    groups.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let sections = vec![Section::new("throughput", "how much")];
        let facts = json!({"machine": {"cores": 2}});
        let mut report = Report { facts, sections, ..Report::default() };
        report.add(Line::new("plain").with("per_second", 70_531.2).rounds(vec![1.0, 2.0]));
        report.add(Line::new("with labels").with("per_second", None));
        report.add(Line::new("latency").with("p50_ms", 1.25));
        report
    }

    #[test]
    fn lines_with_the_same_numbers_share_a_table() {
        let text = report().text();
        let expected = "machine: cores 2\n\n== throughput: how much\n             per second\n\
            plain             70531\nwith labels           -\n         p50 ms\nlatency    1.25\n\n";
        assert!(text.starts_with(expected), "{text}");
    }

    #[test]
    fn json_keeps_what_was_not_measured_apart_from_zero() {
        let json = report().json();
        let lines = &json["suites"][0]["lines"];
        assert_eq!(lines[0]["rounds"], json!([1.0, 2.0]));
        assert_eq!(lines[1]["per_second"], Value::Null);
        assert_eq!(report().number("throughput", "latency", "p50_ms"), Some(1.25));
        assert_eq!(report().number("throughput", "with labels", "per_second"), None);
    }
}
