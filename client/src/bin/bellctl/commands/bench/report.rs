//! What was measured, as a table and as JSON. Of several rounds, the medians.

use std::time::Duration;

use serde_json::{Value, json};

use super::cpu::Cpu;
use super::pace::Latencies;
use crate::{failure::Failure, output::Output};

/// One measurement of throughput.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// Tasks per second.
    pub(super) per_second: f64,
    /// CPU seconds for 10,000 tasks; `other` in cores.
    pub(super) cpu: Cpu,
    /// Part of what raw SQL did in the same round.
    pub(super) of_raw: Option<f64>,
}

impl Run {
    pub(super) fn new(tasks: u32, elapsed: Duration, cpu: Cpu) -> Self {
        let seconds = elapsed.as_secs_f64();
        let cores = cpu.other.map(|other| other.max(0.0) / seconds);
        let mut cpu = cpu.with(cpu, |spent, _| spent * 10_000.0 / f64::from(tasks));
        cpu.other = cores;
        Self { per_second: f64::from(tasks) / seconds, cpu, of_raw: None }
    }

    pub(super) fn beside(self, raw: Option<Self>) -> Self {
        Self { of_raw: raw.map(|raw| self.per_second / raw.per_second), ..self }
    }
}

/// Everything that was measured.
#[derive(Default)]
pub(super) struct Report {
    /// Facts about machine, database and benchmark, for people.
    facts: Vec<String>,
    rows: Vec<(&'static str, Vec<Run>)>,
    pub(super) latencies: Vec<Latencies>,
}

impl Report {
    pub(super) fn new(facts: Vec<String>) -> Self {
        Self { facts, ..Self::default() }
    }

    /// Adds a round of a measurement.
    pub(super) fn add(&mut self, name: &'static str, run: Run) {
        match self.rows.iter_mut().find(|(other, _)| *other == name) {
            Some((_, runs)) => runs.push(run),
            None => self.rows.push((name, vec![run])),
        }
    }

    pub(super) fn print(&self, out: Output) -> Result<(), Failure> {
        if out.is_json() { out.document(&self.json()) } else { out.line(&self.text()) }
    }

    fn json(&self) -> Value {
        let throughput = self.rows.iter().map(|(name, runs)| {
            json!({
                "measure": name,
                "per_second": median(runs, |run| Some(run.per_second)),
                "rounds": runs.iter().map(|run| run.per_second).collect::<Vec<_>>(),
                "of_raw": median(runs, |run| run.of_raw),
                "cpu_seconds_per_10k": {
                    "postgres": median(runs, |run| run.cpu.postgres),
                    "server": median(runs, |run| run.cpu.server),
                    "workers": median(runs, |run| run.cpu.workers),
                    "client": median(runs, |run| run.cpu.client),
                },
                "other_cores": median(runs, |run| run.cpu.other),
            })
        });
        let spread = |values: &[u32]| {
            json!({
                "p50": percentile(values, 0.5), "p99": percentile(values, 0.99),
                "max": percentile(values, 1.0),
            })
        };
        let latency = self.latencies.iter().map(|measured| {
            json!({
                "rate": measured.rate,
                "tasks": measured.started.len(),
                "start_ms": spread(&measured.started),
                "accept_ms": spread(&measured.accepted),
                "late_ms": spread(&measured.late),
            })
        });
        json!({
            "facts": self.facts,
            "throughput": throughput.collect::<Vec<_>>(),
            "latency": latency.collect::<Vec<_>>(),
        })
    }

