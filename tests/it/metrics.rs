//! What a server tells Prometheus: names and units by its rules, and values that move when they should.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::attempt_report::Outcome;
use bellringer_api::v1::stats_service_client::StatsServiceClient;
use bellringer_server::clock::{Clock as _, SystemClock};
use bellringer_server::metrics::Metrics;
use bellringer_server::store::{Settings, Store};
use sqlx::{Connection as _, PgConnection};

use crate::support::make::{error, failure, retry, seconds, task};
use crate::support::postgres::fresh_database;
use crate::support::process::eventually;
use crate::support::{TestServer, Worker};

const SECOND: Duration = Duration::from_secs(1);

/// Series with their values, as `name{label="value"}`.
pub(crate) struct Told(BTreeMap<String, f64>);

impl Told {
    pub(crate) async fn by(test: &TestServer) -> Self {
        let text = test.replica.metrics().await;
        let series = text.lines().filter(|line| !line.starts_with('#'));
        let series = series.map(|line| line.rsplit_once(' ').unwrap());
        Self(series.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect())
    }

    /// The sum of the series of a name whose labels include all of these.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let wanted: Vec<_> = labels.iter().map(|(k, v)| format!("{k}=\"{v}\"")).collect();
        let matching = self.0.iter().filter(|(series, _)| {
            let (of, labels) = series.split_once('{').unwrap_or((series, ""));
            of == name && wanted.iter().all(|label| labels.contains(label))
        });
        matching.map(|(_, value)| value).sum()
    }

    /// Such a sum for a queue.
    fn of(&self, queue: &str, name: &str) -> f64 {
        self.sum(name, &[("task_namespace", "default"), ("queue", queue)])
    }
}

fn mail() -> pb::TaskSpec {
    pb::TaskSpec { queue: "mail".to_owned(), ..task() }
}

async fn worker_of_mail(test: &TestServer, credit: u32) -> Worker {
    let queues = vec!["mail".to_owned()];
    Worker::hello(&test.replica, pb::Hello { credit, queues, ..Default::default() }).await
}

#[tokio::test]
async fn every_step_of_a_task_is_counted_by_its_queue() {
    let test = TestServer::start().await;
    let waiting = test.submit(mail()).await;
    test.submit(pb::TaskSpec { retry: retry(2, 5), ..mail() }).await;
    test.advance(3 * SECOND).await;
    let mut worker = worker_of_mail(&test, 2).await;
    let mut held = Vec::new();
    while held.len() < 2 {
        held.extend(worker.assigned().await);
    }
    held.sort_by_key(|assigned| assigned.task_id != waiting);
    test.advance(2 * SECOND).await;
    worker.succeed(&held[0], "done").await;
    worker.fail(&held[1], "TROUBLE").await;

    let told = Told::by(&test).await;
    assert_eq!(told.of("mail", "bellringer_tasks_submitted_total"), 2.0);
    assert_eq!(told.of("mail", "bellringer_tasks_started_total"), 2.0);
    assert_eq!(told.of("mail", "bellringer_tasks_retried_total"), 1.0);
    assert_eq!(told.of("mail", "bellringer_task_wait_seconds_sum"), 6.0);
    assert_eq!(told.of("mail", "bellringer_task_run_seconds_sum"), 4.0);
    assert_eq!(told.of("mail", "bellringer_task_run_seconds_count"), 2.0);
    assert_eq!(told.sum("bellringer_tasks_finished_total", &[("outcome", "succeeded")]), 1.0);
    assert_eq!(told.sum("bellringer_attempts_ended_total", &[("outcome", "failed")]), 1.0);
    assert_eq!(told.sum("bellringer_submit_batch_tasks_sum", &[]), 2.0);
    assert_eq!(told.sum("bellringer_claim_batch_tasks_sum", &[]), 2.0);
    assert_eq!(told.sum("bellringer_report_batch_attempts_sum", &[]), 2.0);
    assert_eq!(told.sum("bellringer_worker_sessions", &[]), 1.0);

    // The second try is lost, a report for it comes late, and a third task is never started.
    worker.grant(1).await;
    test.advance(5 * SECOND).await;
    let again = worker.task().await;
    test.advance(60 * SECOND).await;
    let late = worker.report(&again, Outcome::Succeeded(pb::Succeeded::default())).await;
    assert_eq!(late.reason(), pb::ErrorReason::LeaseLost);
    let cancelled = test.submit(pb::TaskSpec { delay: seconds(60), ..mail() }).await;
    test.cancel(&cancelled).await;
    let soon = test.clock.now().as_second() + 1;
    let expire_at = Some(prost_types::Timestamp { seconds: soon, nanos: 0 });
    let expiring = pb::TaskSpec { expire_at, ..mail() };
    test.submit(expiring).await;
    test.advance(2 * SECOND).await;

    let told = Told::by(&test).await;
    assert_eq!(told.of("mail", "bellringer_leases_lost_total"), 1.0);
    assert_eq!(told.sum("bellringer_late_results_total", &[]), 1.0);
    for outcome in ["succeeded", "failed", "cancelled", "expired"] {
        let labels = [("queue", "mail"), ("outcome", outcome)];
        assert_eq!(told.sum("bellringer_tasks_finished_total", &labels), 1.0, "{outcome}");
    }
    assert_eq!(told.of("mail", "bellringer_task_wait_seconds_count"), 2.0, "first starts only");
}

