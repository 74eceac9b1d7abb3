//! Bad input never breaks anything: every field of every request, found by reflection so that new
//! fields are covered by themselves, is given hostile values. The only answers allowed are OK, a clear
//! INVALID_ARGUMENT that names a field, and the reasons that a method documents.

use std::time::Duration;

use bellringer_api::FILE_DESCRIPTOR_SET;
use bellringer_api::v1 as pb;
use prost_reflect::prost::Message as _;
use prost_reflect::{
    Cardinality, DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor,
    MethodDescriptor, ReflectMessage as _, Value,
};
use tonic::client::{Grpc, GrpcService};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::{Body, StdError};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::support::make::task;
use crate::support::{TestServer, Worker};

/// Reasons beside INVALID_ARGUMENT that a well-formed but unlucky request may meet.
const UNLUCKY: [&str; 13] = [
    "API_KEY_NOT_FOUND",
    "TASK_NOT_FOUND",
    "QUEUE_NOT_FOUND",
    "TASK_NOT_FINISHED",
    "LEASE_LOST",
    "SESSION_LOST",
    "RESYNC",
    "UNIQUE_KEY_CONFLICT",
    "SCHEDULE_NOT_FOUND",
    "SCHEDULE_EXISTS",
    "SCHEDULE_OVERLAP",
    "ETAG_MISMATCH",
    "IDEMPOTENCY_CONFLICT",
];
/// Deepest message that is looked into.
const DEPTH: usize = 5;

#[derive(Clone)]
struct DynamicCodec(MessageDescriptor);

impl Codec for DynamicCodec {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        self.clone()
    }

    fn decoder(&mut self) -> Self {
        self.clone()
    }
}

impl Encoder for DynamicCodec {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, item: DynamicMessage, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(buffer).map_err(|error| Status::internal(error.to_string()))
    }
}

impl Decoder for DynamicCodec {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        DynamicMessage::decode(self.0.clone(), buffer)
            .map(Some)
            .map_err(|error| Status::internal(error.to_string()))
    }
}

/// Hostile values of a kind.
fn hostile(kind: &Kind) -> Vec<Value> {
    let text = |text: &str| Value::String(text.to_owned());
    match kind {
        Kind::String => vec![
            text(""),
            text("a\0b"),
            text(&"x".repeat(10_000)),
            text("white space"),
            text("../../etc/passwd"),
            text("'; drop table task; --"),
            text("\u{1b}[31mred\r\nSet-Cookie: x"),
            text("\u{202e}gnp.exe"),
            text("😀"),
            text("*"),
            text("%"),
            text("01a209f7-f26d-75d5-8326-400316a4ee62"),
            text("{01a209f7f26d75d58326400316a4ee62}"),
        ],
        Kind::Bytes => vec![
            Value::Bytes(vec![0; 0].into()),
            Value::Bytes(vec![255; 2 << 20].into()),
            Value::Bytes(vec![0; 70_000].into()),
        ],
        Kind::Bool => vec![Value::Bool(true)],
        Kind::Double => {
            [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 1e308, f64::MIN_POSITIVE]
                .map(Value::F64)
                .to_vec()
        }
        Kind::Float => [f32::NAN, f32::INFINITY, -1.0].map(Value::F32).to_vec(),
        Kind::Uint32 | Kind::Fixed32 => [0, 10_001, u32::MAX].map(Value::U32).to_vec(),
        Kind::Uint64 | Kind::Fixed64 => vec![Value::U64(u64::MAX)],
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            [i32::MIN, -1, 1_000_000_000, i32::MAX].map(Value::I32).to_vec()
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            [i64::MIN, -1, 315_576_000_001, 253_402_300_800, i64::MAX].map(Value::I64).to_vec()
        }
        Kind::Enum(_) => [-1, 0, 999, i32::MAX].map(Value::EnumNumber).to_vec(),
        Kind::Message(_) => Vec::new(),
    }
}

/// A message with `change` made to it, and what was changed.
type Case = (String, DynamicMessage);

