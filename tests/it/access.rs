//! Who is let in, and who is not.

use std::collections::BTreeSet;
use std::time::Duration;

use bellringer_api::FILE_DESCRIPTOR_SET;
use bellringer_api::v1 as pb;
use bellringer_server::access::{Permission, permission::TABLE};
use prost_reflect::DescriptorPool;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::support::access::KEYS;
use crate::support::make::{self, task};
use crate::support::{Caller, TestServer, reason};

/// How long open streams may outlive a key.
const STREAMS_END: Duration = Duration::from_secs(60);

#[test]
fn every_method_of_every_service_has_a_permission() {
    let mut pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    pool.decode_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET).unwrap();
    let mut methods = BTreeSet::new();
    for service in pool.services() {
        for method in service.methods() {
            methods.insert(format!("{}/{}", service.full_name(), method.name()));
        }
    }
    let listed: BTreeSet<String> = TABLE.iter().map(|entry| entry.method.to_owned()).collect();
    let forgotten: Vec<_> = methods.difference(&listed).collect();
    assert!(forgotten.is_empty(), "methods without a permission: {forgotten:#?}");
    let idle: Vec<_> = listed
        .difference(&methods)
        .filter(|method| !method.starts_with("grpc.reflection."))
        .collect();
    assert!(idle.is_empty(), "permissions without a method: {idle:#?}");
}

/// Everything that a caller can see of a status.
fn seen(status: &Status) -> (Code, String, Vec<u8>) {
    (status.code(), status.message().to_owned(), status.details().to_vec())
}

async fn submit(caller: &Caller, namespace: &str, spec: pb::TaskSpec) -> Result<String, Status> {
    let request = pb::SubmitRequest {
        namespace: namespace.to_owned(),
        task: Some(spec),
        idempotency_key: String::new(),
    };
    Ok(caller.tasks().submit(request).await?.into_inner().task_id)
}

async fn get(caller: &Caller, namespace: &str, id: &str) -> Result<pb::Task, Status> {
    let request = pb::GetTaskRequest {
        namespace: namespace.to_owned(),
        task_id: id.to_owned(),
        ..Default::default()
    };
    Ok(caller.tasks().get(request).await?.into_inner().task.unwrap())
}