#[tokio::test]
async fn a_task_that_meets_a_free_worker_has_waited_for_nothing() {
    let test = TestServer::start().await;
    let mut worker = worker_of_mail(&test, 1).await;
    let told = loop {
        test.submit(mail()).await;
        let assigned = worker.task().await;
        worker.succeed(&assigned, "done").await;
        worker.grant(1).await;
        let told = Told::by(&test).await;
        let claimed = told.sum("bellringer_claim_batch_tasks_sum", &[]);
        // The first ones may come before the worker's loop has found that there is nothing.
        if told.of("mail", "bellringer_tasks_started_total") > claimed {
            break told;
        }
    };
    let started = told.of("mail", "bellringer_tasks_started_total");
    assert_eq!(told.of("mail", "bellringer_task_wait_seconds_count"), started);
    assert_eq!(told.of("mail", "bellringer_task_wait_seconds_sum"), 0.0);
}

#[tokio::test]
async fn calls_statements_and_connections_are_measured() {
    let test = TestServer::start().await;
    test.submit(mail()).await;
    let missing = pb::GetTaskRequest { task_id: "x".to_owned(), ..Default::default() };
    test.tasks().get(missing).await.unwrap_err();
    let _worker = worker_of_mail(&test, 1).await;

    let told = Told::by(&test).await;
    let submit = ("method", "bellringer.v1.TaskService/Submit");
    assert_eq!(told.sum("bellringer_grpc_calls_total", &[submit, ("code", "ok")]), 1.0);
    assert_eq!(told.sum("bellringer_grpc_call_seconds_count", &[submit]), 1.0);
    let get = ("method", "bellringer.v1.TaskService/Get");
    let refused = told.sum("bellringer_grpc_calls_total", &[get, ("code", "invalid_argument")]);
    assert_eq!(refused, 1.0);
    assert_eq!(told.sum("bellringer_grpc_errors_total", &[("reason", "INVALID_ARGUMENT")]), 1.0);
    let work = ("method", "bellringer.v1.WorkerService/Work");
    assert_eq!(told.sum("bellringer_grpc_calls_open", &[work]), 1.0);
    assert_eq!(told.sum("bellringer_grpc_connections", &[]), 1.0);
    let statement = ("statement", "tasks/submit_one");
    assert_eq!(told.sum("bellringer_statement_seconds_count", &[statement]), 1.0);
    assert_eq!(told.sum("bellringer_database_connections_limit", &[("pool", "hot")]), 3.0);
    assert!(told.sum("bellringer_database_connection_wait_seconds_count", &[]) > 0.0);
    assert!(told.sum("process_cpu_seconds_total", &[]) > 0.0);
    assert!(told.sum("bellringer_runtime_tasks", &[]) > 0.0);
}

