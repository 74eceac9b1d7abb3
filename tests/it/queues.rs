//! Looking after queues.

use bellringer_api::v1 as pb;
use sqlx::Connection as _;
use tokio::task::JoinSet;

use crate::support::make::{seconds, task};
use crate::support::postgres::statement;
use crate::support::{TestServer, Worker, reason};

fn named() -> String {
    "default".to_owned()
}

#[tokio::test]
async fn nothing_is_leased_from_a_paused_queue_until_it_is_resumed() {
    let test = TestServer::start().await;
    let pause =
        pb::PauseQueueRequest { queue: named(), note: "deploy".to_owned(), ..Default::default() };
    let paused = test.queues().pause(pause).await.unwrap().into_inner().queue.unwrap();
    assert!(paused.paused && paused.pause_note == "deploy");
    let id = test.submit(task()).await;
    let mut worker = Worker::connect(&test.replica, 1).await;
    let leased = test.workers().lease(pb::LeaseRequest::default()).await.unwrap().into_inner();
    assert!(leased.assignments.is_empty());

    let resume = pb::ResumeQueueRequest { queue: named(), ..Default::default() };
    test.queues().resume(resume).await.unwrap();

    assert_eq!(worker.task().await.task_id, id);
}

#[tokio::test]
async fn a_kind_that_is_first_seen_while_its_queue_is_paused_or_resumed_is_as_the_queue() {
    let test = TestServer::start().await;
    test.submit(task()).await;
    let (mut database, mut looking) = (test.database().await, test.database().await);
    let namespace = sqlx::query_scalar::<_, i32>("select namespace from lane");
    let namespace = namespace.fetch_one(&mut looking).await.unwrap();
    let add = statement("lanes/add");
    for is_paused in [true, false] {
        // Another replica has just seen it, and has not committed yet.
        let kind = format!("seen-{is_paused}");
        let mut seen = database.begin().await.unwrap();
        let adding = sqlx::query(add).bind(namespace).bind(named()).bind(&kind).bind("");
        adding.execute(&mut *seen).await.unwrap();
        let mut queues = test.queues();
        let mut turning = JoinSet::new();
        turning.spawn(async move {
            if is_paused {
                let pause = pb::PauseQueueRequest { queue: named(), ..Default::default() };
                queues.pause(pause).await.map(drop)
            } else {
                let resume = pb::ResumeQueueRequest { queue: named(), ..Default::default() };
                queues.resume(resume).await.map(drop)
            }
        });
        let waiting = "select count(*) from pg_stat_activity
                       where datname = current_database() and wait_event_type = 'Lock'";
        let mut turned = None;
        while turned.is_none() {
            let waiting = sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut looking).await;
            if waiting.unwrap() > 0 {
                break;
            }
            turned = turning.try_join_next();
        }
        seen.commit().await.unwrap();
        if turned.is_none() {
            turned = turning.join_next().await;
        }
        turned.unwrap().unwrap().unwrap();
        let found = sqlx::query_scalar::<_, bool>("select is_paused from lane where kind = $1");
        let found = found.bind(&kind).fetch_one(&mut looking).await.unwrap();
        assert_eq!(found, is_paused, "{kind}");
    }
}

#[tokio::test]
async fn purging_counts_first_and_cancels_only_when_confirmed() {
    let test = TestServer::start().await;
    let running = test.submit(task()).await;
    test.lease(1).await;
    let waiting = [
        test.submit(task()).await,
        test.submit(pb::TaskSpec { delay: seconds(60), ..task() }).await,
    ];
    let purge = |confirm| pb::PurgeQueueRequest { queue: named(), confirm, ..Default::default() };

    let counted = test.queues().purge(purge(false)).await.unwrap().into_inner();
    assert_eq!((counted.tasks, counted.purged), (2, false));
    assert_eq!(test.state(&waiting[0]).await, pb::TaskState::Ready);

    let purged = test.queues().purge(purge(true)).await.unwrap().into_inner();
    assert_eq!((purged.tasks, purged.purged), (2, true));
    for id in &waiting {
        assert_eq!(test.state(id).await, pb::TaskState::Cancelled);
    }
    assert_eq!(test.state(&running).await, pb::TaskState::Running);
}

#[tokio::test]
async fn queues_are_listed_page_by_page_with_what_stands_in_them() {
    let test = TestServer::start().await;
    for queue in ["a", "b", "c"] {
        test.submit(pb::TaskSpec { queue: queue.to_owned(), ..task() }).await;
    }
    let mut names = Vec::new();
    let mut token = String::new();
    loop {
        let request =
            pb::ListQueuesRequest { page_size: 2, page_token: token, ..Default::default() };
        let page = test.queues().list(request).await.unwrap().into_inner();
        assert!(page.queues.iter().all(|queue| queue.ready == 1 && queue.kinds == ["work"]));
        names.extend(page.queues.into_iter().map(|queue| queue.name));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(names, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_said_to_be_not_there() {
    let test = TestServer::start().await;
    let get = pb::GetQueueRequest { queue: "nowhere".to_owned(), ..Default::default() };
    assert_eq!(reason(&test.queues().get(get).await.unwrap_err()), "QUEUE_NOT_FOUND");
}
