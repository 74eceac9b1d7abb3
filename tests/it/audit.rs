//! Who did what: every change that the table says is written down, is, and nothing is told to whom it does
//! not concern.

use std::time::Duration;

use bellringer_api::FILE_DESCRIPTOR_SET;
use bellringer_api::v1 as pb;
use bellringer_server::access::permission::AUDITED;
use prost_reflect::{DescriptorPool, ReflectMessage as _, Value};
use tokio::time::{Instant, sleep};

use crate::hostile::{base, call};
use crate::support::access::KEYS;
use crate::support::make::task;
use crate::support::{Caller, TestServer, reason};

async fn events(caller: &Caller, namespace: &str) -> Vec<pb::AuditEvent> {
    let request = pb::ListAuditEventsRequest {
        namespace: namespace.to_owned(),
        page_size: 1000,
        ..Default::default()
    };
    caller.access().list_audit_events(request).await.unwrap().into_inner().events
}

async fn submit(caller: &Caller) -> String {
    let spec = pb::TaskSpec { queue: "mail".to_owned(), ..task() };
    let request =
        pb::SubmitRequest { namespace: "acme".to_owned(), task: Some(spec), ..Default::default() };
    caller.tasks().submit(request).await.unwrap().into_inner().task_id
}

#[tokio::test]
async fn every_change_that_is_to_be_written_down_is() {
    let server = TestServer::start_with(KEYS).await;
    let operator = server.caller("*", &["operator"]).await;
    let doomed = server.key("acme", &["viewer"], &[]).await.id;
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    let me = operator.access().who_am_i(pb::WhoAmIRequest {}).await.unwrap().into_inner().principal;
    // The clock of tests is not kept in the database, so that there is no change to write down with.
    for path in AUDITED.iter().filter(|path| !path.ends_with("/AdvanceClock")) {
        let (service, method) = path.split_once('/').unwrap();
        let service = pool.get_service_by_name(service).unwrap();
        let method = service.methods().find(|found| found.name() == method).unwrap();
        let id = submit(&operator).await;
        let ids = [
            ("task_id", id.as_str()),
            ("queue", "mail"),
            ("name", "nightly"),
            ("id", doomed.as_str()),
            ("kind", "work"),
        ];
        // Those that change, or need, a schedule find one; those that make one find none.
        let mut request = base(&method, &ids);
        let schedule = async |method: &str| {
            let service = pool.get_service_by_name("bellringer.v1.ScheduleService").unwrap();
            let method = service.methods().find(|found| found.name() == method).unwrap();
            let mut request = base(&method, &ids);
            request.set_field_by_name("namespace", Value::String("acme".to_owned()));
            call(&operator.0, &method, vec![request]).await.ok();
        };
        schedule("Delete").await;
        if !path.ends_with("/Schedule") {
            schedule("Schedule").await;
        }
        if *path == "bellringer.v1.ScheduleService/Resume" {
            schedule("Pause").await;
        }
        for (field, value) in [
            ("namespace", Value::String("acme".to_owned())),
            ("confirm", Value::Bool(true)),
            ("roles", Value::List(vec![Value::EnumNumber(pb::Role::Viewer.into())])),
            ("etag", Value::String(String::new())),
        ] {
            if request.descriptor().get_field_by_name(field).is_some() {
                request.set_field_by_name(field, value);
            }
        }
        let before = events(&operator, "*").await.first().map_or(0, |event| event.id);
        let answer = match *path {
            "bellringer.v1.ScheduleService/Update" => {
                let spec =
                    pb::ScheduleSpec { description: "changed".to_owned(), ..Default::default() };
                let paths = vec!["description".to_owned()];
                let update = pb::UpdateScheduleRequest {
                    namespace: "acme".to_owned(),
                    name: "nightly".to_owned(),
                    spec: Some(spec),
                    update_mask: Some(prost_types::FieldMask { paths }),
                    ..Default::default()
                };
                operator.schedules().update(update).await.map(drop)
            }
            "bellringer.v1.ScheduleService/Backfill" => {
                let time = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
                let cron =
                    pb::CronTrigger { expression: "0 0 1 1 *".to_owned(), ..Default::default() };
                let trigger = pb::Trigger { trigger: Some(pb::trigger::Trigger::Cron(cron)) };
                let spec = pb::ScheduleSpec {
                    times: Some(pb::ScheduleTimes {
                        triggers: vec![trigger],
                        ..Default::default()
                    }),
                    task: Some(task()),
                    ..Default::default()
                };
                let put = pb::ScheduleRequest {
                    namespace: "acme".to_owned(),
                    name: "yearly".to_owned(),
                    spec: Some(spec),
                    ..Default::default()
                };
                operator.schedules().schedule(put).await.unwrap();
                let backfill = pb::BackfillScheduleRequest {
                    namespace: "acme".to_owned(),
                    name: "yearly".to_owned(),
                    from: time(1_500_000_000),
                    to: time(1_600_000_000),
                    ..Default::default()
                };
                operator.schedules().backfill(backfill).await.map(drop)
            }
            _ => call(&operator.0, &method, vec![request]).await.map(drop),
        };
        let after = events(&operator, "*").await;
        let found = after.iter().filter(|event| event.id > before).find(|e| e.method == *path);
        let found = found.unwrap_or_else(|| panic!("{path} is not written down: {answer:?}"));
        assert_eq!(found.decision(), pb::AuditDecision::Done, "{path}");
        assert_eq!(found.principal, me);
        assert!(found.source.starts_with("127.0.0.1:"), "{found:?}");
        assert!(!found.object.is_empty(), "{path}");
        assert_eq!(found.namespace, "acme", "{path}");
    }
}

