//! What an import would make, and what is to be known about it.

use std::collections::BTreeSet;

use bellringer_api::v1::ScheduleSpec;

/// Longest name of a schedule, in characters.
const LONGEST_NAME: usize = 127;

/// What an import would make.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Plan {
    pub(super) schedules: Vec<Planned>,
    /// What was not imported, and what belongs to no schedule.
    pub(super) notes: Vec<Note>,
}

/// A schedule to be made.
#[derive(Debug, PartialEq)]
pub(super) struct Planned {
    /// Line of the file where it stands, from 1.
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) spec: ScheduleSpec,
    /// Why it is to be paused at once.
    pub(super) paused: Option<String>,
    /// In what it differs.
    pub(super) notes: Vec<Note>,
}

/// Something to know about an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    /// Line of the file, from 1.
    pub(super) line: usize,
    pub(super) level: Level,
    pub(super) text: String,
}

/// How much a note matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// It was not imported.
    NotImported,
    /// It means something else here; somebody should look.
    Differs,
    /// How it was translated, with the same meaning.
    Translated,
}

impl Level {
    /// The word for it in JSON.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::NotImported => "not_imported",
            Self::Differs => "differs",
            Self::Translated => "translated",
        }
    }
}

impl Note {
    pub(super) fn new(line: usize, level: Level, text: impl Into<String>) -> Self {
        Self { line, level, text: text.into() }
    }
}

/// Gives every schedule a name of its own.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    /// A name made of `wish`: other characters than a name may have become `-`, and a number is put
    /// behind it if it is taken.
    pub(super) fn take(&mut self, wish: &str) -> String {
        let allowed =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':' | '/');
        let plain: String = wish.chars().map(|c| if allowed(c) { c } else { '-' }).collect();
        let plain = plain.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        let plain = plain.trim_end_matches('-');
        let plain = if plain.is_empty() { "job" } else { plain };
        let mut name: String = plain.chars().take(LONGEST_NAME).collect();
        let mut number = 2;
        while !self.0.insert(name.clone()) {
            let end = format!("-{number}");
            name = plain.chars().take(LONGEST_NAME - end.len()).collect::<String>() + &end;
            number += 1;
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_allowed_and_there_is_one_of_each() {
        let mut names = Names::default();
        assert_eq!(names.take("backup.sh"), "backup.sh");
        assert_eq!(names.take("backup.sh"), "backup.sh-2");
        assert_eq!(names.take("backup.sh"), "backup.sh-3");
        assert_eq!(names.take("./größe messen"), "gr--e-messen");
        assert_eq!(names.take("--"), "job");
        let long = "x".repeat(300);
        assert_eq!(names.take(&long).len(), 127);
        assert_eq!(names.take(&long).len(), 127);
    }
}
