//! `bellctl bench`: how fast a server is, beside what its PostgreSQL could do at most.

mod cpu;
mod load;
mod raw_sql;
pub(crate) mod runner;

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use crate::{app::App, exit::Exit, failure::Failure};
use cpu::Cpu;
use load::{Fleet, Load};

/// Measure life cycles per second and latency through this server, with real worker processes
#[derive(Debug, Args)]
#[command(after_help = "\
A life cycle is submit, lease, complete, each acknowledged durable. With the database's URL the same is
done in raw SQL on the same PostgreSQL in the same run, and the ratio is printed. Use it on a server that
has nothing else to do; it writes into a queue of its own, and its tasks stay until retention takes them.

Example:
  bellringer dev --temporary --handshake-file /tmp/handshake &
  bellctl bench --handshake-file /tmp/handshake")]
pub(crate) struct Bench {
    /// Tasks of each throughput measurement
    #[arg(long, default_value_t = 50_000, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1_000..=5_000_000))]
    tasks: u32,
    /// Tasks in one SubmitBatch, and rows in one statement of raw SQL
    #[arg(long, default_value_t = 500, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000))]
    batch: u32,
    /// Bytes of payload of a task
    #[arg(long, default_value_t = 200, value_name = "BYTES")]
    #[arg(value_parser = clap::value_parser!(u32).range(8..=1_000_000))]
    payload: u32,
    /// Worker processes
    #[arg(long, default_value_t = 2, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=64))]
    workers: u32,
    /// Tasks that each worker takes at once
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    credit: u32,
    /// Rates at which the latency from submit to start is measured, in tasks per second
    #[arg(long, default_values_t = [50, 1_000], value_name = "N")]
    rate: Vec<u32>,
    /// How long each rate is kept up, in seconds
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=600))]
    latency_seconds: u32,
    /// File that `bellringer dev --handshake-file` writes: tells address, database and process
    #[arg(long, value_name = "FILE")]
    handshake_file: Option<std::path::PathBuf>,
    /// URL of the server's database, for the comparison with raw SQL [default: none]
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
}

impl Bench {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        let handshake = self.handshake()?;
        let told = |key: &str| handshake.get(key).and_then(Value::as_str).map(str::to_owned);
        let address = told("grpc_url").unwrap_or_else(|| app.server.clone());
        let database = self.database_url.clone().or_else(|| told("database_url"));
        let server = handshake.get("pid").and_then(Value::as_u64);
        let app = app.at(&address)?;
        let load = Load::new(&app, self.batch, self.payload);
        let mut report = Vec::new();

        let raw = match &database {
            Some(url) if !url.is_empty() => {
                app.out.remark("raw SQL on the same PostgreSQL …");
                Some(raw_sql::run(url, self.tasks, self.batch, self.payload).await?)
            }
            _ => {
                app.out.remark("SKIPPED raw SQL: no --database-url and no --handshake-file");
                None
            }
        };
        if let Some(raw) = &raw {
            report.push(json!({"measure": "raw SQL: life cycles", "per_second": raw.life_cycles}));
            report.push(json!({"measure": "raw SQL: lease + complete", "per_second": raw.drain}));
        }
        let throughput = |name: &str, tasks: u32, seconds: f64, cpu: Cpu, limit: Option<f64>| {
            let rate = f64::from(tasks) / seconds;
            let per_10k = |seconds: f64| seconds * 10_000.0 / f64::from(tasks);
            json!({
                "measure": name,
                "per_second": rate,
                "of_raw": limit.map(|limit| rate / limit),
                "cpu_per_10k": {
                    "postgres": per_10k(cpu.postgres), "server": per_10k(cpu.server),
                    "workers": per_10k(cpu.workers), "client": per_10k(cpu.client),
                },
            })
        };

