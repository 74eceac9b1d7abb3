//! A queue in which as many tasks wait as may takes no more in, and others do.

use std::time::Duration;

use bellringer_api::v1 as pb;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::support::make::{self, seconds, task};
use crate::support::process::eventually;
use crate::support::{TestServer, reason};

/// A server whose queues take few tasks in, with a queue that is full to the last place.
async fn filled(places: &'static str) -> TestServer {
    let test = TestServer::start_with(&[("limits__queue_depth", places)]).await;
    let places: u32 = places.parse().unwrap();
    // All that counts as waiting: ready, delayed, and between two attempts.
    let retried = pb::TaskSpec { retry: make::retry(5, 3_600), ..task() };
    let id = test.submit(retried).await;
    let leased = test.lease(1).await;
    test.workers().fail(make::failure(leased, make::error("Broken"))).await.unwrap();
    assert_eq!(test.state(&id).await, pb::TaskState::Retrying);
    let delayed = pb::TaskSpec { delay: seconds(3_600), ..task() };
    test.submit(delayed).await;
    for _ in 3..places {
        test.submit(task()).await;
    }
    test.look().await;
    // The last place.
    test.submit(task()).await;
    test.look().await;
    test
}

fn assert_full(refused: &Status, limit: &str) {
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
    assert_eq!(reason(refused), "LIMIT_REACHED");
    let details = refused.get_error_details();
    assert!(details.retry_info().unwrap().retry_delay.unwrap() > Duration::ZERO);
    let metadata = &details.error_info().unwrap().metadata;
    assert_eq!((metadata["limit"].as_str(), metadata["queue"].as_str()), (limit, "default"));
    assert_eq!(details.quota_failure().unwrap().violations[0].subject, "default");
}

impl TestServer {
    /// Looks at the queues as the leader does.
    async fn look(&self) {
        self.replica.app.engine().observing.look().await.unwrap();
    }

    async fn tasks_in_all(&self) -> i64 {
        let mut database = self.database().await;
        sqlx::query_scalar("select count(*) from task").fetch_one(&mut database).await.unwrap()
    }
}

#[tokio::test]
async fn g_21_a_full_queue_takes_nothing_in_before_any_write_and_other_queues_do() {
    let test = filled("6").await;
    for _ in 0..50 {
        assert_full(&test.try_submit(task(), "").await.unwrap_err(), "6");
    }
    assert_eq!(test.tasks_in_all().await, 6, "a refused submit wrote something");
    let other = pb::TaskSpec { queue: "other".to_owned(), ..task() };
    let elsewhere = pb::SubmitRequest {
        namespace: "elsewhere".to_owned(),
        task: Some(task()),
        ..Default::default()
    };
    test.submit(other.clone()).await;
    test.tasks().submit(elsewhere).await.unwrap();
    // Of a batch, what is for a full queue; of an atomic one, all of it.
    let item = |spec: pb::TaskSpec| pb::SubmitBatchItem { task: Some(spec), ..Default::default() };
    let batch = |atomic| pb::SubmitBatchRequest {
        items: vec![item(other.clone()), item(task())],
        atomic,
        ..Default::default()
    };
    let answers = test.tasks().submit_batch(batch(false)).await.unwrap().into_inner().results;
    let told: Vec<bool> = answers
        .iter()
        .map(|one| matches!(one.result, Some(pb::submit_batch_result::Result::Submitted(_))))
        .collect();
    assert_eq!(told, [true, false]);
    let before = test.tasks_in_all().await;
    let refused = test.tasks().submit_batch(batch(true)).await.unwrap_err();
    assert_full(&refused, "6");
    assert!(refused.message().starts_with("items[1]: queue \"default\" is full"), "{refused}");
    assert_eq!(test.tasks_in_all().await, before);
}

#[tokio::test]
async fn a_queue_with_room_again_takes_tasks_in_again_on_every_replica() {
    let test = filled("4").await;
    let other = test.another().await;
    let submit = || {
        let request = pb::SubmitRequest { task: Some(task()), ..Default::default() };
        let mut tasks = other.tasks();
        async move { tasks.submit(request).await }
    };
    eventually("the other replica has heard of it", || async {
        test.look().await;
        submit().await.is_err_and(|refused| reason(&refused) == "LIMIT_REACHED")
    })
    .await;
    assert_full(&test.try_submit(task(), "").await.unwrap_err(), "4");
    // Running tasks do not wait, however many there were.
    let waiting = usize::try_from(test.tasks_in_all().await).unwrap();
    let leased = test.lease(1_000).await.assignments.len();
    assert!(leased > 0 && leased < waiting);
    test.look().await;
    test.submit(task()).await;
    eventually("there is room on the other replica", || async { submit().await.is_ok() }).await;
}

#[tokio::test]
async fn what_schedules_make_goes_into_a_full_queue_and_so_do_their_hooks() {
    let test = filled("4").await;
    let schedule = |name: &str, task: pb::TaskSpec| {
        let cron = pb::CronTrigger { expression: "* * * * *".to_owned(), ..Default::default() };
        let trigger = pb::Trigger { trigger: Some(pb::trigger::Trigger::Cron(cron)) };
        let hook = pb::TaskSpec { kind: "alarm".to_owned(), ..Default::default() };
        let request = pb::ScheduleRequest {
            name: name.to_owned(),
            spec: Some(pb::ScheduleSpec {
                times: Some(pb::ScheduleTimes { triggers: vec![trigger], ..Default::default() }),
                policies: Some(pb::SchedulePolicies {
                    on_failure: Some(hook),
                    ..Default::default()
                }),
                task: Some(task),
                ..Default::default()
            }),
            ..Default::default()
        };
        let mut schedules = test.schedules();
        async move { schedules.schedule(request).await.unwrap() }
    };
    let kind = "nightly".to_owned();
    schedule("into-the-full-one", pb::TaskSpec { kind, ..Default::default() }).await;
    let (queue, retry) = ("reports".to_owned(), make::retry(1, 1));
    schedule("that-fails", pb::TaskSpec { queue, retry, ..task() }).await;
    test.advance_through(Duration::from_secs(60)).await;
    let made = async |kind: &str| {
        let filter = Some(pb::TaskFilter { kind: kind.to_owned(), ..Default::default() });
        let request = pb::ListTasksRequest { filter, ..Default::default() };
        test.tasks().list(request).await.unwrap().into_inner().tasks.len()
    };
    assert_eq!(made("nightly").await, 1);

    let lease = pb::LeaseRequest {
        queues: vec!["reports".to_owned()],
        wait: seconds(5),
        ..Default::default()
    };
    let leased = test.workers().lease(lease).await.unwrap().into_inner();
    test.workers().fail(make::failure(leased, make::error("Broken"))).await.unwrap();
    eventually("the hook is submitted", || async { made("alarm").await == 1 }).await;
    test.look().await;
    assert_full(&test.try_submit(task(), "").await.unwrap_err(), "4");
}
