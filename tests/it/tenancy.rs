//! The matrix of tenants: every role calls every method for its own, foreign, nonexistent and hostile
//! namespaces and objects. What is expected comes from the table of permissions; what is foreign answers, byte
//! for byte, as what does not exist.

use std::collections::BTreeMap;
use std::time::Duration;

use bellringer_api::FILE_DESCRIPTOR_SET;
use bellringer_api::v1 as pb;
use bellringer_server::access::{Permission, Rule};
use bellringer_server::domain::Role;
use prost_reflect::prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, Value};
use tokio::time::Instant;
use tonic::Status;
use tonic_types::StatusExt as _;

use crate::hostile::{base, call};
use crate::support::access::KEYS;
use crate::support::make::task;
use crate::support::{Caller, TestServer};

/// What there is in a namespace.
struct World {
    task: String,
    queue: &'static str,
    schedule: &'static str,
    key: String,
    session: String,
}

impl World {
    async fn make(server: &TestServer, namespace: &str, name: &'static str) -> Self {
        let admin = server.caller(namespace, &["ns-admin"]).await;
        let spec = || pb::TaskSpec { queue: name.to_owned(), ..task() };
        let submit = || pb::SubmitRequest {
            namespace: namespace.to_owned(),
            task: Some(spec()),
            ..Default::default()
        };
        admin.tasks().submit(submit()).await.unwrap();
        let lease = pb::LeaseRequest {
            namespace: namespace.to_owned(),
            queues: vec![name.to_owned()],
            wait: crate::support::make::seconds(5),
            ..Default::default()
        };
        let leased = admin.workers().lease(lease).await.unwrap().into_inner();
        let task = admin.tasks().submit(submit()).await.unwrap().into_inner().task_id;
        let once = pb::OnceTrigger {
            at: Some(prost_types::Timestamp { seconds: 6_000_000_000, nanos: 0 }),
        };
        let trigger = pb::Trigger { trigger: Some(pb::trigger::Trigger::Once(once)) };
        let times = pb::ScheduleTimes { triggers: vec![trigger], ..Default::default() };
        let schedule = pb::ScheduleRequest {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            spec: Some(pb::ScheduleSpec {
                times: Some(times),
                task: Some(spec()),
                ..Default::default()
            }),
            ..Default::default()
        };
        admin.schedules().schedule(schedule).await.unwrap();
        let key = server.key(namespace, &["viewer"], &[]).await.id;
        Self { task, queue: name, schedule: name, key, session: leased.session_token }
    }

    /// Of the same lengths, and nowhere.
    fn nowhere() -> Self {
        Self {
            task: "01a209f7-f26d-75d5-8326-400316a4ee62".to_owned(),
            queue: "no-such-1",
            schedule: "no-such-1",
            key: "0123456789abcdef".to_owned(),
            session: "7f2c5b1e-9d3a-4c8e-8f60-1a2b3c4d5e6f".to_owned(),
        }
    }

