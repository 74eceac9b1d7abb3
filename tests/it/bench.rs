//! The benchmark measures, and leaves nothing behind.

use std::process::Command;

use serde_json::Value;
use sqlx::{Connection as _, PgConnection};

use crate::support::postgres::fresh_database;
use crate::support::process::{address, free_port, program, serve};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_benchmark_compares_life_cycles_with_raw_sql_and_leaves_nothing_behind() {
    let database = fresh_database().await;
    let port = free_port();
    let _server = serve(&database, port, &[]).await;

    let mut command = Command::new(program("bellctl"));
    command.args(["--server", &address(port), "--output", "json", "bench"]);
    command.args(["--suite", "throughput,idle", "--tasks", "1000", "--rounds", "1"]);
    command.args(["--database-url", &database]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();

    let remarks = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{remarks}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let bar = |name: &str| {
        let bars = report["bars"].as_array().unwrap();
        bars.iter().find(|bar| bar["name"] == name).unwrap().clone()
    };
    for name in ["batches_of_raw", "unary_of_raw", "drain_of_raw"] {
        let ratio = bar(name)["measured"].as_f64().unwrap();
        assert!(ratio > 0.0 && ratio < 10.0, "{name} {ratio}");
    }
    assert_eq!(bar("steady_growth")["verdict"], Value::Null, "it was not measured");
    let lines = report["suites"][0]["lines"].as_array().unwrap();
    let cycles = lines.iter().find(|line| line["name"] == "life cycles, SubmitBatch").unwrap();
    let (wal, wire) =
        (cycles["wal_bytes"].as_f64().unwrap(), cycles["wire_bytes"].as_f64().unwrap());
    assert!(wal > 200.0, "the payload is in the log: {wal}");
    assert!(wire > 464.0, "payload there and back, and the result: {wire}");
    let trouble = report["suites"][1]["trouble"].as_str().unwrap();
    assert!(trouble.starts_with("SKIPPED: only with a server of its own"), "{trouble}");

    let mut connection = PgConnection::connect(&database).await.unwrap();
    let left: i64 = sqlx::query_scalar(
        "select (select count(*) from ready) + (select count(*) from inflight)
              + (select count(*) from pg_namespace where nspname = 'bellringer_bench')",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(left, 0);
}
