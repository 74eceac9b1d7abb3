//! What a measurement costs: time, CPU by process, write-ahead log, bytes on the wire.

use tokio::time::Instant;

use super::cpu::Cpu;
use super::numbers::{median, ratio};
use super::report::Line;

/// Everything that is counted, as it stood at one moment.
pub(super) struct Reading {
    pub(super) at: Instant,
    pub(super) cpu: Cpu,
    /// Bytes since PostgreSQL was made.
    pub(super) wal: Option<f64>,
    /// Bytes of this process's and the workers' connections.
    pub(super) wire: Option<f64>,
}

/// One measurement: tasks, and what each cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// Tasks per second.
    pub(super) per_second: f64,
    /// CPU seconds for 10,000 tasks; `other` in cores.
    pub(super) cpu: Cpu,
    /// Bytes for a task.
    pub(super) wal: Option<f64>,
    pub(super) wire: Option<f64>,
    /// Part of what was done in the same round by what it is compared with.
    pub(super) of_other: Option<f64>,
}

impl Run {
    /// `tasks` were done between two readings.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 tasks")]
    pub(super) fn between(before: &Reading, after: &Reading, tasks: u64) -> Self {
        let (tasks, seconds) = (tasks as f64, (after.at - before.at).as_secs_f64());
        let spent = after.cpu.with(before.cpu, |after, before| after - before);
        let mut cpu = spent.with(spent, |spent, _| spent * 10_000.0 / tasks);
        cpu.other = spent.other.map(|other| other.max(0.0) / seconds);
        let each = |after: Option<f64>, before: Option<f64>| Some((after? - before?) / tasks);
        Self {
            per_second: tasks / seconds,
            cpu,
            wal: each(after.wal, before.wal),
            wire: each(after.wire, before.wire),
            of_other: None,
        }
    }

    /// Compared with what was measured in the same round.
    pub(super) fn beside(self, other: Option<Self>) -> Self {
        let of_other = ratio(Some(self.per_second), other.map(|other| other.per_second));
        Self { of_other, ..self }
    }

    /// The medians of rounds, as a line of the report. `of_other` is told under the names `compared` and,
    /// for the best round, `best`.
    pub(super) fn line(
        name: impl Into<String>,
        compared: &'static str,
        best: &'static str,
        rounds: &[Self],
    ) -> Line {
        let of = |part: fn(&Self) -> Option<f64>| median(rounds.iter().map(part));
        let all = || rounds.iter().map(|run| run.per_second);
        let cost = |part: fn(&Cpu) -> Option<f64>| median(rounds.iter().map(|run| part(&run.cpu)));
        Line::new(name)
            .with("per_second", of(|run| Some(run.per_second)))
            .with("least", all().min_by(f64::total_cmp))
            .with("most", all().max_by(f64::total_cmp))
            .with(compared, of(|run| run.of_other))
            .with(best, rounds.iter().filter_map(|run| run.of_other).max_by(f64::total_cmp))
            .with("postgres_cpu", cost(|cpu| cpu.postgres))
            .with("server_cpu", cost(|cpu| cpu.server))
            .with("workers_cpu", cost(|cpu| cpu.workers))
            .with("client_cpu", cost(|cpu| cpu.client))
            .with("wal_bytes", of(|run| run.wal))
            .with("wire_bytes", of(|run| run.wire))
            .with("other_cores", cost(|cpu| cpu.other))
            .rounds(all().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn reading(at: Instant, seconds: u64, wal: Option<f64>) -> Reading {
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let spent = Some(seconds as f64);
        let cpu = Cpu { server: spent, other: spent, ..Cpu::default() };
        Reading { at: at + Duration::from_secs(seconds), cpu, wal, wire: spent }
    }

    #[test]
    fn costs_are_for_each_task_and_the_unknown_is_not_zero() {
        let begun = Instant::now();
        let before = reading(begun, 0, Some(1_000.0));
        let run = Run::between(&before, &reading(begun, 2, Some(21_000.0)), 20_000);
        assert_eq!(run.per_second, 10_000.0);
        assert_eq!((run.cpu.server, run.cpu.postgres), (Some(1.0), None));
        assert_eq!(run.cpu.other, Some(1.0), "cores, not for each task");
        assert_eq!((run.wal, run.wire), (Some(1.0), Some(0.0001)));
        assert_eq!(Run::between(&before, &reading(begun, 2, None), 1).wal, None);
    }

    #[test]
    fn rounds_are_compared_with_their_own_round() {
        let begun = Instant::now();
        let run = |seconds| {
            Run::between(&reading(begun, 0, None), &reading(begun, seconds, None), 10_000)
        };
        assert_eq!(run(4).beside(Some(run(1))).of_other, Some(0.25));
        assert_eq!(run(4).beside(None).of_other, None);
    }
}
