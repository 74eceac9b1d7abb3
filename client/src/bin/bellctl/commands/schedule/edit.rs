//! A spec that is being written, with the paths of what was written.

use bellringer_api::v1::{SchedulePolicies, ScheduleSpec, ScheduleTimes, TaskSpec};

/// What the flags say. `set` sends the spec; `update` sends the spec with the paths as its mask.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Edit {
    pub(crate) spec: ScheduleSpec,
    /// Paths of ScheduleSpec, each once, in the order of the flags' help.
    pub(crate) paths: Vec<String>,
}

impl Edit {
    /// Names a path as written.
    pub(crate) fn touch(&mut self, path: &str) {
        if !self.paths.iter().any(|written| written == path) {
            self.paths.push(path.to_owned());
        }
    }

    /// Writes a field of the times, if there is a value.
    pub(crate) fn times<T>(
        &mut self,
        path: &str,
        value: Option<T>,
        write: impl FnOnce(&mut ScheduleTimes, T),
    ) {
        if let Some(value) = value {
            self.touch(&format!("times.{path}"));
            write(self.spec.times.get_or_insert_default(), value);
        }
    }

    /// Writes a field of the task, if there is a value.
    pub(crate) fn task<T>(
        &mut self,
        path: &str,
        value: Option<T>,
        write: impl FnOnce(&mut TaskSpec, T),
    ) {
        if let Some(value) = value {
            self.touch(&format!("task.{path}"));
            write(self.spec.task.get_or_insert_default(), value);
        }
    }

    /// Writes a field of the policies, if there is a value.
    pub(crate) fn policies<T>(
        &mut self,
        path: &str,
        value: Option<T>,
        write: impl FnOnce(&mut SchedulePolicies, T),
    ) {
        if let Some(value) = value {
            self.touch(&format!("policies.{path}"));
            write(self.spec.policies.get_or_insert_default(), value);
        }
    }

    /// Writes a field of the spec itself, if there is a value.
    pub(crate) fn top<T>(
        &mut self,
        path: &str,
        value: Option<T>,
        write: impl FnOnce(&mut ScheduleSpec, T),
    ) {
        if let Some(value) = value {
            self.touch(path);
            write(&mut self.spec, value);
        }
    }
}

/// `None` if nothing was given.
pub(crate) fn given<T>(values: Vec<T>) -> Option<Vec<T>> {
    (!values.is_empty()).then_some(values)
}
