//! Who watches a task: found by its id, its lane and its labels, so that a change costs as much as the watchers
//! that it may concern, however many there are.

use std::collections::HashMap;
use std::sync::Arc;

use super::registry::Lane;
use super::watcher::Watcher;
use crate::domain::{Kind, QueueName, Selection, Task, TaskId, View};
use crate::store::RevisionRow;

/// In a group of more than this, nobody is asked whether he has seen a change before it is read.
const MANY: usize = 32;

/// What filters have in common: namespace, and queue and kind if they name one.
type Key = (i32, Option<QueueName>, Option<Kind>);

/// The watchers of a hub.
#[derive(Debug, Default)]
pub(super) struct WatchIndex {
    by_id: HashMap<TaskId, Vec<Arc<Watcher>>>,
    filters: HashMap<Key, Group>,
}

/// Watchers whose filters have the same key. One with labels stands under one of them.
#[derive(Debug, Default)]
struct Group {
    any: Vec<Arc<Watcher>>,
    by_label: HashMap<(String, String), Vec<Arc<Watcher>>>,
    count: usize,
    full: usize,
}

/// What has to be read of a changed task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Nothing.
    No,
    /// So much.
    Yes(View),
}

impl WatchIndex {
    /// Adds a watcher.
    pub(super) fn add(&mut self, watcher: &Arc<Watcher>) {
        match (&watcher.selection, key(watcher)) {
            (Selection::Filter(filter), Some(key)) => {
                let group = self.filters.entry(key).or_default();
                group.count += 1;
                group.full += usize::from(watcher.view == View::Full);
                match filter.labels.first_key_value() {
                    None => group.any.push(watcher.clone()),
                    Some((key, value)) => {
                        let label = (key.clone(), value.clone());
                        group.by_label.entry(label).or_default().push(watcher.clone());
                    }
                }
            }
            (Selection::Ids(ids), _) => {
                for id in ids {
                    self.by_id.entry(*id).or_default().push(watcher.clone());
                }
            }
            (Selection::Filter(_), None) => {}
        }
    }

    /// Removes a watcher.
    pub(super) fn remove(&mut self, watcher: &Arc<Watcher>) {
        let others = |of: &mut Vec<Arc<Watcher>>| {
            of.retain(|other| other.number != watcher.number);
            of.is_empty()
        };
        match (&watcher.selection, key(watcher)) {
            (Selection::Filter(filter), Some(key)) => {
                let Some(group) = self.filters.get_mut(&key) else { return };
                group.count = group.count.saturating_sub(1);
                group.full = group.full.saturating_sub(usize::from(watcher.view == View::Full));
                match filter.labels.first_key_value() {
                    None => {
                        others(&mut group.any);
                    }
                    Some((key, value)) => {
                        let label = (key.clone(), value.clone());
                        if group.by_label.get_mut(&label).is_some_and(others) {
                            group.by_label.remove(&label);
                        }
                    }
                }
                if group.count == 0 {
                    self.filters.remove(&key);
                }
            }
            (Selection::Ids(ids), _) => {
                for id in ids {
                    if self.by_id.get_mut(id).is_some_and(others) {
                        self.by_id.remove(id);
                    }
                }
            }
            (Selection::Filter(_), None) => {}
        }
    }

    /// Every watcher; one of several ids more than once.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Watcher>> {
        self.of_ids().chain(self.of_filters())
    }

    /// The watchers of filters.
    pub(super) fn of_filters(&self) -> impl Iterator<Item = &Arc<Watcher>> {
        self.filters
            .values()
            .flat_map(|group| group.any.iter().chain(group.by_label.values().flatten()))
    }

    /// The watchers of ids; one of several more than once.
    pub(super) fn of_ids(&self) -> impl Iterator<Item = &Arc<Watcher>> {
        self.by_id.values().flatten()
    }

    /// Whether there is a watcher of a filter.
    pub(super) fn has_filters(&self) -> bool {
        !self.filters.is_empty()
    }

    /// The ids that are watched.
    pub(super) fn ids(&self) -> Vec<TaskId> {
        self.by_id.keys().copied().collect()
    }

    /// Whether a change of this task may concern anybody. `lane` may be unknown here yet: the task will tell.
    pub(super) fn concerns(&self, task: TaskId, lane: impl FnOnce() -> Option<Arc<Lane>>) -> bool {
        self.by_id.contains_key(&task)
            || self.has_filters()
                && lane().is_none_or(|lane| {
                    self.groups(lane.namespace_id, &lane.queue, &lane.kind).next().is_some()
                })
    }

    /// How much has to be read of a task that stands here.
    pub(super) fn wanted(&self, row: &RevisionRow, lane: Option<&Lane>) -> Wanted {
        let lacks = |watcher: &&Arc<Watcher>| {
            watcher.namespace == row.namespace && watcher.lacks(row.id, row.revision, row.ended)
        };
        let mut wanted = Wanted::No;
        for watcher in self.by_id.get(&row.id).into_iter().flatten().filter(lacks) {
            match watcher.view {
                View::Full => return Wanted::Yes(View::Full),
                View::Basic => wanted = Wanted::Yes(View::Basic),
            }
        }
        let Some(lane) = lane else {
            return if self.has_filters() { Wanted::Yes(View::Full) } else { wanted };
        };
        for group in self.groups(row.namespace, &lane.queue, &lane.kind) {
            let is_news = group.count > MANY
                || group.any.iter().chain(group.by_label.values().flatten()).any(|w| lacks(&w));
            match group.full {
                _ if !is_news => {}
                0 => wanted = Wanted::Yes(View::Basic),
                _ => return Wanted::Yes(View::Full),
            }
        }
        wanted
    }

    /// The watchers that a task concerns; some of them may look at more labels than one.
    pub(super) fn of_task(&self, namespace: i32, task: &Task) -> Vec<Arc<Watcher>> {
        let spec = &task.spec;
        let mut found: Vec<Arc<Watcher>> = Vec::new();
        let mine = self.by_id.get(&task.id).into_iter().flatten();
        found.extend(mine.filter(|watcher| watcher.namespace == namespace).cloned());
        for group in self.groups(namespace, &spec.queue, &spec.kind) {
            found.extend(group.any.iter().cloned());
            if !group.by_label.is_empty() {
                for (key, value) in &spec.labels {
                    let label = (key.clone(), value.clone());
                    found.extend(group.by_label.get(&label).into_iter().flatten().cloned());
                }
            }
        }
        found
    }

    fn groups(
        &self,
        namespace: i32,
        queue: &QueueName,
        kind: &Kind,
    ) -> impl Iterator<Item = &Group> {
        let keys = [
            (namespace, Some(queue.clone()), Some(kind.clone())),
            (namespace, Some(queue.clone()), None),
            (namespace, None, Some(kind.clone())),
            (namespace, None, None),
        ];
        keys.into_iter().filter_map(|key| self.filters.get(&key))
    }
}

