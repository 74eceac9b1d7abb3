//! Finding tasks again.

use bellringer_api::v1 as pb;

use crate::support::TestServer;
use crate::support::make::{seconds, task};

async fn list(test: &TestServer, filter: pb::TaskFilter, page_size: u32) -> Vec<String> {
    let mut ids = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListTasksRequest {
            filter: Some(filter.clone()),
            page_size,
            page_token,
            ..Default::default()
        };
        let page = test.tasks().list(request).await.unwrap().into_inner();
        assert!(page.tasks.len() <= page_size as usize);
        ids.extend(page.tasks.into_iter().map(|task| task.id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return ids;
        }
    }
}

#[tokio::test]
async fn tasks_are_listed_newest_first_page_by_page_without_gap_or_repetition() {
    let test = TestServer::start().await;
    let mut ids = Vec::new();
    for _ in 0..7 {
        ids.push(test.submit(task()).await);
    }
    ids.reverse();
    assert_eq!(list(&test, pb::TaskFilter::default(), 3).await, ids);
}

#[tokio::test]
async fn filters_find_tasks_by_queue_kind_label_and_state() {
    let test = TestServer::start().await;
    let labelled = |value: &str| pb::TaskSpec {
        labels: [("customer".to_owned(), value.to_owned())].into(),
        ..task()
    };
    let seven = test.submit(labelled("7")).await;
    let eight = test.submit(labelled("8")).await;
    let mail = test.submit(pb::TaskSpec { queue: "mail".to_owned(), ..task() }).await;
    let later = test.submit(pb::TaskSpec { delay: seconds(60), ..task() }).await;
    let other = test.submit(pb::TaskSpec { kind: "other".to_owned(), ..task() }).await;
    test.cancel(&eight).await;
    let any = pb::TaskFilter::default;

    let label = [("customer".to_owned(), "7".to_owned())];
    let by_label = pb::TaskFilter { labels: label.into(), ..any() };
    assert_eq!(list(&test, by_label, 10).await, std::slice::from_ref(&seven));
    let by_queue = pb::TaskFilter { queue: "mail".to_owned(), ..any() };
    assert_eq!(list(&test, by_queue, 10).await, std::slice::from_ref(&mail));
    let by_kind = pb::TaskFilter { kind: "other".to_owned(), ..any() };
    assert_eq!(list(&test, by_kind, 10).await, std::slice::from_ref(&other));
    let by_state = |states: &[pb::TaskState]| pb::TaskFilter {
        states: states.iter().map(|state| (*state).into()).collect(),
        ..any()
    };
    assert_eq!(
        list(&test, by_state(&[pb::TaskState::Cancelled]), 10).await,
        std::slice::from_ref(&eight)
    );
    assert_eq!(
        list(&test, by_state(&[pb::TaskState::Scheduled]), 10).await,
        std::slice::from_ref(&later)
    );
    let ready = list(&test, by_state(&[pb::TaskState::Ready]), 1).await;
    assert_eq!(ready, [other, mail, seven]);
    let mixed = by_state(&[pb::TaskState::Cancelled, pb::TaskState::Scheduled]);
    assert_eq!(list(&test, mixed, 10).await, [later, eight]);
    let nowhere = pb::TaskFilter { queue: "nowhere".to_owned(), ..any() };
    assert!(list(&test, nowhere, 10).await.is_empty());
}