    fn names(&self) -> [(&'static str, &str); 7] {
        [
            ("task_id", &self.task),
            ("task_ids", &self.task),
            ("queue", self.queue),
            ("name", self.schedule),
            ("id", &self.key),
            ("session_token", &self.session),
            ("kind", "work"),
        ]
    }
}

/// A request for a method about the objects of a world, in a namespace.
fn request(method: &MethodDescriptor, world: &World, namespace: &str) -> DynamicMessage {
    if method.is_client_streaming() {
        let hello = pb::Hello {
            namespace: namespace.to_owned(),
            session_token: world.session.clone(),
            ..Default::default()
        };
        let message = Some(pb::work_request::Message::Hello(hello));
        let bytes = pb::WorkRequest { message }.encode_to_vec();
        return DynamicMessage::decode(method.input(), bytes.as_slice()).unwrap();
    }
    let mut request = base(method, &world.names());
    for (field, value) in [
        ("namespace", Value::String(namespace.to_owned())),
        ("roles", Value::List(vec![Value::EnumNumber(pb::Role::Viewer.into())])),
        ("attempt", Value::U32(1)),
        ("confirm", Value::Bool(true)),
    ] {
        if method.input().get_field_by_name(field).is_some() {
            request.set_field_by_name(field, value);
        }
    }
    request
}

fn reason_of(answer: &Result<Option<DynamicMessage>, Status>) -> String {
    match answer {
        Ok(_) => "OK".to_owned(),
        Err(status) => match status.get_details_error_info() {
            Some(info) => info.reason,
            None => format!("{:?} without a reason", status.code()),
        },
    }
}

/// Everything that a caller can see of an answer, with what the caller itself has said left out. The entries of a
/// map come in any order, in every answer anew, so that bytes of details are compared sorted.
fn seen(answer: &Result<Option<DynamicMessage>, Status>, said: &World) -> String {
    let Err(status) = answer else { return "OK".to_owned() };
    let mut message = status.message().to_owned();
    let mut details = String::from_utf8_lossy(status.details()).into_owned();
    for (_, name) in said.names().iter().filter(|(field, _)| *field != "kind") {
        message = message.replace(name, "…");
        details = details.replace(name, "…");
    }
    let mut details: Vec<char> = details.chars().collect();
    details.sort_unstable();
    format!("{:?} {message} {}", status.code(), details.into_iter().collect::<String>())
}

/// What somebody else has, so that it can be seen that nobody touched it.
async fn state_of(server: &TestServer, namespace: &str) -> Vec<String> {
    let mut database = server.database().await;
    let mut rows = Vec::new();
    for statement in [
        "select t.id::text || t.state || t.attempt || t.is_cancelling from task_now t join namespace n
         on n.id = t.namespace where n.name = $1 order by 1",
        "select s::text from schedule s join namespace n on n.id = s.namespace where n.name = $1 order by 1",
        "select q::text from queue q join namespace n on n.id = q.namespace where n.name = $1 order by 1",
        "select k.id || k.roles::text || coalesce(k.revoked_at::text, '') from api_key k
         where k.namespace = $1 order by 1",
    ] {
        let found: Vec<String> =
            sqlx::query_scalar(statement).bind(namespace).fetch_all(&mut database).await.unwrap();
        rows.extend(found);
    }
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g_18_every_role_and_method_keep_to_the_table_in_every_namespace() {
    // Nobody may call as often as this test does.
    let settings = [KEYS[0], ("rates__limit", "off")];
    let server = TestServer::start_with(&settings).await;
    let own = World::make(&server, "acme", "own-thing").await;
    let foreign = World::make(&server, "rival", "a-rivals-").await;
    let nowhere = World::nowhere();
    let mut callers: Vec<(Option<Role>, Caller)> = vec![(None, Caller::new(&server.replica, None))];
    // The operator may touch everything, so it comes last.
    for role in Role::ALL {
        let namespace = if role == Role::Operator { "*" } else { "acme" };
        callers.push((Some(role), server.caller(namespace, &[role.word()]).await));
    }
    let before = state_of(&server, "rival").await;
    assert!(before.len() >= 4, "{before:#?}");
    let long = "a".repeat(256);
    let namespaces = ["acme", "rival", "nowhere", "", "*", "%", "ACME", "Acme", long.as_str()];
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    let services = pool.services().filter(|service| service.package_name() == "bellringer.v1");
    let methods: Vec<MethodDescriptor> =
        services.flat_map(|service| service.methods().collect::<Vec<_>>()).collect();

    let (mut calls, mut compared) = (0_u32, 0_u32);
    let mut wrong = Vec::new();
    let mut answers: BTreeMap<String, u32> = BTreeMap::new();
    for (role, caller) in &callers {
        if *role == Some(Role::Operator) {
            assert_eq!(state_of(&server, "rival").await, before, "somebody touched rival's");
        }
        for method in &methods {
            let path = format!("{}/{}", method.parent_service().full_name(), method.name());
            let permission = Permission::of(&path).unwrap();
            let takes_every = path.contains("AccessService") || path.contains("AdminService");
            let mut denials = Vec::new();
            for namespace in namespaces {
                calls += 1;
                let answer = call(&caller.0, method, vec![request(method, &own, namespace)]).await;
                let reason = reason_of(&answer);
                *answers.entry(reason.clone()).or_default() += 1;
                let is_operator = *role == Some(Role::Operator);
                let expected = match (role, permission.rule) {
                    (None, _) => Some("UNAUTHENTICATED"),
                    (Some(role), _) if !permission.allows(*role) => Some("PERMISSION_DENIED"),
                    (_, Rule::Service | Rule::Authenticated) => None,
                    (_, _) => match namespace {
                        "acme" => None,
                        "%" => Some("INVALID_ARGUMENT"),
                        text if text.len() > 63 => Some("INVALID_ARGUMENT"),
                        "*" if !takes_every => Some("INVALID_ARGUMENT"),
                        _ if is_operator => None,
                        _ => Some("PERMISSION_DENIED"),
                    },
                };
                let is_right = match expected {
                    Some(expected) => reason == expected,
                    None => reason != "UNAUTHENTICATED" && reason != "PERMISSION_DENIED",
                };
                if !is_right {
                    wrong.push(format!(
                        "{role:?} {path} in {namespace:?}: {reason}, not {expected:?}"
                    ));
                }
                if matches!(reason.as_str(), "UNAUTHENTICATED" | "PERMISSION_DENIED") {
                    denials.push(seen(&answer, &nowhere));
                }
            }
            // Whether a namespace exists or not, and how it is written, cannot be told apart.
            compared += u32::try_from(denials.len()).unwrap();
            denials.sort();
            denials.dedup();
            if denials.len() > 1 {
                wrong.push(format!("{role:?} {path}: denied in {} ways", denials.len()));
            }
            // Of what is somebody else's, the same is told as of what does not exist.
            if role.is_some_and(|role| permission.allows(role)) {
                let mut told = Vec::new();
                for world in [&foreign, &nowhere] {
                    calls += 1;
                    let answer =
                        call(&caller.0, method, vec![request(method, world, "acme")]).await;
                    *answers.entry(reason_of(&answer)).or_default() += 1;
                    told.push(seen(&answer, world));
                }
                compared += 1;
                if told[0] != told[1] {
                    wrong.push(format!("{role:?} {path}: {} / {}", told[0], told[1]));
                }
            }
        }
    }
    println!(
        "{calls} calls: {} methods, {} callers, {} namespaces; {compared} answers compared byte for \
         byte; {answers:?}",
        methods.len(),
        callers.len(),
        namespaces.len()
    );
    assert!(wrong.is_empty(), "{} of {calls}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(answers["OK"] > 100 && answers["TASK_NOT_FOUND"] > 10, "{answers:?}");
}

/// Rounds of calls that are timed: of each method about what is foreign and about what is not there, in turn.
const ROUNDS: usize = 20;

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times[times.len() / 2]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g_18_what_is_foreign_takes_about_as_long_as_what_does_not_exist() {
    let server = TestServer::start_with(&[KEYS[0], ("rates__limit", "off")]).await;
    let foreign = World::make(&server, "rival", "a-rivals-").await;
    let nowhere = World::nowhere();
    let roles = ["viewer", "submitter", "worker", "scheduler-editor", "ns-admin"];
    let caller = server.caller("acme", &roles).await;
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    let services = pool.services().filter(|service| service.package_name() == "bellringer.v1");
    // What can name an object, and does not wait for anything.
    let methods: Vec<MethodDescriptor> = services
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .filter(|method| !method.is_client_streaming() && !method.is_server_streaming())
        .filter(|method| !["Lease", "Wait", "AdvanceClock"].contains(&method.name()))
        .filter(|method| {
            let names = foreign.names();
            names.iter().any(|(field, _)| method.input().get_field_by_name(field).is_some())
        })
        .collect();

    let mut all = [Vec::new(), Vec::new()];
    for method in &methods {
        let mut times = [Vec::new(), Vec::new()];
        for round in 0..=ROUNDS {
            // Whoever is second may find something warm, so they take turns.
            let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
            for which in order {
                let world = if which == 0 { &foreign } else { &nowhere };
                let begun = Instant::now();
                let answer = call(&caller.0, method, vec![request(method, world, "acme")]).await;
                let took = begun.elapsed();
                assert_ne!(reason_of(&answer), "PERMISSION_DENIED", "{}", method.full_name());
                // The first round warms up.
                if round > 0 {
                    times[which].push(took);
                }
            }
        }
        let [foreign, nowhere] = [0, 1].map(|which| median(&times[which]));
        let ratio = foreign.as_secs_f64() / nowhere.as_secs_f64();
        println!("{ratio:5.2}  {foreign:>9.2?} {nowhere:>9.2?}  {}", method.full_name());
        for (all, times) in all.iter_mut().zip(times) {
            all.extend(times);
        }
    }
    let [foreign, nowhere] = [0, 1].map(|which| median(&all[which]));
    let ratio = foreign.as_secs_f64() / nowhere.as_secs_f64();
    println!("{ratio:5.2}  {foreign:>9.2?} {nowhere:>9.2?}  all {} methods", methods.len());
    assert!(methods.len() > 20, "{}", methods.len());
    // Medians of hundreds of calls that took turns: whatever slows the machine slows both. What is looked for is not
    // a few percent but a look-up that one of them does and the other does not.
    assert!((0.5..2.0).contains(&ratio), "a look-up tells what is foreign: {ratio}");
}