#[tokio::test]
async fn whoever_has_no_key_is_told_nothing_but_that() {
    let server = TestServer::start_with(KEYS).await;
    let key = server.key("acme", &["submitter"], &[]).await.text;
    let other = server.key("acme", &["submitter"], &[]).await;
    let id_of_other = format!("brk_{}_{}", other.id, &key[21..]);
    let expired = server.key("acme", &["submitter"], &[]).await;
    sqlx::query("update api_key set expires_at = now() - interval '1 s' where id = $1")
        .bind(&expired.id)
        .execute(&mut server.database().await)
        .await
        .unwrap();
    let good = Caller::new(&server.replica, Some(&key));
    submit(&good, "acme", task()).await.unwrap();

    let wrong = [
        None,
        Some(""),
        Some("brk_"),
        Some(&key[..key.len() - 1]),
        Some("brk_0000000000000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        Some(id_of_other.as_str()),
        Some(expired.text.as_str()),
    ];
    let mut answers = BTreeSet::new();
    for token in wrong {
        let caller = Caller::new(&server.replica, token);
        let status = submit(&caller, "acme", task()).await.unwrap_err();
        assert_eq!(reason(&status), "UNAUTHENTICATED");
        answers.insert(format!("{:?}", seen(&status)));
    }
    assert_eq!(answers.len(), 1, "{answers:#?}");
}

#[tokio::test]
async fn two_bearer_tokens_at_once_are_none() {
    let server = TestServer::start_with(KEYS).await;
    let key = server.key("acme", &["submitter"], &[]).await.text;
    let mut request = tonic::Request::new(pb::WhoAmIRequest {});
    for _ in 0..2 {
        let value = format!("Bearer {key}").parse().unwrap();
        request.metadata_mut().append("authorization", value);
    }
    let caller = Caller::new(&server.replica, None);
    let status = caller.access().who_am_i(request).await.unwrap_err();
    assert_eq!(reason(&status), "UNAUTHENTICATED");
}

#[tokio::test]
async fn health_is_for_everybody_and_reflection_is_not() {
    let server = TestServer::start_with(KEYS).await;
    let request = HealthCheckRequest { service: String::new() };
    HealthClient::new(server.replica.channel.clone()).check(request).await.unwrap();

    let reflected = |channel| async {
        use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
        use tonic_reflection::pb::v1::{ServerReflectionRequest, server_reflection_request as ask};
        let message_request = Some(ask::MessageRequest::ListServices(String::new()));
        let request = ServerReflectionRequest { host: String::new(), message_request };
        let mut client = ServerReflectionClient::new(channel);
        client.server_reflection_info(tokio_stream::once(request)).await.map(drop)
    };
    let status = reflected(server.replica.channel.clone()).await.unwrap_err();
    assert_eq!(reason(&status), "UNAUTHENTICATED");
    let open = TestServer::start().await;
    reflected(open.replica.channel.clone()).await.unwrap();
}

#[tokio::test]
async fn a_method_that_is_not_in_the_table_is_denied() {
    assert_eq!(Permission::of("bellringer.v1.TaskService/Steal"), None);
    let server = TestServer::start_with(KEYS).await;
    let operator = server.caller("*", &["operator"]).await;
    let mut client = tonic::client::Grpc::new(operator.0.clone());
    client.ready().await.unwrap();
    let path = "/bellringer.v1.TaskService/Steal".parse().unwrap();
    let codec = tonic_prost::ProstCodec::<pb::GetTaskRequest, pb::GetTaskResponse>::default();
    let request = tonic::Request::new(pb::GetTaskRequest::default());
    let status = client.unary(request, path, codec).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}

#[tokio::test]
async fn g_18_a_namespace_that_one_may_not_enter_looks_the_same_whether_it_exists_or_not() {
    let server = TestServer::start_with(KEYS).await;
    let (acme, rival) =
        (server.caller("acme", &["ns-admin"]).await, server.caller("rival", &["ns-admin"]).await);
    let foreign = submit(&rival, "rival", task()).await.unwrap();

    let existing = get(&acme, "rival", &foreign).await.unwrap_err();
    let nothing = get(&acme, "nowhere", &foreign).await.unwrap_err();
    assert_eq!(reason(&existing), "PERMISSION_DENIED");
    assert_eq!(seen(&existing), seen(&nothing));

    let foreign_id = get(&acme, "acme", &foreign).await.unwrap_err();
    let no_id = "01a209f7-f26d-75d5-8326-400316a4ee62";
    let missing = get(&acme, "acme", no_id).await.unwrap_err();
    assert_eq!(reason(&foreign_id), "TASK_NOT_FOUND");
    let (code, message, details) = seen(&missing);
    let details = String::from_utf8_lossy(&details).replace(no_id, &foreign);
    let same = (code, message.replace(no_id, &foreign), details);
    let (code, message, details) = seen(&foreign_id);
    assert_eq!((code, message, String::from_utf8_lossy(&details).into_owned()), same);
}

#[tokio::test]
async fn payloads_and_results_are_hidden_from_viewers() {
    let server = TestServer::start_with(KEYS).await;
    let admin = server.caller("acme", &["ns-admin"]).await;
    let viewer = server.caller("acme", &["viewer"]).await;
    let spec = pb::TaskSpec { payload: make::text("canary"), ..task() };
    let id = submit(&admin, "acme", spec.clone()).await.unwrap();
    let lease = pb::LeaseRequest {
        namespace: "acme".to_owned(),
        wait: make::seconds(5),
        ..Default::default()
    };
    let leased = admin.workers().lease(lease).await.unwrap().into_inner();
    let complete = pb::CompleteRequest {
        namespace: "acme".to_owned(),
        session_token: leased.session_token,
        task_id: id.clone(),
        attempt: 1,
        result: make::text("canary"),
    };
    admin.workers().complete(complete).await.unwrap();
    let schedule = pb::ScheduleRequest {
        namespace: "acme".to_owned(),
        name: "nightly".to_owned(),
        spec: Some(pb::ScheduleSpec {
            times: Some(pb::ScheduleTimes {
                triggers: vec![pb::Trigger {
                    trigger: Some(pb::trigger::Trigger::Cron(pb::CronTrigger {
                        expression: "0 3 * * *".to_owned(),
                        ..Default::default()
                    })),
                }],
                ..Default::default()
            }),
            policies: Some(pb::SchedulePolicies {
                on_failure: Some(spec.clone()),
                ..Default::default()
            }),
            task: Some(spec),
            ..Default::default()
        }),
        ..Default::default()
    };
    admin.schedules().schedule(schedule).await.unwrap();

    let shown = get(&admin, "acme", &id).await.unwrap();
    assert!(format!("{shown:?}").contains("canary") && !shown.payloads_hidden);
    let hidden = get(&viewer, "acme", &id).await.unwrap();
    assert!(hidden.payloads_hidden && hidden.attempts.len() == 1);
    let mut told = vec![format!("{hidden:?}")];
    let (namespace, view) = ("acme".to_owned(), pb::TaskView::Full.into());
    let list = pb::ListTasksRequest { namespace: namespace.clone(), view, ..Default::default() };
    told.push(format!("{:?}", viewer.tasks().list(list).await.unwrap().into_inner()));
    let wait = pb::WaitTaskRequest {
        namespace: namespace.clone(),
        task_id: id.clone(),
        ..Default::default()
    };
    told.push(format!("{:?}", viewer.tasks().wait(wait).await.unwrap().into_inner()));
    let watch = pb::WatchTasksRequest {
        namespace: namespace.clone(),
        task_ids: vec![id],
        view,
        ..Default::default()
    };
    let mut events = viewer.tasks().watch(watch).await.unwrap().into_inner();
    while let Some(event) = events.message().await.unwrap() {
        told.push(format!("{event:?}"));
    }
    let name = "nightly".to_owned();
    let request = pb::GetScheduleRequest { namespace: namespace.clone(), name };
    let found = viewer.schedules().get(request).await.unwrap().into_inner().schedule.unwrap();
    assert!(found.payloads_hidden);
    told.push(format!("{found:?}"));
    let request = pb::ListSchedulesRequest { namespace, ..Default::default() };
    told.push(format!("{:?}", viewer.schedules().list(request).await.unwrap().into_inner()));
    for answer in told {
        assert!(!answer.contains("canary"), "{answer}");
    }
}

#[tokio::test]
async fn a_worker_takes_tasks_from_its_queues_only() {
    let server = TestServer::start_with(KEYS).await;
    let key = server.key("acme", &["worker"], &["mail"]).await;
    let worker = Caller::new(&server.replica, Some(&key.text));
    let lease = |queues: &[&str]| pb::LeaseRequest {
        namespace: "acme".to_owned(),
        queues: queues.iter().map(|queue| (*queue).to_owned()).collect(),
        ..Default::default()
    };
    worker.workers().lease(lease(&["mail"])).await.unwrap();
    for queues in [&["reports"][..], &["mail", "reports"], &[]] {
        let status = worker.workers().lease(lease(queues)).await.unwrap_err();
        assert_eq!(reason(&status), "PERMISSION_DENIED", "{queues:?}");
    }
    let status = submit(&worker, "acme", task()).await.unwrap_err();
    assert_eq!(reason(&status), "PERMISSION_DENIED");
}

#[tokio::test]
async fn a_session_is_taken_up_only_by_who_may_take_tasks_from_all_of_its_queues() {
    let server = TestServer::start_with(KEYS).await;
    let admin = server.caller("acme", &["ns-admin"]).await;
    let wide = server.key("acme", &["worker"], &["mail", "reports"]).await;
    let wide = Caller::new(&server.replica, Some(&wide.text));
    let narrow = server.key("acme", &["worker"], &["mail"]).await;
    let narrow = Caller::new(&server.replica, Some(&narrow.text));
    let report = pb::TaskSpec { queue: "reports".to_owned(), ..task() };
    submit(&admin, "acme", report.clone()).await.unwrap();
    let lease = |queues: &[&str], session_token: &str| pb::LeaseRequest {
        namespace: "acme".to_owned(),
        queues: queues.iter().map(|queue| (*queue).to_owned()).collect(),
        session_token: session_token.to_owned(),
        wait: make::seconds(5),
        ..Default::default()
    };
    let leased = wide.workers().lease(lease(&["mail", "reports"], "")).await.unwrap().into_inner();
    let (token, held) = (leased.session_token, &leased.assignments[0]);

    // It is ready, and of a queue that the key may not take from.
    submit(&admin, "acme", report).await.unwrap();
    let status = narrow.workers().lease(lease(&["mail"], &token)).await.unwrap_err();
    assert_eq!(reason(&status), "PERMISSION_DENIED");
    let running = vec![pb::AttemptRef { task_id: held.task_id.clone(), attempt: held.attempt }];
    for running in [Vec::new(), running] {
        let hello = pb::Hello {
            namespace: "acme".to_owned(),
            queues: vec!["mail".to_owned()],
            session_token: token.clone(),
            running,
            ..Default::default()
        };
        let message = Some(pb::work_request::Message::Hello(hello));
        let hello = tokio_stream::once(pb::WorkRequest { message });
        let mut answers = narrow.workers().work(hello).await.unwrap().into_inner();
        assert_eq!(reason(&answers.message().await.unwrap_err()), "PERMISSION_DENIED");
    }
    // The session is as it was, and whose it is goes on.
    let complete = pb::CompleteRequest {
        namespace: "acme".to_owned(),
        session_token: token.clone(),
        task_id: held.task_id.clone(),
        attempt: held.attempt,
        result: None,
    };
    wide.workers().complete(complete).await.unwrap();
    let again = wide.workers().lease(lease(&["mail"], &token)).await.unwrap().into_inner();
    assert_eq!((again.session_token, again.assignments.len()), (token, 1));
}

#[tokio::test]
async fn nobody_gives_away_more_than_they_have() {
    let server = TestServer::start_with(KEYS).await;
    let admin = server.caller("acme", &["ns-admin"]).await;
    let create = |namespace: &str, role: pb::Role| pb::CreateApiKeyRequest {
        namespace: namespace.to_owned(),
        name: "ci".to_owned(),
        roles: vec![role.into()],
        ..Default::default()
    };
    let made = admin.access().create_api_key(create("acme", pb::Role::Submitter)).await.unwrap();
    let made = made.into_inner();
    let key = made.key.unwrap();
    assert!(made.secret.starts_with(&format!("brk_{}_", key.id)));
    let submitter = Caller::new(&server.replica, Some(&made.secret));
    submit(&submitter, "acme", task()).await.unwrap();
    let me = submitter.access().who_am_i(pb::WhoAmIRequest {}).await.unwrap().into_inner();
    assert_eq!((me.principal, me.grants.len()), (format!("key:{}", key.id), 1));

    for (namespace, role) in
        [("rival", pb::Role::Viewer), ("*", pb::Role::Viewer), ("*", pb::Role::Operator)]
    {
        let request = create(namespace, role);
        let status = admin.access().create_api_key(request).await.unwrap_err();
        assert_eq!(reason(&status), "PERMISSION_DENIED", "{namespace} {role:?}");
    }
    let request = create("acme", pb::Role::Operator);
    let status = admin.access().create_api_key(request).await.unwrap_err();
    assert_eq!(reason(&status), "INVALID_ARGUMENT");
    let request = create("acme", pb::Role::Viewer);
    let status = submitter.access().create_api_key(request).await.unwrap_err();
    assert_eq!(reason(&status), "PERMISSION_DENIED");

    // Secrets are nowhere but in that one answer.
    let list = pb::ListApiKeysRequest { namespace: "acme".to_owned(), ..Default::default() };
    let listed = format!("{:?}", admin.access().list_api_keys(list).await.unwrap().into_inner());
    assert!(listed.contains(&key.id) && !listed.contains(&made.secret[21..]));
    let kept: Vec<u8> = sqlx::query_scalar("select hash from api_key where id = $1")
        .bind(&key.id)
        .fetch_one(&mut server.database().await)
        .await
        .unwrap();
    assert_ne!(kept, &made.secret.as_bytes()[21..]);
}

#[tokio::test]
async fn keys_are_listed_page_by_page_and_bounded_in_number() {
    let server = TestServer::start_with(KEYS).await;
    let admin = server.caller("acme", &["ns-admin"]).await;
    let create = || pb::CreateApiKeyRequest {
        namespace: "acme".to_owned(),
        name: "one of many".to_owned(),
        roles: vec![pb::Role::Viewer.into()],
        ..Default::default()
    };
    for _ in 0..99 {
        admin.access().create_api_key(create()).await.unwrap();
    }
    let status = admin.access().create_api_key(create()).await.unwrap_err();
    assert_eq!(reason(&status), "LIMIT_REACHED");

    let (mut ids, mut page_token) = (BTreeSet::new(), String::new());
    loop {
        let namespace = "acme".to_owned();
        let request =
            pb::ListApiKeysRequest { namespace, page_size: 30, page_token, include_ended: false };
        let page = admin.access().list_api_keys(request).await.unwrap().into_inner();
        ids.extend(page.keys.into_iter().map(|key| key.id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(ids.len(), 100);
}

#[tokio::test]
async fn g_19_a_revoked_key_stops_everywhere_and_its_streams_end() {
    let server = TestServer::start_with(KEYS).await;
    let other = server.another().await;
    let operator = server.caller("*", &["operator"]).await;
    let victim = server.key("acme", &["submitter", "worker"], &[]).await;
    let callers = [&server.replica, &other].map(|replica| Caller::new(replica, Some(&victim.text)));
    let mut watches = Vec::new();
    let mut workers = Vec::new();
    for caller in &callers {
        let watch = pb::WatchTasksRequest {
            namespace: "acme".to_owned(),
            filter: Some(pb::TaskFilter::default()),
            ..Default::default()
        };
        let mut events = caller.tasks().watch(watch).await.unwrap().into_inner();
        events.message().await.unwrap();
        watches.push(events);
        let (requests, receiver) = mpsc::channel(4);
        let hello = pb::Hello { namespace: "acme".to_owned(), credit: 1, ..Default::default() };
        let message = Some(pb::work_request::Message::Hello(hello));
        requests.send(pb::WorkRequest { message }).await.unwrap();
        let stream = ReceiverStream::new(receiver);
        let mut answers = caller.workers().work(stream).await.unwrap().into_inner();
        answers.message().await.unwrap();
        workers.push((requests, answers));
    }

    let revoke = pb::RevokeApiKeyRequest { namespace: "acme".to_owned(), id: victim.id.clone() };
    let revoked = operator.access().revoke_api_key(revoke.clone()).await.unwrap().into_inner();
    let since = Instant::now();

    for watch in &mut watches {
        let ended = timeout(STREAMS_END, async {
            loop {
                match watch.message().await {
                    Ok(Some(_)) => {}
                    other => return other,
                }
            }
        });
        let status = ended.await.expect("the watch ends in time").unwrap_err();
        assert_eq!(reason(&status), "UNAUTHENTICATED");
    }
    for (_, answers) in &mut workers {
        let ended = timeout(STREAMS_END, async {
            loop {
                match answers.message().await {
                    Ok(Some(_)) => {}
                    other => return other,
                }
            }
        });
        let status = ended.await.expect("the stream ends in time").unwrap_err();
        assert_eq!(reason(&status), "UNAUTHENTICATED");
    }
    println!("streams on both replicas ended {:?} after the key", since.elapsed());
    for caller in &callers {
        let status = submit(caller, "acme", task()).await.unwrap_err();
        assert_eq!(reason(&status), "UNAUTHENTICATED");
    }
    // Once more changes nothing; what there is not cannot be revoked.
    let again = operator.access().revoke_api_key(revoke.clone()).await.unwrap().into_inner();
    assert_eq!(again.key.unwrap().revoked_at, revoked.key.unwrap().revoked_at);
    let elsewhere = pb::RevokeApiKeyRequest { namespace: "rival".to_owned(), ..revoke };
    let status = operator.access().revoke_api_key(elsewhere).await.unwrap_err();
    assert_eq!(reason(&status), "API_KEY_NOT_FOUND");
}

/// Hints may be lost: then the replicas find out by themselves.
#[tokio::test]
async fn g_19_a_key_that_is_revoked_behind_the_servers_back_stops_within_thirty_seconds() {
    let server = TestServer::start_with(KEYS).await;
    let victim = server.key("acme", &["submitter"], &[]).await;
    let caller = Caller::new(&server.replica, Some(&victim.text));
    submit(&caller, "acme", task()).await.unwrap();
    sqlx::query("update api_key set revoked_at = now() where id = $1")
        .bind(&victim.id)
        .execute(&mut server.database().await)
        .await
        .unwrap();
    let since = Instant::now();
    while submit(&caller, "acme", task()).await.is_ok() {
        assert!(since.elapsed() < Duration::from_secs(30), "the key still works");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("the key stopped after {:?}", since.elapsed());
}