#[tokio::test]
async fn refused_calls_are_written_down_and_shown_to_those_they_concern() {
    let server = TestServer::start_with(KEYS).await;
    let operator = server.caller("*", &["operator"]).await;
    let admin = server.caller("acme", &["ns-admin"]).await;
    let rival = server.caller("rival", &["ns-admin"]).await;
    let viewer = server.caller("acme", &["viewer"]).await;
    let pause = |namespace: &str| pb::PauseQueueRequest {
        namespace: namespace.to_owned(),
        queue: "mail".to_owned(),
        note: String::new(),
    };
    let mut queues = [&viewer, &rival, &Caller::new(&server.replica, None)].map(|caller| {
        bellringer_api::v1::queue_service_client::QueueServiceClient::new(caller.0.clone())
    });
    queues[0].pause(pause("acme")).await.unwrap_err();
    queues[1].pause(pause("acme")).await.unwrap_err();
    queues[1].pause(pause("rival")).await.unwrap();
    let status = queues[2].pause(pause("acme")).await.unwrap_err();
    assert_eq!(reason(&status), "UNAUTHENTICATED");

    let since = Instant::now();
    let all = loop {
        let all = events(&operator, "*").await;
        if all.len() == 4 {
            break all;
        }
        assert!(since.elapsed() < Duration::from_secs(20), "{all:#?}");
        sleep(Duration::from_millis(50)).await;
    };
    let count = |decision: pb::AuditDecision| {
        all.iter().filter(|event| event.decision() == decision).count()
    };
    assert_eq!(count(pb::AuditDecision::Denied), 2);
    assert_eq!(count(pb::AuditDecision::Unauthenticated), 1);
    // The viewer has no right to pause anywhere, so it was refused before its request was read.
    let seen = events(&admin, "acme").await;
    assert_eq!(seen.len(), 1, "{seen:#?}");
    assert_eq!(seen[0].decision(), pb::AuditDecision::Denied);
    assert_eq!(events(&rival, "rival").await.len(), 1);
    for caller in [&admin, &rival] {
        let request =
            pb::ListAuditEventsRequest { namespace: "*".to_owned(), ..Default::default() };
        let status = caller.access().list_audit_events(request).await.unwrap_err();
        assert_eq!(reason(&status), "PERMISSION_DENIED");
    }
}
