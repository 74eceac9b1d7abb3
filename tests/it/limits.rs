//! Limits of calls: what is at the limit passes, what is past it is refused with a reason, and a flood
//! past it leaves the server as it was.

use std::time::Duration;

use bellringer_api::FILE_DESCRIPTOR_SET;
use bellringer_api::v1 as pb;
use bellringer_server::app::App;
use bellringer_server::domain::Scope;
use bellringer_server::engine::Error;
use prost_reflect::DescriptorPool;
use sqlx::Connection as _;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tonic::client::Grpc;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_types::StatusExt as _;

use crate::hostile::RawCodec;
use crate::support::access::KEYS;
use crate::support::make::{seconds, task};
use crate::support::postgres::fresh_database;
use crate::support::process::health;
use crate::support::server::config;
use crate::support::{Caller, Replica, TestServer, reason};

/// How many statements wait for somebody in this database.
const HELD_UP: &str = "select count(*) from pg_locks l join pg_database d on d.oid = l.database \
    where d.datname = current_database() and not l.granted";

/// A server whose reads can be held up.
struct Held {
    replica: Replica,
    task_id: String,
    database: sqlx::PgConnection,
}

impl Held {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let url = fresh_database().await;
        let app = App::start(&config(&url, settings)).await.unwrap();
        let endpoint = Channel::from_shared(format!("http://{}", app.local_addr())).unwrap();
        let replica = Replica { channel: endpoint.connect().await.unwrap(), app };
        let request = pb::SubmitRequest { task: Some(task()), ..Default::default() };
        let task_id = replica.tasks().submit(request).await.unwrap().into_inner().task_id;
        let database = sqlx::PgConnection::connect(&url).await.unwrap();
        Self { replica, task_id, database }
    }

    /// Until the end of the transaction, tasks cannot be read.
    async fn hold(&mut self) {
        let held = sqlx::raw_sql("begin; lock table task in access exclusive mode");
        held.execute(&mut self.database).await.unwrap();
    }

    /// Waits until so many statements are held up.
    async fn wait_for(&mut self, statements: i64) {
        let until = Instant::now() + Duration::from_secs(20);
        while sqlx::query_scalar::<_, i64>(HELD_UP).fetch_one(&mut self.database).await.unwrap()
            < statements
        {
            assert!(Instant::now() < until, "the calls do not come");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until no statement is held up any more, though what they wait for is still held; how long that took.
    async fn wait_for_none(&mut self) -> Duration {
        let begun = Instant::now();
        while sqlx::query_scalar::<_, i64>(HELD_UP).fetch_one(&mut self.database).await.unwrap() > 0
        {
            assert!(begun.elapsed() < Duration::from_secs(20), "the database does not end them");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        begun.elapsed()
    }

    async fn let_go(&mut self) {
        sqlx::raw_sql("rollback").execute(&mut self.database).await.unwrap();
    }

    fn get(&self) -> impl Future<Output = Result<pb::Task, Status>> + Send + use<> {
        self.get_within("")
    }

    fn get_within(
        &self,
        timeout: &'static str,
    ) -> impl Future<Output = Result<pb::Task, Status>> + Send + use<> {
        let mut tasks = self.replica.tasks();
        let message = pb::GetTaskRequest { task_id: self.task_id.clone(), ..Default::default() };
        let mut request = Request::new(message);
        if !timeout.is_empty() {
            request.metadata_mut().insert("grpc-timeout", timeout.parse().unwrap());
        }
        async move { Ok(tasks.get(request).await?.into_inner().task.unwrap()) }
    }
}

#[tokio::test]
async fn a_call_without_a_deadline_gets_ours_and_one_with_a_long_one_no_longer_than_ours() {
    let times = [("server__call_timeout", "400ms"), ("server__longest_call", "1200ms")];
    let mut held = Held::start(&times).await;
    held.hold().await;
    for (asked, least) in [("", 400), ("1H", 1_200), ("99999999H", 1_200)] {
        let begun = Instant::now();
        let status = held.get_within(asked).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
        assert_eq!(reason(&status), "DEADLINE_EXCEEDED");
        let took = begun.elapsed();
        assert!(took >= Duration::from_millis(least), "{asked}: after {took:?}");
        assert!(took < Duration::from_millis(least) + Duration::from_secs(5), "{asked}: {took:?}");
    }
    held.let_go().await;
    held.get().await.unwrap();
}

#[tokio::test]
async fn at_the_deadline_of_a_call_the_database_ends_its_statement_and_not_after_a_minute() {
    let settings = [
        ("store__statement_timeout", "60s"),
        ("store__read_connections", "1"),
        ("server__call_timeout", "3s"),
    ];
    let mut held = Held::start(&settings).await;
    let pause = pb::PauseQueueRequest { queue: "default".to_owned(), ..Default::default() };
    held.replica.queues().pause(pause).await.unwrap();
    held.hold().await;
    let queues_too = sqlx::raw_sql("lock table queue in access exclusive mode");
    queues_too.execute(&mut held.database).await.unwrap();
    // One has a deadline of its own, at which this client gives up by itself as well; one has the server's.
    let (get, mut queues) = (held.get_within("2S"), held.replica.queues());
    let resume = pb::ResumeQueueRequest { queue: "default".to_owned(), ..Default::default() };
    let (get, resume, ()) = tokio::join!(get, queues.resume(resume), held.wait_for(2));
    let told = get.unwrap_err().code();
    assert!(matches!(told, Code::DeadlineExceeded | Code::Cancelled), "{told:?}");
    assert_eq!(resume.unwrap_err().code(), Code::DeadlineExceeded);
    println!("the last statement ended {:?} after its call", held.wait_for_none().await);
    // The only connection for reading is free again, though the tables are still locked.
    held.replica.admin().get_cluster(pb::GetClusterRequest {}).await.unwrap();
    held.let_go().await;
    held.get().await.unwrap();
    let get = pb::GetQueueRequest { queue: "default".to_owned(), ..Default::default() };
    let queue = held.replica.queues().get(get).await.unwrap().into_inner().queue.unwrap();
    assert!(queue.paused, "what was ended has changed nothing");
}

#[tokio::test]
async fn what_the_database_ends_at_a_deadline_is_told_as_such_and_its_own_limit_as_trouble() {
    let mut held = Held::start(&[("store__statement_timeout", "1s")]).await;
    let lock = "begin; lock table api_key in access exclusive mode";
    sqlx::raw_sql(lock).execute(&mut held.database).await.unwrap();
    let engine = held.replica.app.engine().clone();
    let scope = Scope::parse("acme").unwrap();
    let list = || engine.list_keys(&scope, None, false, 10);
    let deadline = Instant::now() + Duration::from_millis(400);
    let told = bellringer_server::deadline::by(deadline, list()).await.unwrap_err();
    assert!(matches!(told, Error::DeadlineExceeded), "{told:?}");
    assert!(deadline.elapsed() < Duration::from_millis(500), "{:?}", deadline.elapsed());
    let told = list().await.unwrap_err();
    assert!(matches!(told, Error::StoreUnavailable), "{told:?}");
    held.let_go().await;
    list().await.unwrap();
}

#[tokio::test]
async fn a_deadline_that_cannot_be_read_is_refused() {
    let held = Held::start(&[]).await;
    for wrong in ["5", "S", "5s", "-1S", "1.5S", "123456789S", "1 S", "soon"] {
        let status = held.get_within(wrong).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{wrong}: {status:?}");
        let bad = status.get_details_bad_request().unwrap();
        assert_eq!(bad.field_violations[0].field, "grpc-timeout");
    }
    held.get_within("30S").await.unwrap();
}

#[tokio::test]
async fn a_wait_answers_before_the_deadline_of_its_call() {
    let held = Held::start(&[]).await;
    let task_id = held.task_id.clone();
    let message = pb::WaitTaskRequest { task_id, timeout: seconds(60), ..Default::default() };
    let mut request = Request::new(message);
    request.set_timeout(Duration::from_secs(2));
    let answer = held.replica.tasks().wait(request).await.unwrap().into_inner();
    assert!(!answer.finished);
}

#[tokio::test]
async fn g_21_calls_past_the_limit_are_refused_before_anything_is_done() {
    let mut held = Held::start(&[("limits__calls", "6"), ("server__call_timeout", "20s")]).await;
    held.hold().await;
    let mut waiting = JoinSet::new();
    for _ in 0..3 {
        waiting.spawn(held.get());
    }
    held.wait_for(3).await;
    let status = held.get().await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert_eq!(reason(&status), "OVERLOADED");
    assert!(status.get_details_retry_info().is_some());
    let mut flood = JoinSet::new();
    for _ in 0..500 {
        flood.spawn(held.get());
    }
    for refused in flood.join_all().await {
        assert_eq!(refused.unwrap_err().code(), Code::ResourceExhausted);
    }
    let address = format!("http://{}", held.replica.app.local_addr());
    assert_eq!(health(&address, "liveness").await, Some(ServingStatus::Serving));
    held.let_go().await;
    let answered = waiting.join_all().await;
    assert!(answered.iter().all(Result::is_ok), "{answered:?}");
    held.get().await.unwrap();
}

#[tokio::test]
async fn when_every_connection_to_the_database_is_in_use_calls_are_refused_soon() {
    let settings = [("store__acquire_timeout", "300ms"), ("server__call_timeout", "20s")];
    let mut held = Held::start(&settings).await;
    held.hold().await;
    let mut waiting = JoinSet::new();
    // As many as there are connections, and more.
    for _ in 0..12 {
        waiting.spawn(held.get());
    }
    let mut refused = 0;
    while refused < 9 {
        let status = waiting.join_next().await.unwrap().unwrap().unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        assert!(status.get_details_retry_info().is_some());
        refused += 1;
    }
    held.let_go().await;
    let answered = waiting.join_all().await;
    assert!(answered.len() == 3 && answered.iter().all(Result::is_ok), "{answered:?}");
}

/// A message of so many bytes, all of them in a field that nobody knows.
fn message(bytes: usize) -> Vec<u8> {
    // Field 1,000 as bytes, and their length in four bytes.
    let length = bytes - 6;
    let mut message = vec![0xc2, 0x3e];
    for part in 0..4 {
        let more = if part < 3 { 0x80 } else { 0 };
        message.push(u8::try_from((length >> (7 * part)) & 0x7f).unwrap() | more);
    }
    message.resize(bytes, 0);
    message
}

#[tokio::test]
async fn every_method_takes_messages_up_to_the_limit_and_none_past_it() {
    const LIMIT: usize = 4 << 20;
    let test = TestServer::start().await;
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    let mut methods = 0;
    for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
        if method.is_client_streaming() {
            continue;
        }
        methods += 1;
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        for (bytes, is_too_large) in [(LIMIT, false), (LIMIT + 1, true)] {
            let mut grpc = Grpc::new(test.replica.channel.clone());
            grpc.ready().await.unwrap();
            let request = Request::new(message(bytes));
            let path = path.parse().unwrap();
            let answer = grpc.server_streaming(request, path, RawCodec).await;
            let told = answer.err().and_then(|status| status.get_details_bad_request());
            let fields = told.map(|bad| bad.field_violations).unwrap_or_default();
            let refused = fields.iter().any(|violation| violation.field == "message");
            assert_eq!(
                refused,
                is_too_large,
                "{} with {bytes} bytes: {fields:?}",
                method.full_name()
            );
        }
    }
    assert!(methods > 25, "{methods}");
}

#[tokio::test]
async fn a_flood_of_messages_past_the_limit_is_refused_and_others_are_served() {
    let test = TestServer::start().await;
    let enough = tokio_util::sync::CancellationToken::new();
    let mut flood = JoinSet::new();
    for _ in 0..2 {
        let address = format!("http://{}", test.replica.app.local_addr());
        let channel = Channel::from_shared(address).unwrap().connect().await.unwrap();
        let enough = enough.clone();
        flood.spawn(async move {
            let mut refused = 0;
            while !enough.is_cancelled() {
                let mut grpc = Grpc::new(channel.clone());
                grpc.ready().await.unwrap();
                let path = "/bellringer.v1.TaskService/Submit".parse().unwrap();
                let request = Request::new(message((4 << 20) + 1));
                let status = grpc.server_streaming(request, path, RawCodec).await.unwrap_err();
                let fields = status.get_details_bad_request().unwrap().field_violations;
                assert!(fields.iter().any(|it| it.field == "message"), "{fields:?}");
                refused += 1;
            }
            refused
        });
    }
    for _ in 0..5 {
        test.submit(task()).await;
    }
    enough.cancel();
    let refused: u32 = flood.join_all().await.into_iter().sum();
    assert!(refused > 0);
}

#[tokio::test]
async fn metadata_past_the_limit_is_refused_and_the_connection_goes_on() {
    let held = Held::start(&[]).await;
    let with = |bytes: usize| {
        let mut request = Request::new(pb::GetClusterRequest::default());
        request.metadata_mut().insert("x-much", "x".repeat(bytes).parse().unwrap());
        let mut admin = held.replica.admin();
        async move { admin.get_cluster(request).await }
    };
    with(15_000).await.unwrap();
    let status = with(17_000).await.unwrap_err();
    assert_ne!(status.code(), Code::Ok);
    for _ in 0..50 {
        with(60_000).await.unwrap_err();
    }
    held.get().await.unwrap();
}

#[tokio::test]
async fn a_namespace_has_so_many_schedules_and_no_more() {
    let test = TestServer::start_with(&[("limits__schedules_per_namespace", "3")]).await;
    let put = |namespace: &str, name: String| {
        let trigger = pb::Trigger {
            trigger: Some(pb::trigger::Trigger::Cron(pb::CronTrigger {
                expression: "0 3 * * *".to_owned(),
                ..Default::default()
            })),
        };
        let times = pb::ScheduleTimes { triggers: vec![trigger], ..Default::default() };
        let spec =
            pb::ScheduleSpec { times: Some(times), task: Some(task()), ..Default::default() };
        let namespace = namespace.to_owned();
        let request =
            pb::ScheduleRequest { namespace, name, spec: Some(spec), ..Default::default() };
        let mut schedules = test.schedules();
        async move { schedules.schedule(request).await }
    };
    for n in 0..3 {
        put("one", format!("s{n}")).await.unwrap();
    }
    for n in 3..20 {
        let status = put("one", format!("s{n}")).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        assert_eq!(reason(&status), "LIMIT_REACHED");
        assert!(status.get_details_retry_info().is_some());
    }
    put("one", "s0".to_owned()).await.unwrap();
    put("other", "s0".to_owned()).await.unwrap();
}

/// How many of calls that were made at once did something; the others were told that a limit is reached.
fn within_limit<T>(answers: Vec<Result<T, Status>>) -> usize {
    let refused: Vec<Status> = answers.into_iter().filter_map(Result::err).collect();
    for status in &refused {
        assert_eq!(reason(status), "LIMIT_REACHED", "{status:?}");
    }
    AT_ONCE - refused.len()
}

/// Calls that are made at once.
const AT_ONCE: usize = 20;

#[tokio::test]
async fn g_21_a_namespace_has_so_many_schedules_and_no_more_also_when_many_are_made_at_once() {
    let test = TestServer::start_with(&[("limits__schedules_per_namespace", "5")]).await;
    let other = test.another().await;
    let mut making = JoinSet::new();
    for n in 0..AT_ONCE {
        let cron = pb::CronTrigger { expression: "0 3 * * *".to_owned(), ..Default::default() };
        let trigger = pb::Trigger { trigger: Some(pb::trigger::Trigger::Cron(cron)) };
        let times = pb::ScheduleTimes { triggers: vec![trigger], ..Default::default() };
        let request = pb::ScheduleRequest {
            name: format!("s{n}"),
            spec: Some(pb::ScheduleSpec {
                times: Some(times),
                task: Some(task()),
                ..Default::default()
            }),
            ..Default::default()
        };
        let mut schedules = if n % 2 == 0 { test.schedules() } else { other.schedules() };
        making.spawn(async move { schedules.schedule(request).await });
    }
    assert_eq!(within_limit(making.join_all().await), 5);
    let made: i64 = sqlx::query_scalar("select count(*) from schedule")
        .fetch_one(&mut test.database().await)
        .await
        .unwrap();
    assert_eq!(made, 5);
}

#[tokio::test]
async fn g_21_a_namespace_has_a_hundred_keys_and_no_more_also_when_many_are_made_at_once() {
    let test = TestServer::start_with(KEYS).await;
    let other = test.another().await;
    let operator = test.key("*", &["operator"], &[]).await;
    for _ in 0..95 {
        test.key("acme", &["viewer"], &[]).await;
    }
    let mut making = JoinSet::new();
    for n in 0..AT_ONCE {
        let replica = if n % 2 == 0 { &test.replica } else { &other };
        let operator = Caller::new(replica, Some(&operator.text));
        let request = pb::CreateApiKeyRequest {
            namespace: "acme".to_owned(),
            name: format!("k{n}"),
            roles: vec![pb::Role::Viewer.into()],
            ..Default::default()
        };
        making.spawn(async move { operator.access().create_api_key(request).await });
    }
    assert_eq!(within_limit(making.join_all().await), 5);
    let made: i64 = sqlx::query_scalar("select count(*) from api_key where namespace = 'acme'")
        .fetch_one(&mut test.database().await)
        .await
        .unwrap();
    assert_eq!(made, 100);
}

/// A list in a list in a list …
fn nested(depth: usize) -> prost_types::Value {
    use prost_types::value::Kind;
    let mut value = prost_types::Value { kind: Some(Kind::BoolValue(true)) };
    for _ in 0..depth {
        let list = prost_types::ListValue { values: vec![value] };
        value = prost_types::Value { kind: Some(Kind::ListValue(list)) };
    }
    value
}

#[tokio::test]
async fn a_payload_may_be_nested_but_not_without_end() {
    let test = TestServer::start().await;
    let submit = |depth: usize| {
        let content = Some(pb::payload::Content::Json(nested(depth)));
        let payload = Some(pb::Payload { content, ..Default::default() });
        let spec = pb::TaskSpec { payload, ..task() };
        let mut tasks = test.tasks();
        let request = pb::SubmitRequest { task: Some(spec), ..Default::default() };
        async move { tasks.submit(request).await }
    };
    submit(40).await.unwrap();
    for depth in [60, 300] {
        let status = submit(depth).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{depth}: {status:?}");
    }
    submit(40).await.unwrap();
}
