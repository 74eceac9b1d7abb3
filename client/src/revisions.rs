//! Which states of tasks a watch has told.

use std::collections::HashMap;

/// Tasks remembered before the least recent ones are forgotten; more than any snapshot has.
const GENERATION: usize = 20_000;

/// The last revision told of each task, for as many tasks as may come again; bounded however long
/// the watch goes on.
#[derive(Debug)]
pub(crate) struct Revisions {
    recent: HashMap<String, i64>,
    older: HashMap<String, i64>,
    generation: usize,
}

impl Revisions {
    pub(crate) fn new() -> Self {
        Self { recent: HashMap::new(), older: HashMap::new(), generation: GENERATION }
    }

    /// Notes a revision; false if this one, or a later one, was told before.
    pub(crate) fn is_news(&mut self, task_id: &str, revision: i64) -> bool {
        let before = self.recent.get(task_id).or_else(|| self.older.get(task_id));
        if before.is_some_and(|before| *before >= revision) {
            return false;
        }
        if self.recent.len() >= self.generation && !self.recent.contains_key(task_id) {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(task_id.to_owned(), revision);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_never_goes_back() {
        let mut told = Revisions::new();
        let news: Vec<bool> = [3, 3, 2, 4].iter().map(|n| told.is_news("a", *n)).collect();
        assert_eq!(news, [true, false, false, true]);
        assert!(told.is_news("b", 1));
    }

    #[test]
    fn memory_is_bounded_and_what_is_recent_is_kept() {
        let mut told = Revisions { generation: 10, ..Revisions::new() };
        for n in 0..1_000 {
            assert!(told.is_news(&n.to_string(), 1));
            assert!(told.is_news("busy", n + 1));
        }
        assert!(!told.is_news("busy", 1_000), "it was told just now");
        assert!(!told.is_news("995", 1));
        assert!(told.recent.len() + told.older.len() <= 20);
    }
}
