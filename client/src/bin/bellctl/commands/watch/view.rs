//! A watch on the screen: a line for every change, and bars for tasks that report progress.

use std::{collections::HashMap, time::Duration};

use bellringer_api::v1::{Progress, Task, TaskState, WatchEvent};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use crate::{
    commands::list::note, exit::Exit, failure::Failure, output::Output, paint::cut, payload,
    render::json, time,
};

/// Most bars at a time; further tasks have lines.
const BARS: usize = 20;

/// Bars count in thousandths of the whole, because progress may have any unit.
const WHOLE: u64 = 1000;

/// Shows tasks as they change.
pub(crate) struct View {
    out: Output,
    multi: MultiProgress,
    bars: HashMap<String, ProgressBar>,
    /// What was last written about unfinished tasks.
    last: HashMap<String, String>,
}

impl View {
    pub(crate) fn new(out: Output) -> Self {
        let multi = MultiProgress::with_draw_target(ProgressDrawTarget::stdout());
        Self { out, multi, bars: HashMap::new(), last: HashMap::new() }
    }

    pub(crate) fn show(&mut self, event: WatchEvent, task: &Task) -> Result<(), Failure> {
        if self.out.is_json() {
            let event = if event == WatchEvent::Snapshot { "snapshot" } else { "change" };
            return self.out.object(&json!({"event": event, "task": json::task(task, false)}));
        }
        let on_bar = self.out.terminal && self.bar(task);
        let text = line(self.out, task, on_bar);
        if self.last.get(&task.id) == Some(&text) {
            return Ok(());
        }
        let stamp = time::whole_second(time::now()).to_string();
        let stamped = format!("{} {text}", self.out.paint.dim(&stamp));
        if Exit::of_state(task.state()).is_some() {
            self.last.remove(&task.id);
        } else {
            self.last.insert(task.id.clone(), text);
        }
        if self.bars.is_empty() {
            return self.out.line(&stamped);
        }
        Ok(self.multi.println(stamped)?)
    }

    /// Moves the bar of a task that reports progress; false if it has none.
    fn bar(&mut self, task: &Task) -> bool {
        let progress = task.progress.as_ref().filter(|_| task.state() == TaskState::Running);
        let Some(progress) = progress else {
            if let Some(bar) = self.bars.remove(&task.id) {
                bar.finish_and_clear();
                self.multi.remove(&bar);
            }
            return false;
        };
        if !self.bars.contains_key(&task.id) {
            if self.bars.len() >= BARS {
                return false;
            }
            let bar = self.multi.add(new_bar(task, progress.total > 0.0));
            self.bars.insert(task.id.clone(), bar);
        }
        if let Some(bar) = self.bars.get(&task.id) {
            bar.set_position(thousandths(progress));
            bar.set_message(message(progress));
        }
        true
    }
}

fn line(out: Output, task: &Task, on_bar: bool) -> String {
    let kind = task.spec.as_ref().map(|spec| cut(&spec.kind, 40)).unwrap_or_default();
    let state = out.paint.state(task.state());
    // Only what is new belongs on a line: not how soon a task is due, which changes all the time.
    let note = if on_bar { String::new() } else { cut(&note(task, time::now()), 100) };
    let attempt = match (task.state(), task.attempt) {
        (TaskState::Running, attempt) if attempt > 1 => format!(" (attempt {attempt})"),
        _ => String::new(),
    };
    format!("{} {kind} {state}{attempt} {note}", task.id).trim_end().to_owned()
}

fn new_bar(task: &Task, bounded: bool) -> ProgressBar {
    let kind = task.spec.as_ref().map(|spec| cut(&spec.kind, 20)).unwrap_or_default();
    // The end of an id of version 7 is random, its start is the time.
    let tail: String = task.id.chars().skip(24).collect();
    let template = if bounded {
        "{prefix} [{bar:30}] {percent:>3}% {elapsed} {wide_msg}"
    } else {
        "{prefix} {spinner} {elapsed} {wide_msg}"
    };
    let style = ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ");
    let bar = ProgressBar::new(WHOLE).with_style(style).with_prefix(format!("{kind} …{tail}"));
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0..=1000 before"
)]
fn thousandths(progress: &Progress) -> u64 {
    if progress.total > 0.0 {
        (1000.0 * progress.current / progress.total).clamp(0.0, 1000.0) as u64
    } else {
        0
    }
}

fn message(progress: &Progress) -> String {
    let current = payload::number_value(progress.current);
    let text = cut(&progress.message, 200);
    if progress.total > 0.0 {
        format!("{current}/{} {text}", payload::number_value(progress.total))
    } else {
        format!("{current} {text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{output::Format, paint::Paint};
    use bellringer_api::v1::TaskSpec;

    #[test]
    fn a_line_tells_what_is_new() {
        let out = Output {
            format: Format::Table,
            quiet: false,
            paint: Paint { on: false },
            terminal: false,
        };
        let mut task = Task {
            id: "1".to_owned(),
            state: TaskState::Running.into(),
            attempt: 2,
            spec: Some(TaskSpec { kind: "resize".to_owned(), ..TaskSpec::default() }),
            progress: Some(Progress { current: 1.0, total: 4.0, ..Progress::default() }),
            ..Task::default()
        };
        assert_eq!(line(out, &task, false), "1 resize running (attempt 2) 1/4 (25%)");
        assert_eq!(line(out, &task, true), "1 resize running (attempt 2)");
        task.state = TaskState::Succeeded.into();
        assert_eq!(line(out, &task, false), "1 resize succeeded");
    }

    #[test]
    fn bars_stay_within_their_bounds() {
        let at = |current, total| thousandths(&Progress { current, total, ..Progress::default() });
        assert_eq!((at(0.5, 2.0), at(5.0, 2.0), at(-1.0, 2.0), at(3.0, 0.0)), (250, 1000, 0, 0));
    }
}