fn key(watcher: &Watcher) -> Option<Key> {
    let filter = watcher.filter()?;
    Some((watcher.namespace, filter.queue.clone(), filter.kind.clone()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::{Filter, Namespace, TaskState};

    fn lane(queue: &str, kind: &str) -> Lane {
        Lane {
            id: 1,
            namespace_id: 7,
            namespace: Namespace::parse("default").unwrap(),
            queue: QueueName::parse(queue).unwrap(),
            kind: Kind::parse(kind).unwrap(),
            version: None,
        }
    }

    fn watcher(number: u64, namespace: i32, selection: Selection, view: View) -> Arc<Watcher> {
        let horizon = Arc::new(crate::store::Sight::default());
        Arc::new(Watcher::new(number, namespace, selection, view, horizon, 10))
    }

    fn filter(queue: Option<&str>, kind: Option<&str>, labels: &[(&str, &str)]) -> Selection {
        let label = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Selection::Filter(Filter {
            queue: queue.map(|queue| QueueName::parse(queue).unwrap()),
            kind: kind.map(|kind| Kind::parse(kind).unwrap()),
            labels: labels.iter().map(label).collect::<BTreeMap<_, _>>(),
            ..Filter::default()
        })
    }

    fn concerns(index: &WatchIndex, lane: Lane) -> bool {
        index.concerns(TaskId(uuid::Uuid::nil()), || Some(Arc::new(lane)))
    }

    #[test]
    fn a_change_concerns_those_alone_whose_filter_covers_its_lane() {
        let mut index = WatchIndex::default();
        assert!(!index.concerns(TaskId(uuid::Uuid::nil()), || None), "nobody watches");
        let of_mail = watcher(1, 7, filter(Some("mail"), Some("send"), &[]), View::Basic);
        index.add(&of_mail);
        assert!(concerns(&index, lane("mail", "send")));
        assert!(!concerns(&index, lane("mail", "sort")) && !concerns(&index, lane("x", "send")));
        assert!(!concerns(&index, Lane { namespace_id: 8, ..lane("mail", "send") }));
        assert!(index.concerns(TaskId(uuid::Uuid::nil()), || None), "the task will tell");
        index.add(&watcher(2, 7, filter(None, Some("sort"), &[("a", "b")]), View::Basic));
        assert!(concerns(&index, lane("mail", "sort")));
        index.remove(&of_mail);
        assert!(!concerns(&index, lane("mail", "send")) && index.has_filters());
    }

    #[test]
    fn as_much_of_a_task_is_read_as_somebody_wants_who_has_not_seen_it() {
        let mut index = WatchIndex::default();
        let (task, lane) = (TaskId(uuid::Uuid::now_v7()), lane("mail", "send"));
        let row = RevisionRow {
            id: task,
            namespace: 7,
            lane: 1,
            state: TaskState::Running,
            revision: 3,
            ended: None,
        };
        let wanted = |index: &WatchIndex| index.wanted(&row, Some(&lane));
        assert_eq!(wanted(&index), Wanted::No);
        index.add(&watcher(1, 7, filter(None, None, &[]), View::Basic));
        assert_eq!(wanted(&index), Wanted::Yes(View::Basic));
        let foreign = RevisionRow { namespace: 8, ..row };
        assert_eq!(index.wanted(&foreign, Some(&lane)), Wanted::No);
        let full = watcher(2, 7, Selection::Ids(vec![task]), View::Full);
        index.add(&full);
        assert_eq!(wanted(&index), Wanted::Yes(View::Full));
        index.remove(&full);
        assert_eq!(wanted(&index), Wanted::Yes(View::Basic));
        for number in 10..100 {
            index.add(&watcher(number, 7, filter(Some("mail"), None, &[("n", "1")]), View::Full));
        }
        assert_eq!(wanted(&index), Wanted::Yes(View::Full));
    }
}