/// Every message that differs from `base` in one field, at any depth.
fn variations(base: &DynamicMessage, path: &str, depth: usize) -> Vec<Case> {
    let mut cases = Vec::new();
    if depth == 0 {
        return cases;
    }
    for field in base.descriptor().fields() {
        let path = format!("{path}{}", field.name());
        let mut put = |what: String, value: Value| {
            let mut message = base.clone();
            message.set_field(&field, value);
            cases.push((what, message));
        };
        if field.is_map() {
            put(format!("{path}: 1000 entries"), large_map(&field));
            for (n, value) in hostile(&Kind::String).into_iter().enumerate() {
                let Value::String(key) = value else { continue };
                let map = [(MapKey::String(key.clone()), map_value(&field, key))].into();
                put(format!("{path}: entry {n}"), Value::Map(map));
            }
            continue;
        }
        let is_list = field.cardinality() == Cardinality::Repeated;
        let one = |value: Value| if is_list { Value::List(vec![value]) } else { value };
        if let Kind::Message(inner) = field.kind() {
            let present = match base.get_field(&field).as_ref() {
                Value::Message(message) => message.clone(),
                Value::List(list) => match list.first() {
                    Some(Value::Message(message)) => message.clone(),
                    _ => DynamicMessage::new(inner),
                },
                _ => DynamicMessage::new(inner),
            };
            put(
                format!("{path}: empty"),
                one(Value::Message(DynamicMessage::new(present.descriptor()))),
            );
            for (what, message) in variations(&present, &format!("{path}."), depth - 1) {
                put(what, one(Value::Message(message)));
            }
        } else {
            for (n, value) in hostile(&field.kind()).into_iter().enumerate() {
                put(format!("{path}: value {n}"), one(value));
            }
        }
        if is_list {
            let item = match field.kind() {
                Kind::Message(inner) => Value::Message(DynamicMessage::new(inner)),
                kind => hostile(&kind).remove(0),
            };
            put(format!("{path}: 20,000 items"), Value::List(vec![item; 20_000]));
        }
    }
    cases
}

fn large_map(field: &FieldDescriptor) -> Value {
    let entry = |n: usize| (MapKey::String(format!("key{n}")), map_value(field, "v".to_owned()));
    Value::Map((0..1_000).map(entry).collect())
}

/// A value for a map field: text where that fits, else an empty message.
fn map_value(field: &FieldDescriptor, text: String) -> Value {
    let Kind::Message(entry) = field.kind() else { unreachable!("maps have entries") };
    match entry.map_entry_value_field().kind() {
        Kind::Message(inner) => Value::Message(DynamicMessage::new(inner)),
        _ => Value::String(text),
    }
}

/// What the fields of a request are filled with so that it finds something: a task, a session, and what has this
/// name.
pub(crate) fn ids<'a>(
    name: &'a str,
    task: &'a str,
    session: &'a str,
) -> [(&'static str, &'a str); 7] {
    [
        ("task_id", task),
        ("task_ids", task),
        ("kind", "work"),
        ("queue", name),
        ("name", name),
        ("id", "0123456789abcdef"),
        ("session_token", session),
    ]
}

/// A request that is right, for a method.
pub(crate) fn base(method: &MethodDescriptor, ids: &[(&str, &str)]) -> DynamicMessage {
    let mut request = DynamicMessage::new(method.input());
    fill(&mut request, ids);
    // An empty `timeout` is one of zero: nothing waits for a task that nobody runs.
    for name in ["task", "filter", "retention", "error", "result", "timeout"] {
        if let Some(field) = request.descriptor().get_field_by_name(name)
            && let Kind::Message(inner) = field.kind()
        {
            let mut message = DynamicMessage::new(inner);
            fill(&mut message, ids);
            // A watch takes ids or a filter, and ids are filled in already.
            if !(name == "filter" && method.name() == "Watch") {
                request.set_field(&field, Value::Message(message));
            }
        }
    }
    // A schedule's spec, or its times alone.
    let spec = schedule_spec();
    let times = spec.times.clone().unwrap();
    for (name, bytes) in [("spec", spec.encode_to_vec()), ("times", times.encode_to_vec())] {
        if let Some(field) = request.descriptor().get_field_by_name(name)
            && let Kind::Message(inner) = field.kind()
        {
            let message = DynamicMessage::decode(inner, bytes.as_slice()).unwrap();
            request.set_field(&field, Value::Message(message));
        }
    }
    if let Some(items) = request.descriptor().get_field_by_name("items")
        && let Kind::Message(inner) = items.kind()
    {
        let mut item = DynamicMessage::new(inner);
        let task = item.descriptor().get_field_by_name("task").unwrap();
        let Kind::Message(spec) = task.kind() else { unreachable!() };
        let mut spec = DynamicMessage::new(spec);
        fill(&mut spec, ids);
        item.set_field(&task, Value::Message(spec));
        request.set_field(&items, Value::List(vec![Value::Message(item)]));
    }
    request
}