        app.out.remark("life cycles, SubmitBatch …");
        let mut fleet = Fleet::start(&app, &load.queue, self.workers, self.credit).await?;
        let cycles = raw.as_ref().map(|raw| raw.life_cycles);
        let before = cpu::read(server, &fleet.pids());
        let seconds = load.batches(&mut fleet, self.tasks).await?;
        let spent = cpu::read(server, &fleet.pids()) - before;
        report.push(throughput("life cycles, SubmitBatch", self.tasks, seconds, spent, cycles));

        app.out.remark("life cycles, unary Submit from 256 callers …");
        let few = (self.tasks / 2).max(1_000);
        let before = cpu::read(server, &fleet.pids());
        let seconds = load.unary(&mut fleet, few).await?;
        let spent = cpu::read(server, &fleet.pids()) - before;
        report.push(throughput("life cycles, Submit x 256", few, seconds, spent, cycles));

        app.out.remark("drain of a paused queue …");
        let before = cpu::read(server, &fleet.pids());
        let seconds = load.drain(&mut fleet, self.tasks).await?;
        let spent = cpu::read(server, &fleet.pids()) - before;
        let drain = raw.as_ref().map(|raw| raw.drain);
        report.push(throughput("drain", self.tasks, seconds, spent, drain));

        for rate in &self.rate {
            app.out.remark(&format!("latency at {rate}/s …"));
            let length = Duration::from_secs(u64::from(self.latency_seconds));
            let mut latencies = load.latency(&mut fleet, *rate, length).await?;
            latencies.sort_unstable();
            let at = |part: f64| percentile(&latencies, part);
            report.push(json!({
                "measure": format!("submit to start at {rate}/s"),
                "tasks": latencies.len(),
                "p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": at(1.0),
            }));
        }
        fleet.stop().await;
        self.print(&app, &report)
    }

    fn handshake(&self) -> Result<Value, Failure> {
        let Some(file) = &self.handshake_file else { return Ok(Value::Null) };
        let shown = file.display();
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::usage(format!("cannot read {shown}: {error}")))?;
        serde_json::from_str(&text)
            .map_err(|error| Failure::usage(format!("{shown} is not a handshake: {error}")))
    }

    fn print(&self, app: &App, report: &[Value]) -> Result<Exit, Failure> {
        let machine = cpu::machine();
        if app.out.is_json() {
            app.out.document(&json!({
                "machine": machine, "batch": self.batch, "payload_bytes": self.payload,
                "workers": self.workers, "report": report,
            }))?;
            return Ok(Exit::Ok);
        }
        let number = |value: &Value, digits: usize| match value.as_f64() {
            Some(number) => format!("{number:.digits$}"),
            None => "-".to_owned(),
        };
        app.out.line(&format!(
            "{machine}; batches of {}, payload {} B, {} worker processes\n",
            self.batch, self.payload, self.workers
        ))?;
        app.out.line(&format!(
            "{:32} {:>10} {:>7}   CPU-s per 10,000: postgres, server, workers, client",
            "", "per second", "of raw"
        ))?;
        for row in report {
            let name = row["measure"].as_str().unwrap_or_default();
            let line = if row.get("p50_ms").is_some() {
                format!(
                    "{name:32} p50 {} ms, p99 {} ms, max {} ms of {} tasks",
                    number(&row["p50_ms"], 2),
                    number(&row["p99_ms"], 2),
                    number(&row["max_ms"], 2),
                    row["tasks"]
                )
            } else {
                let cpu = &row["cpu_per_10k"];
                format!(
                    "{name:32} {:>10} {:>7}   {:>8} {:>8} {:>8} {:>8}",
                    number(&row["per_second"], 0),
                    number(&row["of_raw"], 2),
                    number(&cpu["postgres"], 3),
                    number(&cpu["server"], 3),
                    number(&cpu["workers"], 3),
                    number(&cpu["client"], 3),
                )
            };
            app.out.line(&line)?;
        }
        Ok(Exit::Ok)
    }
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
}
