//! A neighbour who floods, fails and cancels changes nothing of one's own: the same work is done twice, alone and
//! beside such a neighbour, and what became of it is compared.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::admin_service_client::AdminServiceClient;
use bellringer_api::v1::stats_service_client::StatsServiceClient;
use bellringer_server::clock::{Clock as _, SystemClock};
use jiff::Timestamp;
use tokio::task::JoinSet;
use tonic::{Code, Streaming};

use crate::support::access::KEYS;
use crate::support::make::{error, retry, seconds, text};
use crate::support::{Caller, TestServer};

/// Tasks that the tenant submits; its schedule makes some more.
const TASKS: usize = 40;
/// Times of the tenant's schedule.
const FIRES: i64 = 5;
/// Between two of them, in seconds.
const EVERY: i64 = 20;
/// Names that both use.
const QUEUES: [&str; 2] = ["mail", "reports"];

/// A number that looks random and is the same in every run.
fn dice(task: usize, what: usize) -> usize {
    let mixed = (task * 31 + what + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33
}

/// Somebody who works in a namespace.
#[derive(Clone)]
struct Tenant {
    namespace: &'static str,
    caller: Caller,
}

impl Tenant {
    async fn new(server: &TestServer, namespace: &'static str) -> Self {
        let roles = ["submitter", "worker", "scheduler-editor", "ns-admin", "viewer"];
        Self { namespace, caller: server.caller(namespace, &roles).await }
    }

    fn submit(&self, n: usize) -> pb::SubmitRequest {
        let spec = pb::TaskSpec {
            queue: QUEUES[dice(n, 0) % 2].to_owned(),
            kind: "work".to_owned(),
            payload: text(&format!("payload {n}")),
            labels: [("n".to_owned(), n.to_string())].into(),
            priority: Some(u32::try_from(dice(n, 1) % 10).unwrap()),
            delay: (dice(n, 2).is_multiple_of(4)).then(|| seconds(30)).flatten(),
            retry: retry(3, 15),
            unique_key: format!("unique {}", n % 30),
            ..Default::default()
        };
        pb::SubmitRequest {
            namespace: self.namespace.to_owned(),
            task: Some(spec),
            idempotency_key: format!("key {n}"),
        }
    }

    /// A schedule that ends by itself.
    fn schedule(&self, name: &str, start: Timestamp, every: i64) -> pb::ScheduleRequest {
        let at = |after: i64| {
            Some(prost_types::Timestamp { seconds: start.as_second() + after, nanos: 0 })
        };
        let interval = pb::IntervalTrigger { every: seconds(every), ..Default::default() };
        let trigger = pb::Trigger { trigger: Some(pb::trigger::Trigger::Interval(interval)) };
        let times = pb::ScheduleTimes {
            triggers: vec![trigger],
            start: at(1),
            end: at(1 + every * FIRES),
            ..Default::default()
        };
        let task = pb::TaskSpec {
            queue: QUEUES[0].to_owned(),
            kind: "ring".to_owned(),
            retry: retry(3, 15),
            ..Default::default()
        };
        let policies = pb::SchedulePolicies {
            overlap: pb::OverlapPolicy::Allow.into(),
            misfire: pb::MisfirePolicy::FireAll.into(),
            ..Default::default()
        };
        pb::ScheduleRequest {
            namespace: self.namespace.to_owned(),
            name: name.to_owned(),
            spec: Some(pb::ScheduleSpec {
                times: Some(times),
                task: Some(task),
                policies: Some(policies),
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    async fn has_ready(&self) -> bool {
        let states = vec![pb::TaskState::Ready.into()];
        let request = pb::ListTasksRequest {
            namespace: self.namespace.to_owned(),
            filter: Some(pb::TaskFilter { states, ..Default::default() }),
            page_size: 1,
            ..Default::default()
        };
        !self.caller.tasks().list(request).await.unwrap().into_inner().tasks.is_empty()
    }

    async fn lease(
        &self,
        max_tasks: u32,
        wait: Option<prost_types::Duration>,
    ) -> Result<pb::LeaseResponse, tonic::Status> {
        let request = pb::LeaseRequest {
            namespace: self.namespace.to_owned(),
            worker_name: "w".to_owned(),
            queues: QUEUES.map(ToOwned::to_owned).to_vec(),
            max_tasks,
            wait,
            ..Default::default()
        };
        Ok(self.caller.workers().lease(request).await?.into_inner())
    }

    /// Reports what became of an attempt.
    async fn report(
        &self,
        session: &str,
        task: &pb::Assignment,
        succeeds: bool,
        may_retry: bool,
    ) -> Result<(), tonic::Status> {
        let (namespace, session_token) = (self.namespace.to_owned(), session.to_owned());
        let (task_id, attempt) = (task.task_id.clone(), task.attempt);
        if succeeds {
            let result = text(&format!("done in {attempt}"));
            let complete =
                pb::CompleteRequest { namespace, session_token, task_id, attempt, result };
            return self.caller.workers().complete(complete).await.map(drop);
        }
        let fail = pb::FailRequest {
            namespace,
            session_token,
            task_id,
            attempt,
            error: error(if may_retry { "Broken" } else { "Hopeless" }),
            non_retryable: !may_retry,
            ..Default::default()
        };
        self.caller.workers().fail(fail).await.map(drop)
    }
}

/// Which of the tenant's tasks: the number that it gave, or how many times of the schedule were before.
fn name(task: &pb::Task, start: Timestamp) -> String {
    let spec = task.spec.as_ref().unwrap();
    match spec.labels.get("n") {
        Some(n) => format!("task {n}"),
        None => {
            let at = spec.run_at.as_ref().map_or(0, |at| at.seconds);
            format!("fire after {} s", at - start.as_second())
        }
    }
}

/// The tenant's eyes: what a watch of everything has told.
struct Eyes {
    watch: Streaming<pb::WatchTasksResponse>,
    seen: BTreeMap<String, Vec<String>>,
    revisions: BTreeMap<String, i64>,
    start: Timestamp,
}

impl Eyes {
    /// Reads until a task has come to a state.
    async fn until(&mut self, id: &str, state: pb::TaskState) {
        loop {
            let next = tokio::time::timeout(Duration::from_secs(60), self.watch.message()).await;
            let Some(task) = next.expect("news").unwrap().expect("a watch that goes on").task
            else {
                continue;
            };
            let before = self.revisions.insert(task.id.clone(), task.revision);
            assert!(before.is_none_or(|before| before < task.revision), "told twice: {task:?}");
            // That it may be run can be passed over when it is run at once.
            if task.state() != pb::TaskState::Ready {
                let told = format!("{:?} {}", task.state(), task.attempt);
                self.seen.entry(name(&task, self.start)).or_default().push(told);
            }
            if task.id == id && task.state() == state {
                return;
            }
        }
    }
}

/// Everything that became of the tenant's work, without times and ids.
#[derive(Debug, PartialEq)]
struct History {
    answers: Vec<String>,
    tasks: BTreeMap<String, String>,
    events: BTreeMap<String, Vec<String>>,
    fires: Vec<String>,
    counts: BTreeMap<String, Vec<u64>>,
    keys: usize,
}

impl Tenant {
    /// Does the tenant's work, and answers with its history.
    async fn work(&self, operator: &Caller, start: Timestamp) -> History {
        let namespace = || self.namespace.to_owned();
        let mut tasks = self.caller.tasks();
        let watch = pb::WatchTasksRequest {
            namespace: namespace(),
            filter: Some(pb::TaskFilter::default()),
            ..Default::default()
        };
        let watch = tasks.watch(watch).await.unwrap().into_inner();
        let mut eyes = Eyes { watch, seen: BTreeMap::new(), revisions: BTreeMap::new(), start };
        self.caller.schedules().schedule(self.schedule("bell", start, EVERY)).await.unwrap();

        let (mut answers, mut ids) = (Vec::new(), Vec::new());
        for n in 0..TASKS {
            let answer = tasks.submit(self.submit(n)).await.unwrap().into_inner();
            answers.push(format!("submit {n}: created {}", answer.created));
            if !answer.created {
                continue;
            }
            let state = match self.submit(n).task.unwrap().delay {
                Some(_) => pb::TaskState::Scheduled,
                None => pb::TaskState::Ready,
            };
            eyes.until(&answer.task_id, state).await;
            if dice(n, 3).is_multiple_of(8) {
                let cancel = pb::CancelTaskRequest {
                    namespace: namespace(),
                    task_id: answer.task_id.clone(),
                    ..Default::default()
                };
                let task = tasks.cancel(cancel).await.unwrap().into_inner().task.unwrap();
                answers.push(format!("cancel {n}: {:?}", task.state()));
                eyes.until(&answer.task_id, pb::TaskState::Cancelled).await;
            }
            ids.push(answer.task_id);
        }
        // Twice each attempt's wait, and all times of the schedule.
        let mut admin = AdminServiceClient::new(operator.0.clone());
        for _ in 0..EVERY * FIRES / 10 + 4 {
            while self.has_ready().await {
                let leased = self.lease(1, seconds(20)).await.unwrap();
                let task = &leased.assignments[0];
                eyes.until(&task.task_id, pb::TaskState::Running).await;
                let n = task.labels.get("n").map_or(7, |n| n.parse().unwrap());
                let by = n + usize::try_from(task.attempt).unwrap() * 1_000;
                let (succeeds, may_retry) =
                    (!dice(by, 4).is_multiple_of(3), !dice(by, 5).is_multiple_of(4));
                self.report(&leased.session_token, task, succeeds, may_retry).await.unwrap();
                let state = match (succeeds, may_retry && task.attempt < 3) {
                    (true, _) => pb::TaskState::Succeeded,
                    (false, true) => pb::TaskState::Retrying,
                    (false, false) => pb::TaskState::Failed,
                };
                eyes.until(&task.task_id, state).await;
            }
            let by = prost_types::Duration { seconds: 10, nanos: 0 };
            admin.advance_clock(pb::AdvanceClockRequest { by: Some(by) }).await.unwrap();
        }
        self.history(answers, eyes, start).await
    }

    async fn history(&self, answers: Vec<String>, eyes: Eyes, start: Timestamp) -> History {
        let namespace = || self.namespace.to_owned();
        let list = pb::ListTasksRequest {
            namespace: namespace(),
            page_size: 1_000,
            view: pb::TaskView::Full.into(),
            ..Default::default()
        };
        let listed = self.caller.tasks().list(list).await.unwrap().into_inner().tasks;
        let mut tasks = BTreeMap::new();
        for listed in listed {
            let get = pb::GetTaskRequest {
                namespace: namespace(),
                task_id: listed.id,
                view: pb::TaskView::Full.into(),
            };
            let task = self.caller.tasks().get(get).await.unwrap().into_inner().task.unwrap();
            let attempts = task.attempts.iter().map(|one| {
                format!("{} {:?} {:?} {}", one.number, one.outcome(), one.error, one.late.is_some())
            });
            let told = format!(
                "{:?}, revision {}, attempt {}, {} tries, {:?}, {:?}, {:?}",
                task.state(),
                task.revision,
                task.attempt,
                task.tries,
                task.result,
                task.error,
                attempts.collect::<Vec<_>>()
            );
            tasks.insert(name(&task, start), told);
        }
        let fires = pb::ListFiresRequest {
            namespace: namespace(),
            name: "bell".to_owned(),
            page_size: 100,
            ..Default::default()
        };
        let fires = self.caller.schedules().list_fires(fires).await.unwrap().into_inner().fires;
        let fires = fires.iter().map(|fire| {
            let after = fire.time.as_ref().unwrap().seconds - start.as_second();
            format!("{after} s: {:?} {:?}", fire.outcome(), fire.reason())
        });
        let query = pb::QueryStatsRequest {
            namespace: namespace(),
            since: Some(prost_types::Timestamp { seconds: start.as_second() - 60, nanos: 0 }),
            group_by: vec![pb::StatsDimension::Queue.into(), pb::StatsDimension::Kind.into()],
            ..Default::default()
        };
        let stats = StatsServiceClient::new(self.caller.0.clone()).query(query).await.unwrap();
        let counts = stats.into_inner().rows.into_iter().map(|row| {
            let stats = row.stats.unwrap();
            let counts = [stats.succeeded, stats.failed, stats.cancelled, stats.expired];
            (format!("{} {}", row.queue, row.kind), counts.to_vec())
        });
        let keys = pb::ListApiKeysRequest { namespace: namespace(), ..Default::default() };
        let keys = self.caller.access().list_api_keys(keys).await.unwrap().into_inner().keys;
        History {
            answers,
            tasks,
            events: eyes.seen,
            fires: fires.collect(),
            counts: counts.collect(),
            keys: keys.len(),
        }
    }
}

/// What the neighbour does until it is told to stop: with the same names and keys, and past every limit.
struct Neighbour {
    stop: Arc<AtomicBool>,
    calls: Arc<AtomicU32>,
    refused: Arc<AtomicU32>,
    running: JoinSet<()>,
}

impl Neighbour {
    async fn begin(tenant: &Tenant, start: Timestamp) -> Self {
        let neighbour = Self {
            stop: Arc::default(),
            calls: Arc::default(),
            refused: Arc::default(),
            running: JoinSet::new(),
        };
        // The same name, and one that fires in between.
        for (name, every) in [("bell", EVERY), ("often", 13)] {
            let request = tenant.schedule(name, start, every);
            tenant.caller.schedules().schedule(request).await.unwrap();
        }
        let mut neighbour = neighbour;
        for number in 0..4 {
            let (tenant, stop) = (tenant.clone(), neighbour.stop.clone());
            let (calls, refused) = (neighbour.calls.clone(), neighbour.refused.clone());
            neighbour.running.spawn(async move {
                let mut n = number * 1_000_000;
                while !stop.load(Relaxed) {
                    n += 1;
                    for answer in tenant.trouble(n).await {
                        calls.fetch_add(1, Relaxed);
                        match answer {
                            Ok(()) => {}
                            Err(status) if status.code() == Code::ResourceExhausted => {
                                refused.fetch_add(1, Relaxed);
                                tokio::time::sleep(Duration::from_millis(5)).await;
                            }
                            // Its leases end while it works, and what it cancels may be gone.
                            Err(_) => {}
                        }
                    }
                }
            });
        }
        neighbour
    }

    async fn end(mut self) -> (u32, u32) {
        self.stop.store(true, Relaxed);
        while self.running.join_next().await.is_some_and(|ended| ended.is_ok()) {}
        (self.calls.load(Relaxed), self.refused.load(Relaxed))
    }
}

impl Tenant {
    /// Some calls of somebody who does not care.
    async fn trouble(&self, n: usize) -> Vec<Result<(), tonic::Status>> {
        let mut answers = Vec::new();
        // The tenant's own keys among them.
        let mut submit = self.submit(n % 200);
        if n.is_multiple_of(2) {
            submit.idempotency_key = format!("neighbour {n}");
        }
        let submitted = self.caller.tasks().submit(submit).await;
        if let (Ok(answer), true) = (&submitted, n.is_multiple_of(3)) {
            let task_id = answer.get_ref().task_id.clone();
            let namespace = self.namespace.to_owned();
            let cancel = pb::CancelTaskRequest { namespace, task_id, ..Default::default() };
            answers.push(self.caller.tasks().cancel(cancel).await.map(drop));
        }
        answers.push(submitted.map(drop));
        match self.lease(5, None).await {
            Err(status) => answers.push(Err(status)),
            Ok(leased) => {
                // Some are never reported.
                for (place, task) in leased.assignments.iter().enumerate().skip(1) {
                    let report = self.report(
                        &leased.session_token,
                        task,
                        place.is_multiple_of(2),
                        n.is_multiple_of(2),
                    );
                    answers.push(report.await);
                }
            }
        }
        if n.is_multiple_of(10) {
            let namespace = self.namespace.to_owned();
            let queue = QUEUES[n / 10 % 2].to_owned();
            answers.push(if n.is_multiple_of(20) {
                let pause = pb::PauseQueueRequest { namespace, queue, ..Default::default() };
                self.caller.queues().pause(pause).await.map(drop)
            } else {
                let resume = pb::ResumeQueueRequest { namespace, queue };
                self.caller.queues().resume(resume).await.map(drop)
            });
        }
        answers
    }
}

/// The history, and how many calls the neighbour made, and how many of them were refused.
async fn history(start: Timestamp, with_neighbour: bool) -> (History, (u32, u32)) {
    // The tenant calls less often than it may; the neighbour, as often as it can.
    let settings = [KEYS[0], ("rates__per_caller", "10"), ("rates__per_caller_burst", "500")];
    let server = TestServer::start_at_with(start, &settings).await;
    let tenant = Tenant::new(&server, "acme").await;
    let operator = server.caller("*", &["operator"]).await;
    if !with_neighbour {
        return (tenant.work(&operator, start).await, (0, 0));
    }
    let rival = Tenant::new(&server, "rival").await;
    let neighbour = Neighbour::begin(&rival, start).await;
    while neighbour.refused.load(Relaxed) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let history = tenant.work(&operator, start).await;
    (history, neighbour.end().await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g_18_what_becomes_of_ones_work_is_the_same_beside_a_neighbour_who_floods() {
    let start = SystemClock.now().round(jiff::Unit::Minute).unwrap();
    let (alone, _) = history(start, false).await;
    let (beside, (calls, refused)) = history(start, true).await;
    println!("beside {calls} calls of the neighbour, {refused} of them refused");
    println!(
        "{} tasks, {} events, {} fires, counts {:?}",
        alone.tasks.len(),
        alone.events.values().map(Vec::len).sum::<usize>(),
        alone.fires.len(),
        alone.counts
    );
    assert!(alone.tasks.len() > 30 && alone.counts.len() >= 3, "{alone:#?}");
    let states = ["Succeeded", "Failed", "Cancelled"];
    for state in states {
        assert!(alone.tasks.values().any(|told| told.starts_with(state)), "none is {state}");
    }
    assert_eq!(alone, beside);
}