/// A spec with something in every message that it can have. It does not fire while a test runs.
fn schedule_spec() -> pb::ScheduleSpec {
    let cron = pb::CronTrigger { expression: "0 0 29 2 *".to_owned(), ..Default::default() };
    let time = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    let interval = pb::IntervalTrigger {
        every: Some(prost_types::Duration { seconds: 86_400 * 365, nanos: 0 }),
        anchor: time(6_000_000_000),
        phase: Some(prost_types::Duration { seconds: 7, nanos: 0 }),
    };
    let calendar = pb::CalendarTrigger {
        every: 9,
        unit: pb::CalendarUnit::Year.into(),
        from_date: "2150-01-31".to_owned(),
        local_time: "02:30".to_owned(),
    };
    let triggers = [
        pb::trigger::Trigger::Cron(cron.clone()),
        pb::trigger::Trigger::Interval(interval),
        pb::trigger::Trigger::Once(pb::OnceTrigger { at: time(6_000_000_000) }),
        pb::trigger::Trigger::Calendar(calendar),
    ];
    let exclusions = [
        pb::exclusion::Exclusion::Dates(pb::DateRange {
            from_date: "2150-12-24".to_owned(),
            to_date: String::new(),
        }),
        pb::exclusion::Exclusion::Range(pb::TimeRange {
            from: time(6_000_000_000),
            to: time(6_000_000_001),
        }),
        pb::exclusion::Exclusion::Trigger(pb::Trigger {
            trigger: Some(pb::trigger::Trigger::Cron(cron)),
        }),
    ];
    pb::ScheduleSpec {
        times: Some(pb::ScheduleTimes {
            triggers: triggers.map(|one| pb::Trigger { trigger: Some(one) }).into(),
            exclusions: exclusions.map(|one| pb::Exclusion { exclusion: Some(one) }).into(),
            start: time(5_000_000_000),
            ..Default::default()
        }),
        task: Some(pb::TaskSpec { kind: "work".to_owned(), ..Default::default() }),
        policies: Some(pb::SchedulePolicies {
            on_failure: Some(pb::TaskSpec { kind: "work".to_owned(), ..Default::default() }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn fill(message: &mut DynamicMessage, ids: &[(&str, &str)]) {
    for (name, text) in ids {
        if let Some(field) = message.descriptor().get_field_by_name(name) {
            let text = Value::String((*text).to_owned());
            let value = if field.is_list() { Value::List(vec![text]) } else { text };
            message.set_field(&field, value);
        }
    }
    for (name, number) in [("attempt", 1), ("max_tasks", 1)] {
        if let Some(field) = message.descriptor().get_field_by_name(name) {
            message.set_field(&field, Value::U32(number));
        }
    }
}

/// Bytes that are sent as they are.
#[derive(Clone)]
pub(crate) struct RawCodec;

impl Codec for RawCodec {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for RawCodec {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        bytes::BufMut::put_slice(buffer, &item);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let length = bytes::Buf::remaining(buffer);
        Ok(Some(bytes::Buf::copy_to_bytes(buffer, length).to_vec()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_are_no_protobuf_fail_their_own_call_only() {
    let test = TestServer::start().await;
    let good = bellringer_api::v1::SubmitRequest { task: Some(task()), ..Default::default() };
    let good = good.encode_to_vec();
    let mut nested = Vec::new();
    for _ in 0..101 {
        // Field 2 (task), then field 4 (payload) and so on: deeper than protobuf allows.
        let length = nested.len();
        let mut outer = vec![0x12];
        let mut rest = length;
        while rest >= 0x80 {
            outer.push(u8::try_from(rest & 0x7f).unwrap() | 0x80);
            rest >>= 7;
        }
        outer.push(u8::try_from(rest).unwrap());
        outer.extend(&nested);
        nested = outer;
    }
    let mut cases = vec![vec![0xff; 1_000], vec![0x12, 0xff, 0xff, 0xff, 0xff, 0x0f], nested];
    cases.extend((1..good.len()).map(|end| good[..end].to_vec()));
    for place in 0..good.len() {
        for bit in 0..8 {
            let mut mutated = good.clone();
            mutated[place] ^= 1 << bit;
            cases.push(mutated);
        }
    }
    let mut refused = 0;
    for case in cases {
        let mut grpc = Grpc::new(test.replica.channel.clone());
        grpc.ready().await.unwrap();
        let path = "/bellringer.v1.TaskService/Submit".parse().unwrap();
        let answer = grpc.unary(tonic::Request::new(case), path, RawCodec).await;
        if let Err(status) = answer {
            refused += 1;
            assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
            assert!(status.get_details_bad_request().is_some(), "{status:?}");
        }
    }
    assert!(refused > 20, "only {refused} were refused");
    test.submit(task()).await;
}

/// Calls any method with one request and takes its first answer.
pub(crate) async fn call<C>(
    channel: &C,
    method: &MethodDescriptor,
    requests: Vec<DynamicMessage>,
) -> Result<Option<DynamicMessage>, Status>
where
    C: GrpcService<tonic::body::Body> + Clone,
    C::Error: Into<StdError>,
    C::ResponseBody: Body<Data = bytes::Bytes> + Send + 'static,
    <C::ResponseBody as Body>::Error: Into<StdError> + Send,
{
    let mut grpc = Grpc::new(channel.clone()).max_encoding_message_size(64 << 20);
    grpc.ready().await.map_err(|error| {
        let error: StdError = error.into();
        Status::unknown(error.to_string())
    })?;
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let codec = DynamicCodec(method.output());
    let stream = tokio_stream::iter(requests);
    let request = tonic::Request::new(stream);
    let mut answers = grpc.streaming(request, path.parse().unwrap(), codec).await?.into_inner();
    let mut last = answers.message().await?;
    // Work answers with a welcome before it hears the second message.
    if method.is_client_streaming() {
        while let Some(next) = answers.message().await? {
            last = Some(next);
        }
    }
    Ok(last)
}

pub(crate) fn is_allowed(status: &Status) -> bool {
    if status.code() == Code::OutOfRange && status.message().contains("message length too large") {
        return true;
    }
    let details = status.get_error_details();
    let Some(info) = details.error_info() else { return false };
    match status.code() {
        Code::InvalidArgument => {
            info.reason == "INVALID_ARGUMENT"
                && details.bad_request().is_some_and(|request| {
                    let violations = &request.field_violations;
                    !violations.is_empty()
                        && violations
                            .iter()
                            .all(|v| !v.field.is_empty() && !v.description.is_empty())
                })
        }
        _ => UNLUCKY.contains(&info.reason.as_str()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_field_of_every_request_takes_hostile_values_without_harm() {
    let test = TestServer::start().await;
    let id = test.submit(task()).await;
    let session = test
        .workers()
        .lease(bellringer_api::v1::LeaseRequest::default())
        .await
        .unwrap()
        .into_inner();
    let ids = ids("hostile", &id, &session.session_token);
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    let channel = &test.replica.channel;
    let (mut count, mut refused) = (0, 0);
    let mut wrong = Vec::new();
    let services: Vec<_> =
        pool.services().filter(|s| s.package_name() == "bellringer.v1").collect();
    assert_eq!(services.len(), 7);
    let request = pb::ScheduleRequest {
        name: "hostile".to_owned(),
        spec: Some(schedule_spec()),
        ..Default::default()
    };
    test.schedules().schedule(request).await.unwrap();
    for method in services.iter().flat_map(|service| service.methods()) {
        // Every case on a stream of its own would wait for the stream to end.
        let first = base(&method, &ids);
        for (what, request) in variations(&first, "", DEPTH) {
            count += 1;
            let mut requests = vec![request];
            if method.is_client_streaming() && !what.starts_with("hello") {
                let hello = method.input().get_field_by_name("hello").unwrap();
                let Kind::Message(inner) = hello.kind() else { unreachable!() };
                let mut begin = DynamicMessage::new(method.input());
                begin.set_field(&hello, Value::Message(DynamicMessage::new(inner)));
                requests.insert(0, begin);
            }
            let name = format!("{}/{} {what}", method.parent_service().name(), method.name());
            let limit = Duration::from_secs(20);
            let answer = tokio::time::timeout(limit, call(channel, &method, requests));
            match answer.await {
                Err(_) => wrong.push(format!("{name}: no answer")),
                Ok(Err(status)) if !is_allowed(&status) => {
                    wrong.push(format!("{name}: {:?} {}", status.code(), status.message()));
                }
                Ok(Err(_)) => refused += 1,
                Ok(Ok(_)) => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 1_000, "only {count} cases");
    assert!(refused > 500, "only {refused} of {count} were refused");
    println!("{count} hostile requests, {refused} refused");

    // And the server is as well as before.
    let mut worker = Worker::connect(&test.replica, 1).await;
    let healthy = test.submit(task()).await;
    let mut got = worker.task().await;
    while got.task_id != healthy {
        worker.succeed(&got, "x").await;
        worker.grant(1).await;
        got = worker.task().await;
    }
    worker.succeed(&got, "well").await;
}