#[tokio::test]
async fn statements_inside_of_transactions_are_measured_and_batches_with_keys_counted() {
    let test = TestServer::start().await;
    let one = |key: &str, unique: &str| pb::SubmitBatchItem {
        task: Some(pb::TaskSpec { unique_key: unique.to_owned(), ..mail() }),
        idempotency_key: key.to_owned(),
    };
    let submit = async |items, atomic| {
        let request = pb::SubmitBatchRequest { items, atomic, ..Default::default() };
        test.tasks().submit_batch(request).await
    };
    submit(vec![one("a", "u"), one("b", "")], false).await.unwrap();
    let mut refused = one("c", "u");
    refused.task.as_mut().unwrap().unique_conflict = pb::UniqueConflictPolicy::Refuse.into();
    submit(vec![one("d", ""), refused], true).await.unwrap_err();

    let mut worker = worker_of_mail(&test, 1).await;
    let held = worker.task().await;
    let again = Worker::hello(&test.replica, worker.resume(&[&held], 0)).await;
    assert!(again.welcome.resumed);
    test.replica.app.engine().statistics.catch_up().await.unwrap();
    let mut stats = StatsServiceClient::new(test.replica.channel.clone());
    stats.query(pb::QueryStatsRequest::default()).await.unwrap();

    let told = Told::by(&test).await;
    assert_eq!(told.sum("bellringer_submit_batch_tasks_sum", &[]), 2.0);
    assert_eq!(told.sum("bellringer_submit_batch_tasks_count", &[]), 1.0);
    assert_eq!(told.of("mail", "bellringer_tasks_submitted_total"), 2.0, "not what was refused");
    for statement in [
        "tasks/submit",
        "tasks/keys_claim",
        "tasks/unique_claim",
        "tasks/unique_holder",
        "sessions/resume",
        "statistics/settings",
        "statistics/turn",
        "statistics/mark",
        "statistics/kept",
    ] {
        let times = told.sum("bellringer_statement_seconds_count", &[("statement", statement)]);
        assert!(times > 0.0, "{statement}");
    }
}

#[tokio::test]
async fn a_statement_that_fails_is_counted_by_its_kind() {
    let test = TestServer::start().await;
    let mut database = test.database().await;
    sqlx::raw_sql("alter table task rename to lost").execute(&mut database).await.unwrap();
    test.try_submit(mail(), "").await.unwrap_err();
    let told = Told::by(&test).await;
    let labels = [("statement", "tasks/submit_one"), ("kind", "refused")];
    assert_eq!(told.sum("bellringer_statement_errors_total", &labels), 1.0);
}

#[tokio::test]
async fn the_leader_alone_tells_what_stands_in_the_queues() {
    let test = TestServer::start().await;
    test.submit(mail()).await;
    test.submit(pb::TaskSpec { delay: seconds(600), ..mail() }).await;
    let another = test.another().await;
    let depth = |text: &str, state: &str| {
        let series = format!(
            "bellringer_queue_tasks{{task_namespace=\"default\",queue=\"mail\",state=\"{state}\"}} 1"
        );
        text.lines().any(|line| line == series)
    };
    eventually("one replica tells the depths", || async {
        let told = [test.replica.metrics().await, another.metrics().await];
        told.iter().filter(|text| depth(text, "ready") && depth(text, "scheduled")).count() == 1
    })
    .await;
    let told = [test.replica.metrics().await, another.metrics().await];
    let ages = told.iter().filter(|text| text.contains("\nbellringer_queue_oldest_ready_seconds{"));
    assert_eq!(ages.count(), 1);
    let leaders = told.iter().filter(|text| text.contains("\nbellringer_leader 1\n"));
    assert_eq!(leaders.count(), 1);
}

#[tokio::test]
async fn times_of_schedules_are_counted_by_outcome_and_lateness() {
    let test = TestServer::start().await;
    let interval = pb::IntervalTrigger { every: seconds(60), ..Default::default() };
    let trigger = pb::Trigger { trigger: Some(pb::trigger::Trigger::Interval(interval)) };
    let overlap = pb::OverlapPolicy::Skip.into();
    let spec = pb::ScheduleSpec {
        times: Some(pb::ScheduleTimes { triggers: vec![trigger], ..Default::default() }),
        task: Some(mail()),
        policies: Some(pb::SchedulePolicies { overlap, ..Default::default() }),
        ..Default::default()
    };
    let request =
        pb::ScheduleRequest { name: "each".to_owned(), spec: Some(spec), ..Default::default() };
    test.schedules().schedule(request).await.unwrap();
    assert_eq!(test.advance_through(3 * 60 * SECOND).await, 3);

    let told = Told::by(&test).await;
    let name = "bellringer_schedule_fires_total";
    assert_eq!(told.sum(name, &[("outcome", "fired")]), 1.0);
    assert_eq!(told.sum(name, &[("outcome", "skipped"), ("reason", "overlap")]), 2.0);
    assert_eq!(told.sum("bellringer_schedule_lateness_seconds_count", &[]), 1.0);
    assert_eq!(told.of("mail", "bellringer_tasks_submitted_total"), 1.0);

    let request = pb::TriggerScheduleRequest {
        name: "each".to_owned(),
        overlap: pb::OverlapPolicy::Allow.into(),
        ..Default::default()
    };
    test.schedules().trigger(request).await.unwrap();
    let told = Told::by(&test).await;
    let by_hand = [("statement", "schedules/by_hand")];
    assert_eq!(told.sum("bellringer_statement_seconds_count", &by_hand), 1.0);
    assert_eq!(told.sum(name, &[("outcome", "fired")]), 2.0);
    assert_eq!(told.sum("bellringer_schedule_lateness_seconds_count", &[]), 1.0, "never due");
    assert_eq!(told.of("mail", "bellringer_tasks_submitted_total"), 2.0);
}

