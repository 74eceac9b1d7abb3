//! `bellringer.v1.WorkerService`: the stream of a worker, and the unary twins.

use std::pin::Pin;
use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::payload::Content;
use bellringer_api::v1::work_request::Message;
use bellringer_api::v1::work_response::Message as Answer;
use bellringer_api::v1::worker_service_server::WorkerService;
use futures_util::Stream;
use prost::Message as _;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::caller::{Caller, Claim, enter};
use super::convert::payload::payload;
use super::convert::time::{duration, pb_duration, pb_timestamp};
use super::convert::worker as convert;
use super::panics::told;
use super::status::invalid;
use super::stream_end::StreamEnd;
use super::undecodable::unreadable;
use super::{Context, STREAM_BUFFER};
use crate::domain::{
    Assignment, AttemptRef, Checker, Ending, Namespace, QueueName, Report, SessionId, Violations,
    limits,
};
use crate::engine::{Connection, Error, Outgoing, Session};

/// How long a new stream may take to say hello.
const HELLO: Duration = Duration::from_secs(10);
/// Messages with reports that are being written at once, for one worker.
const REPORTS_UNDER_WAY: usize = 64;
/// Tasks in one message to a worker, in bytes, unless a single one has more.
const MESSAGE_BYTES: usize = 1 << 20;
/// The same in the answer to `Lease`. Clients of gRPC take 4 MiB by default.
const LEASE_BYTES: usize = 3 << 20;
/// Longest wait of `Lease`, and most tasks.
pub(super) const LEASE_WAIT: Duration = Duration::from_secs(60);

type Sender = mpsc::Sender<Result<pb::WorkResponse, Status>>;

#[derive(Debug)]
pub(super) struct Work(pub(super) Context);

#[tonic::async_trait]
impl WorkerService for Work {
    type WorkStream = Pin<Box<dyn Stream<Item = Result<pb::WorkResponse, Status>> + Send>>;

