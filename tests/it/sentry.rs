//! Errors that are reported to Sentry: what of them, and that nothing is unless it is wanted.

use std::process::{Command, Output};

use bellringer_api::v1 as pb;

use crate::logs::{CANARY, Logged, TRACE, call, log_id, submission};
use crate::support::ingest::Ingest;
use crate::support::make;
use crate::support::postgres::fresh_database;
use crate::support::process::program;

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// Makes a call that is answered INTERNAL; answers with its `log_id`.
async fn provoke(server: &Logged, database: &str) -> String {
    use sqlx::Connection as _;
    let mut connection = sqlx::PgConnection::connect(database).await.unwrap();
    sqlx::query("drop table idempotency_key").execute(&mut connection).await.unwrap();
    let task = pb::TaskSpec {
        payload: make::text(CANARY),
        labels: [("secret".to_owned(), CANARY.to_owned())].into(),
        ..make::task()
    };
    log_id(&server.tasks().submit(call(submission(task, "key"))).await.unwrap_err())
}

#[tokio::test]
async fn errors_reach_sentry_with_the_ids_of_log_and_trace_and_nothing_secret() {
    let ingest = Ingest::start().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("http://{KEY}@127.0.0.1:{}/42\n", ingest.port)).unwrap();
    let database =
        fresh_database().await.replacen("bellringer@", &format!("bellringer:{CANARY}@"), 1);
    let settings = [
        ("BELLRINGER__TELEMETRY__SENTRY_DSN_FILE", file.path().to_str().unwrap()),
        ("SENTRY_ENVIRONMENT", "staging"),
        ("BELLRINGER__SERVER__NAME", "one"),
    ];
    let server = Logged::start(&database, &settings).await;
    let log_id = provoke(&server, &database).await;

    let (envelope, event) = ingest.event("a call was answered INTERNAL").await;
    assert!(envelope.head.starts_with("POST /api/42/envelope/ HTTP/1.1"), "{envelope:?}");
    assert!(envelope.head.contains(&format!("sentry_key={KEY}")), "{envelope:?}");
    let release = format!("bellringer@{}", env!("CARGO_PKG_VERSION"));
    for (name, expected) in [
        ("/server_name", "one"),
        ("/environment", "staging"),
        ("/release", &release),
        ("/contexts/trace/trace_id", TRACE),
        ("/tags/trace_id", TRACE),
        ("/tags/request_id", "request-1"),
        ("/tags/method", "/bellringer.v1.TaskService/Submit"),
        ("/tags/log_id", &log_id),
    ] {
        assert_eq!(event.pointer(name), Some(&expected.into()), "{name} in {event}");
    }
    // Why it was: another line of the log, which was written for a batch of calls.
    let (_, cause) = ingest.event("a statement failed").await;
    assert_eq!(cause["tags"]["log_id"], log_id.as_str(), "{cause}");
    assert!(cause["extra"]["error"].as_str().unwrap().contains("idempotency_key"), "{cause}");

    let (log, _) = server.stop().await;
    assert!(log.contains("reporting errors to Sentry") && !log.contains(KEY), "{log}");
    let sent = format!("{:?}", ingest.seen());
    assert!(!sent.contains(CANARY), "{sent}");
}

#[tokio::test]
async fn nothing_is_reported_without_a_dsn() {
    let ingest = Ingest::start().await;
    let database = fresh_database().await;
    let server = Logged::start(&database, &[("SENTRY_DSN", "")]).await;
    provoke(&server, &database).await;
    let (log, _) = server.stop().await;
    assert!(log.contains("a call was answered INTERNAL") && !log.contains("Sentry"), "{log}");
    assert!(ingest.seen().is_empty());
}

#[test]
fn what_is_no_dsn_is_refused_at_the_start_by_the_name_of_its_setting() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "https://errors.example.org/canary").unwrap();
    let path = file.path().to_str().unwrap();
    let serve = |name: &str, value: &str| -> Output {
        let mut command = Command::new(program("bellringer"));
        command.arg("serve").env("BELLRINGER_DATABASE_URL", "postgres://127.0.0.1:1/none");
        command.env(name, value).output().unwrap()
    };
    for (name, value, told) in [
        ("SENTRY_DSN", "canary", "telemetry.sentry_dsn: must be https://KEY@HOST/PROJECT"),
        ("BELLRINGER__TELEMETRY__SENTRY_DSN_FILE", path, "telemetry.sentry_dsn_file: "),
        (
            "BELLRINGER__TELEMETRY__SENTRY_DSN_FILE",
            "no-such-file",
            "telemetry.sentry_dsn_file: cannot read",
        ),
    ] {
        let ended = serve(name, value);
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{said}");
        assert!(said.contains(told) && !said.contains("canary"), "{said}");
    }
}