#[tokio::test]
async fn watches_are_counted_and_their_lag_is_measured() {
    let test = TestServer::start().await;
    let id = test.submit(mail()).await;
    let request = pb::WatchTasksRequest { task_ids: vec![id.clone()], ..Default::default() };
    let mut watch = test.tasks().watch(request).await.unwrap().into_inner();
    watch.message().await.unwrap();
    assert_eq!(Told::by(&test).await.sum("bellringer_watchers", &[]), 1.0);
    test.cancel(&id).await;
    while watch.message().await.unwrap().is_some() {}
    let told = Told::by(&test).await;
    assert!(told.sum("bellringer_watch_lag_seconds_count", &[]) >= 1.0);
    eventually("the watch is gone", || async {
        Told::by(&test).await.sum("bellringer_watchers", &[]) == 0.0
    })
    .await;
}

#[tokio::test]
async fn g_20_what_must_never_be_is_found() {
    let url = fresh_database().await;
    let settings = Settings {
        url: url.clone(),
        hot_connections: 1,
        read_connections: 1,
        acquire_timeout: 5 * SECOND,
        statement_timeout: 30 * SECOND,
    };
    let metrics = Metrics::new(&[], &[]);
    let store = Store::connect(settings, Arc::new(SystemClock), &metrics.database).await.unwrap();
    assert_eq!(store.audit().await.unwrap(), Default::default(), "a new database is in order");

    let mut database = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(
        "insert into worker_session
         select gen_random_uuid(), 1, 'w', '{}', '{}', '{}', gen_random_uuid(), now(), now(),
                now() - interval '2 minutes';
         insert into inflight (id, namespace, lane, priority, run_at, session, worker, attempt,
                               tries, flags, started_at)
         select gen_random_uuid(), 1, 1, 5, now(), id, 'w', 1, 1, 0, now() from worker_session
         union all
         select gen_random_uuid(), 1, 1, 5, now(), gen_random_uuid(), 'w', 2, 1, 0,
                now() - interval '2 minutes';
         insert into result (id, namespace, lane, state, attempt, tries, finished_at)
         select id, 1, 1, 5, 1, 1, now() from inflight where attempt = 1;
         insert into leadership_log (epoch, replica, event)
         values (7, 'a', 'opened'), (7, 'b', 'opened'), (8, 'a', 'opened');
         insert into schedule (id, namespace, name, version, state, times, policies, labels,
                               description, lane, priority, payload, task_labels, created_at,
                               updated_at, due_at)
         values (gen_random_uuid(), 1, 'late', 1, 1, '{}', '{}', '{}', '', 1, 5, '', '{}', now(),
                 now(), now() - interval '1 minute')",
    )
    .execute(&mut database)
    .await
    .unwrap();
    let found = store.audit().await.unwrap();
    assert_eq!(found.overdue_schedules, 1);
    assert_eq!(found.expired_leases, 1);
    assert_eq!(found.orphans.iter().map(|orphan| orphan.attempt).collect::<Vec<_>>(), [2]);
    assert_eq!(found.finished_but_leased, 1);
    assert_eq!(found.terms_of_two, 1);
}

#[tokio::test]
async fn names_labels_and_help_are_as_prometheus_wants_them() {
    let test = TestServer::start().await;
    let id = test.submit(mail()).await;
    test.cancel(&id).await;
    test.submit(pb::TaskSpec { kind: "a-kind-of-secret".to_owned(), ..task() }).await;
    let text = test.replica.metrics().await;
    let mut families = BTreeMap::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        assert!(families.insert(name, kind).is_none(), "{name} is told twice");
        let is_ours = name.starts_with("bellringer_") || name.starts_with("process_");
        let is_plain =
            name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        assert!(is_ours && is_plain, "{name}");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
        for unit in ["_ms", "_milliseconds", "_micros", "_minutes", "_kib", "_mib", "_percent"] {
            assert!(!name.contains(unit), "{name} is not in base units");
        }
        assert!(text.contains(&format!("# HELP {name} ")), "{name} has no help");
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let of_histogram = ["_bucket", "_sum", "_count"].into_iter();
        let mut family = of_histogram.filter_map(|end| name.strip_suffix(end)).chain([name]);
        assert!(family.any(|name| families.contains_key(name)), "{line} has no type");
    }
    assert!(!text.contains("a-kind-of-secret"), "a kind is the caller's, and no label");
    promtool(&text);
}