    async fn work(
        &self,
        request: Request<Streaming<pb::WorkRequest>>,
    ) -> Result<Response<Self::WorkStream>, Status> {
        let (sender, receiver) = mpsc::channel(STREAM_BUFFER);
        let end = StreamEnd::of(&request, &self.0);
        let (context, (caller, inbound)) = (self.0.clone(), enter(request)?);
        self.0.streams.spawn(async move {
            let serving = Box::pin(serve(&context, &caller, inbound, &sender, end));
            if let Err(status) = told(serving).await {
                sender.send(Err(status)).await.ok();
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn lease(
        &self,
        request: Request<pb::LeaseRequest>,
    ) -> Result<Response<pb::LeaseResponse>, Status> {
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let hello = pb::Hello {
            namespace: request.namespace,
            worker_name: request.worker_name,
            queues: request.queues,
            kinds: request.kinds,
            versions: request.versions,
            credit: 0,
            session_token: request.session_token,
            running: Vec::new(),
        };
        let mut check = Checker::default();
        let hello = check.part(convert::hello(namespace, &hello, ""));
        let most = match request.max_tasks {
            0 => 1,
            most => most,
        };
        if usize::try_from(most).is_ok_and(|most| most > limits::BATCH) {
            check.refuse("max_tasks", format!("must be 1 to {}", limits::BATCH));
        }
        let wait = request.wait.map(|wait| duration(wait, Duration::ZERO, LEASE_WAIT));
        let wait = check.field("wait", wait.unwrap_or(Ok(Duration::ZERO))).unwrap_or_default();
        check.finish().map_err(invalid)?;
        let hello = hello.ok_or_else(|| invalid(Violations::one("namespace", "cannot be read")))?;
        let namespace = hello.namespace.clone();
        let may_take = |queues: &[QueueName]| caller.check_queues(&namespace, queues);
        may_take(&hello.queues)?;
        let engine = &self.0.engine;
        if engine.stopping().is_cancelled() {
            return Err(Error::Draining.into());
        }
        let stopping = engine.stopping();
        let (mut assignments, mut bytes) = (Vec::new(), 0_usize);
        let put = |task: &Assignment| {
            let task = convert::pb_assignment(task.clone());
            bytes = bytes.saturating_add(size(&task));
            let fits = assignments.is_empty() || bytes <= LEASE_BYTES;
            if fits {
                assignments.push(task);
            }
            fits
        };
        let session = engine.workers.lease(hello, may_take, most, wait, put, stopping).await?;
        Ok(Response::new(pb::LeaseResponse {
            session_token: session.token(),
            assignments,
            lease_duration: Some(pb_duration(engine.settings.lease_duration)),
        }))
    }

    async fn heartbeat(
        &self,
        request: Request<pb::HeartbeatRequest>,
    ) -> Result<Response<pb::HeartbeatResponse>, Status> {
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let mut check = Checker::default();
        let namespace = check.field("namespace", namespace);
        let session = check.field("session_token", SessionId::parse(&request.session_token));
        if request.running.len() > limits::BATCH {
            check.refuse("running", format!("must be up to {} attempts", limits::BATCH));
        }
        let running = request.running.into_iter().map(convert::progress);
        let running = check.field("running", running.collect::<Result<Vec<_>, _>>());
        check.finish().map_err(invalid)?;
        let (Some(namespace), Some(session), Some(running)) = (namespace, session, running) else {
            return Err(invalid(Violations::one("running", "cannot be read")));
        };
        let workers = &self.0.engine.workers;
        let (stops, expires_at) = workers.beat(&namespace, session, running).await?;
        Ok(Response::new(pb::HeartbeatResponse {
            stops: stops.into_iter().map(convert::pb_stop).collect(),
            lease_expires_at: Some(pb_timestamp(expires_at)),
        }))
    }

    async fn complete(
        &self,
        request: Request<pb::CompleteRequest>,
    ) -> Result<Response<pb::CompleteResponse>, Status> {
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let mut check = Checker::default();
        let largest = self.0.settings.largest_payload;
        let result = check.field("result", payload(request.result, largest));
        let ending = result.map(Ending::Succeeded);
        let held =
            Held { namespace, session_token: request.session_token, task_id: request.task_id };
        self.report(check, held, request.attempt, ending).await?;
        Ok(Response::new(pb::CompleteResponse {}))
    }

    async fn fail(
        &self,
        request: Request<pb::FailRequest>,
    ) -> Result<Response<pb::FailResponse>, Status> {
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let mut check = Checker::default();
        let failed = pb::Failed {
            error: request.error,
            non_retryable: request.non_retryable,
            retry_after: request.retry_after,
        };
        let ending = match convert::ending_failed(failed) {
            Ok(ending) => Some(ending),
            Err(why) => {
                let (field, why) = why.split_once(": ").unwrap_or(("error", why.as_str()));
                check.refuse(field, why);
                None
            }
        };
        let held =
            Held { namespace, session_token: request.session_token, task_id: request.task_id };
        self.report(check, held, request.attempt, ending).await?;
        Ok(Response::new(pb::FailResponse {}))
    }

    async fn release(
        &self,
        request: Request<pb::ReleaseRequest>,
    ) -> Result<Response<pb::ReleaseResponse>, Status> {
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let mut check = Checker::default();
        let delay = request.delay.map(|d| duration(d, Duration::ZERO, limits::TEN_YEARS));
        let ending = check.field("delay", delay.transpose()).map(|delay| match delay {
            Some(delay) if !delay.is_zero() => Ending::Snoozed(delay),
            _ => Ending::Released,
        });
        let held =
            Held { namespace, session_token: request.session_token, task_id: request.task_id };
        self.report(check, held, request.attempt, ending).await?;
        Ok(Response::new(pb::ReleaseResponse {}))
    }
}

/// What names an attempt in the unary twins.
struct Held {
    namespace: Claim,
    session_token: String,
    task_id: String,
}

impl Work {
    async fn report(
        &self,
        mut check: Checker,
        held: Held,
        attempt: u32,
        ending: Option<Ending>,
    ) -> Result<(), Status> {
        let namespace: Option<Namespace> = check.field("namespace", held.namespace);
        let session = check.field("session_token", SessionId::parse(&held.session_token));
        let attempt: Option<AttemptRef> = match convert::attempt_ref(&held.task_id, attempt) {
            Ok(attempt) => Some(attempt),
            Err(why) => {
                let (field, why) = why.split_once(": ").unwrap_or(("task_id", why.as_str()));
                check.refuse(field, why);
                None
            }
        };
        check.finish().map_err(invalid)?;
        let (Some(namespace), Some(session), Some(attempt), Some(ending)) =
            (namespace, session, attempt, ending)
        else {
            return Err(invalid(Violations::one("task_id", "cannot be read")));
        };
        let report = Report { attempt, ending };
        Ok(self.0.engine.workers.report_one(&namespace, session, report).await?)
    }
}

/// Serves one worker from its hello to its end.
async fn serve(
    context: &Context,
    caller: &Caller,
    mut inbound: Streaming<pb::WorkRequest>,
    sender: &Sender,
    mut end: StreamEnd,
) -> Result<(), Status> {
    let first = tokio::time::timeout(HELLO, inbound.message()).await;
    let wrong = |why: &str| invalid(Violations::one("message", why));
    let first = first.map_err(|_| wrong("hello must come within 10 s"))?;
    let first = first.map_err(|status| unreadable(&status).unwrap_or(status))?;
    let Some(Message::Hello(hello)) = first.and_then(|first| first.message) else {
        return Err(wrong("the first message must be hello"));
    };
    let credit = hello.credit;
    let namespace = caller.namespace(&hello.namespace)?;
    let hello = convert::hello(namespace, &hello, "hello").map_err(invalid)?;
    let namespace = hello.namespace.clone();
    let may_take = |queues: &[QueueName]| caller.check_queues(&namespace, queues);
    may_take(&hello.queues)?;
    if context.engine.stopping().is_cancelled() {
        return Err(Error::Draining.into());
    }
    let (connection, welcome) = context.engine.workers.connect(hello, may_take).await?;
    let settings = &context.engine.settings;
    let welcome = pb::Welcome {
        session_token: connection.session.id.token(),
        lease_duration: Some(pb_duration(settings.lease_duration)),
        heartbeat_interval: Some(pb_duration(settings.heartbeat_interval)),
        resumed: welcome.resumed,
        lost: welcome.lost.into_iter().map(convert::pb_attempt_ref).collect(),
    };
    if send(sender, Answer::Welcome(welcome)).await.is_err() {
        return Ok(());
    }
    connection.grant(credit).map_err(|why| invalid(Violations::one("hello.credit", why)))?;

    let session = connection.session.clone();
    let ended = tokio::select! {
        ended = read(context, &connection, &mut inbound) => ended?,
        ended = write(&connection, sender) => return ended,
        error = end_of(context, &session, &mut end) => return Err(error.into()),
        error = caller.ended() => return Err(error.into()),
    };
    if ended == End::Goodbye {
        // What is still to be said goes out before the stream ends.
        let last = session.outbox.take();
        if !last.acks.is_empty() {
            let acks = last.acks.into_iter().map(convert::pb_ack).collect();
            send(sender, Answer::Acks(pb::Acks { acks })).await.ok();
        }
        connection.goodbye().await?;
    }
    Ok(())
}

/// Waits until the server ends the stream. The worker is told before, so that it can go elsewhere with
/// what it runs.
async fn end_of(context: &Context, session: &Session, end: &mut StreamEnd) -> Error {
    let error = end.came().await;
    if matches!(error, Error::StreamEnded) {
        session.drain();
        end.stopped_within(context.settings.stream_grace).await;
    }
    error
}

/// How a worker ended its stream.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Goodbye,
    Broken,
}

/// Hears the worker until it leaves.
async fn read(
    context: &Context,
    connection: &Connection,
    inbound: &mut Streaming<pb::WorkRequest>,
) -> Result<End, Status> {
    let session = &connection.session;
    let mut writing = JoinSet::new();
    loop {
        session.outbox.has_space().await;
        let request = match inbound.message().await {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(End::Broken),
            Err(status) => return unreadable(&status).map_or(Ok(End::Broken), Err),
        };
        session.heard();
        let grant = |more: u32, field: &str| match more {
            0 => Ok(()),
            more => connection.grant(more).map_err(|why| invalid(Violations::one(field, why))),
        };
        match request.message {
            None => {
                return Err(invalid(Violations::one("message", "must be one of the messages")));
            }
            Some(Message::Hello(_)) => {
                return Err(invalid(Violations::one("hello", "must come first, and once")));
            }
            Some(Message::Credit(credit)) => grant(credit.grant, "credit.grant")?,
            Some(Message::Report(report)) => {
                let (reports, more) = (report.reports, report.grant);
                let reports = check_reports(context, session, reports)?;
                if reports.is_empty() {
                    grant(more, "report.grant")?;
                    continue;
                }
                connection
                    .grant_with_report(more)
                    .map_err(|why| invalid(Violations::one("report.grant", why)))?;
                if writing.len() >= REPORTS_UNDER_WAY {
                    written(writing.join_next().await);
                }
                let (workers, session) = (connection.workers().clone(), session.clone());
                writing.spawn(async move {
                    let acks = Connection::report(&workers, &session, reports).await;
                    session.outbox.push(|out| out.acks.extend(acks));
                });
            }
            Some(Message::Beat(beat)) => {
                if beat.progress.len() > limits::BATCH {
                    let why = format!("must be up to {} attempts", limits::BATCH);
                    return Err(invalid(Violations::one("beat.progress", why)));
                }
                let progress = beat.progress.into_iter().map(convert::progress);
                let progress = progress
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(|why| invalid(Violations::one("beat.progress", why)))?;
                if let Err(error) = connection.progress(progress).await {
                    // Progress is not promised; the next report replaces it.
                    tracing::warn!(%error, "failed to keep progress");
                }
            }
            Some(Message::Goodbye(_)) => {
                while written(writing.join_next().await) {}
                return Ok(End::Goodbye);
            }
        }
        while written(writing.try_join_next()) {}
    }
}

/// Whether there were reports that are written now. The panic of what wrote them is one of this stream: their
/// acks would never come.
fn written(ended: Option<Result<(), JoinError>>) -> bool {
    match ended.transpose().map_err(JoinError::try_into_panic) {
        Ok(written) => written.is_some(),
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        // Nobody aborts them but the end of the stream.
        Err(Err(_)) => true,
    }
}

/// Reads reports; those that are wrong are answered at once, and their attempts go on.
fn check_reports(
    context: &Context,
    session: &Session,
    reports: Vec<pb::AttemptReport>,
) -> Result<Vec<Report>, Status> {
    if reports.len() > limits::BATCH {
        let why = format!("must be 1 to {} reports", limits::BATCH);
        return Err(invalid(Violations::one("report.reports", why)));
    }
    let largest = context.settings.largest_payload;
    let mut good = Vec::with_capacity(reports.len());
    for report in reports {
        let (task_id, attempt) = (report.task_id.clone(), report.attempt);
        match convert::report(report, largest) {
            Ok(report) => good.push(report),
            Err(why) => match convert::attempt_ref(&task_id, attempt) {
                Ok(attempt) => {
                    let result = Err(Error::Invalid(Violations::one("report", why)));
                    let ack = crate::engine::Ack { attempt, result };
                    session.outbox.push(|out| out.acks.push(ack));
                }
                // There is no attempt to answer for.
                Err(why) => return Err(invalid(Violations::one("report.reports", why))),
            },
        }
    }
    Ok(good)
}

/// Tells the worker what there is to tell, until the session ends or the worker is gone.
async fn write(connection: &Connection, sender: &Sender) -> Result<(), Status> {
    let session = &connection.session;
    loop {
        let out = tokio::select! {
            () = sender.closed() => return Ok(()),
            out = session.outbox.next() => out,
        };
        let ended = out.ended.clone();
        if out.was_full() {
            connection.workers().has_room(session);
        }
        if send_all(sender, out).await.is_err() {
            return Ok(());
        }
        if let Some(error) = ended {
            return Err(error.into());
        }
    }
}

async fn send_all(sender: &Sender, out: Outgoing) -> Result<(), ()> {
    if !out.acks.is_empty() {
        let acks = out.acks.into_iter().map(convert::pb_ack).collect();
        send(sender, Answer::Acks(pb::Acks { acks })).await?;
    }
    for stop in out.stops {
        send(sender, Answer::Stop(convert::pb_stop(stop))).await?;
    }
    let mut assignments = Vec::new();
    let mut bytes = 0_usize;
    for task in out.assignments {
        let task = convert::pb_assignment(task);
        let size = size(&task);
        if bytes.saturating_add(size) > MESSAGE_BYTES && !assignments.is_empty() {
            let full = std::mem::take(&mut assignments);
            send(sender, Answer::Assign(pb::Assign { assignments: full })).await?;
            bytes = 0;
        }
        bytes = bytes.saturating_add(size);
        assignments.push(task);
    }
    if !assignments.is_empty() {
        send(sender, Answer::Assign(pb::Assign { assignments })).await?;
    }
    if out.drain {
        send(sender, Answer::Drain(pb::Drain {})).await?;
    }
    Ok(())
}

/// Bytes of a task in a message: of JSON as many as there are, since it becomes many times its text, and of everything
/// else no less.
fn size(task: &pb::Assignment) -> usize {
    /// Everything but what is counted, at its longest.
    const OVERHEAD: usize = 2_048;
    match task.payload.as_ref().and_then(|payload| payload.content.as_ref()) {
        Some(Content::Json(_)) => task.encoded_len(),
        Some(Content::Data(data)) if data.len() > OVERHEAD || !task.labels.is_empty() => {
            task.encoded_len()
        }
        Some(Content::Data(_)) | None => task.checkpoint.len().saturating_add(OVERHEAD),
    }
}

async fn send(sender: &Sender, message: Answer) -> Result<(), ()> {
    let response = pb::WorkResponse { message: Some(message) };
    sender.send(Ok(response)).await.map_err(|_| ())
}