    fn text(&self) -> String {
        let mut lines = self.facts.clone();
        lines.push(String::new());
        lines.push(format!(
            "{:28}{:>9}{:>16}{:>8}   CPU-s per 10,000 tasks{:>18}",
            "tasks per second", "median", "rounds", "of raw", "other"
        ));
        lines.push(format!(
            "{:61}   {:>8}{:>8}{:>8}{:>8}{:>8}",
            "", "postgres", "server", "workers", "client", "cores"
        ));
        for (name, runs) in &self.rows {
            let all = || runs.iter().map(|run| run.per_second);
            let (least, most) =
                (all().fold(f64::INFINITY, f64::min), all().fold(0.0_f64, f64::max));
            lines.push(format!(
                "{name:28}{:>9}{:>16}{:>8}   {:>8}{:>8}{:>8}{:>8}{:>8}",
                shown(median(runs, |run| Some(run.per_second)), 0),
                format!("{least:.0}-{most:.0}"),
                shown(median(runs, |run| run.of_raw), 2),
                shown(median(runs, |run| run.cpu.postgres), 3),
                shown(median(runs, |run| run.cpu.server), 3),
                shown(median(runs, |run| run.cpu.workers), 3),
                shown(median(runs, |run| run.cpu.client), 3),
                shown(median(runs, |run| run.cpu.other), 1),
            ));
        }
        lines.push(String::new());
        lines.push(format!(
            "{:28}{:>9}{:>9}{:>9}   {:>9}{:>9}   {:>9}{:>9}",
            "milliseconds", "start p50", "p99", "max", "acc. p50", "p99", "late p50", "p99"
        ));
        for measured in &self.latencies {
            let at = |values: &[u32], part: f64| shown(percentile(values, part), 2);
            lines.push(format!(
                "{:28}{:>9}{:>9}{:>9}   {:>9}{:>9}   {:>9}{:>9}",
                format!("submit at {}/s, {} tasks", measured.rate, measured.started.len()),
                at(&measured.started, 0.5),
                at(&measured.started, 0.99),
                at(&measured.started, 1.0),
                at(&measured.accepted, 0.5),
                at(&measured.accepted, 0.99),
                at(&measured.late, 0.5),
                at(&measured.late, 0.99),
            ));
        }
        lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
    }
}

fn shown(number: Option<f64>, digits: usize) -> String {
    number.map_or_else(|| "-".to_owned(), |number| format!("{number:.digits$}"))
}

/// The middle one; of an even number, the mean of the two in the middle. `None` if one is unknown.
fn median(runs: &[Run], value: impl Fn(&Run) -> Option<f64>) -> Option<f64> {
    let mut values = runs.iter().map(value).collect::<Option<Vec<f64>>>()?;
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    let upper = *values.get(half)?;
    let lower = if values.len().is_multiple_of(2) { *values.get(half - 1)? } else { upper };
    Some(f64::midpoint(lower, upper))
}

/// The value below which `part` of the sorted microseconds lie, in milliseconds.
fn percentile(sorted: &[u32], part: f64) -> Option<f64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index into what fits into memory"
    )]
    let index = ((sorted.len() as f64 * part).ceil() as usize).max(1) - 1;
    sorted.get(index).map(|micros| f64::from(*micros) / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let sorted: Vec<u32> = (1..=100).map(|n| n * 1_000).collect();
        assert_eq!(percentile(&sorted, 0.5), Some(50.0));
        assert_eq!(percentile(&sorted, 0.99), Some(99.0));
        assert_eq!(percentile(&sorted, 1.0), Some(100.0));
        assert_eq!(percentile(&[], 0.5), None);
    }

    #[test]
    fn of_rounds_the_median_counts_and_the_unknown_is_not_zero() {
        let run = |seconds| Run::new(10_000, Duration::from_secs(seconds), Cpu::default());
        let runs = [run(1), run(100), run(10)];
        assert_eq!(median(&runs, |run| Some(run.per_second)), Some(1_000.0));
        assert_eq!(median(&runs, |run| run.cpu.server), None);
        assert_eq!(median(&runs[..2], |run| Some(run.per_second)), Some(5_050.0));
        assert_eq!(median(&[], |run| run.of_raw), None);
        assert_eq!(runs[2].beside(Some(runs[0])).of_raw, Some(0.1));
    }
}