/// Tasks from `from` on, each with names of its own in everything that a caller can choose.
async fn make_up(test: &TestServer, from: usize, count: usize) {
    for n in from..from + count {
        let name = |what: &str| format!("made-up-{what}-{n}");
        let request = pb::SubmitRequest {
            namespace: if n % 2 == 0 { name("namespace") } else { String::new() },
            task: Some(pb::TaskSpec {
                queue: name("queue"),
                kind: name("kind"),
                version: name("version"),
                labels: [(name("label"), name("value"))].into(),
                unique_key: name("key"),
                ..task()
            }),
            idempotency_key: name("key"),
        };
        let mut tasks = test.tasks();
        tasks.submit(request).await.unwrap();
    }
    let queues = vec![format!("made-up-queue-{}", from | 1)];
    let worker_name = format!("made-up-worker-{from}");
    let lease = pb::LeaseRequest {
        worker_name,
        queues,
        max_tasks: 1,
        wait: seconds(5),
        ..Default::default()
    };
    let leased = test.workers().lease(lease).await.unwrap().into_inner();
    let error = error(&format!("made-up-error-{from}"));
    test.workers().fail(failure(leased, error)).await.unwrap();
    // A method that there is not.
    let mut grpc = tonic::client::Grpc::new(test.replica.channel.clone());
    grpc.ready().await.unwrap();
    let path = format!("/made.up.{from}/Method").parse().unwrap();
    let request = tonic::Request::new(Vec::new());
    grpc.unary(request, path, crate::hostile::RawCodec).await.unwrap_err();
    test.replica.app.engine().observing.look().await.unwrap();
}

#[tokio::test]
async fn of_what_callers_make_up_only_so_many_namespaces_and_queues_become_labels() {
    const MOST_QUEUES: usize = 200;
    let test = TestServer::start().await;
    make_up(&test, 0, MOST_QUEUES + 20).await;
    let told = Told::by(&test).await;
    let mut made_up = BTreeSet::new();
    for series in told.0.keys() {
        let labels = series.split_once('{').map_or("", |(_, labels)| labels.trim_end_matches('}'));
        for (label, value) in labels.split(',').filter_map(|label| label.split_once('=')) {
            let value = value.trim_matches('"');
            let is_bounded = match label {
                "task_namespace" => value.starts_with("made-up-namespace-"),
                "queue" => value.starts_with("made-up-queue-"),
                _ => false,
            };
            assert!(is_bounded || !value.contains("made"), "{series}");
            if is_bounded && label == "queue" {
                made_up.insert(value.to_owned());
            }
        }
    }
    assert!(made_up.len() <= MOST_QUEUES && made_up.len() > MOST_QUEUES / 2, "{}", made_up.len());
    let together = [("task_namespace", "_other"), ("queue", "_other")];
    assert_eq!(told.sum("bellringer_tasks_submitted_total", &together), 20.0);
    assert_eq!(told.sum("bellringer_tasks_submitted_total", &[]), 220.0, "none is left out");

    // From there on nothing that anybody makes up makes a series; what is told together has all of its own now.
    make_up(&test, 500, 30).await;
    let before = series(&test).await;
    make_up(&test, 1_000, 30).await;
    let after = series(&test).await;
    assert_eq!(before.len(), after.len(), "{:#?}", after.difference(&before));
}

async fn series(test: &TestServer) -> BTreeSet<String> {
    Told::by(test).await.0.into_keys().collect()
}

/// Lets Prometheus' own tool judge.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn promtool(text: &str) {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/prometheus/usr/bin/promtool");
    let program = if kept.exists() { kept } else { PathBuf::from("promtool") };
    let started = Command::new(program)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut judge) = started else {
        eprintln!("SKIPPED: promtool is not installed; `.ci/tool prometheus` brings it");
        return;
    };
    judge.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let verdict = judge.wait_with_output().unwrap();
    let said = [verdict.stdout, verdict.stderr].concat();
    assert!(verdict.status.success(), "{}", String::from_utf8_lossy(&said));
}
