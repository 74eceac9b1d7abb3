//! Around every call: the span of the call in the caller's trace, and what ties lines of the log to the
//! call. A call of somebody who tells neither costs two look-ups of a header.

use std::task;

use futures_util::future::{BoxFuture, Either};
use jiff::Timestamp;
use tonic::codegen::http;
use tonic::{Code, Request, Status};
use tower::{Layer, Service};
use tracing::Instrument as _;

use crate::clock::{Clock as _, SystemClock};
use crate::telemetry::{Kind, Span, TraceContext, Tracer, new_span, new_trace};

/// Longest request id that is taken from a caller.
const REQUEST_ID: usize = 64;
/// What ours are called; health and reflection are not traced.
const OURS: &str = "/bellringer.v1.";
/// Streams have no end worth a span: what goes over them has spans of its own.
const STREAMS: [&str; 2] =
    ["/bellringer.v1.WorkerService/Work", "/bellringer.v1.TaskService/Watch"];
/// Workers ask all day: their calls begin no trace.
const WORKERS: &str = "/bellringer.v1.WorkerService/";

/// Puts [`Calls`] around the services.
#[derive(Debug, Clone)]
pub(super) struct CallLayer(pub(super) Tracer);

impl<S> Layer<S> for CallLayer {
    type Service = Calls<S>;

    fn layer(&self, inner: S) -> Calls<S> {
        Calls { inner, tracer: self.0.clone() }
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Calls<S> {
    inner: S,
    tracer: Tracer,
}

impl<S, B, R> Service<http::Request<B>> for Calls<S>
where
    S: Service<http::Request<B>, Response = http::Response<R>>,
    S::Future: Send + 'static,
    S::Error: Send,
    R: Send,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Either<S::Future, BoxFuture<'static, Result<S::Response, S::Error>>>;

    fn poll_ready(&mut self, context: &mut task::Context<'_>) -> task::Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<B>) -> Self::Future {
        let parent = header(&request, "traceparent").and_then(TraceContext::parse);
        let log = log_span(&request, parent.as_ref());
        let begun = Begun::new(&self.tracer, request.uri().path(), parent);
        if let Some(begun) = &begun {
            request.extensions_mut().insert(begun.context);
        }
        let answer = self.inner.call(request);
        if begun.is_none() && log.is_none() {
            return Either::Left(answer);
        }
        let tracer = self.tracer.clone();
        let answer = answer.instrument(log.unwrap_or_else(tracing::Span::none));
        Either::Right(Box::pin(async move {
            let answer = answer.await;
            if let Some(begun) = begun {
                let status =
                    answer.as_ref().map(|answer| Status::from_header_map(answer.headers()));
                let code = status.map_or(Code::Unknown, |status| {
                    status.map_or(Code::Ok, |status| status.code())
                });
                tracer.send(begun.end(code));
            }
            answer
        }))
    }
}

/// The span of a call, while it goes on.
struct Begun {
    path: String,
    parent: Option<u64>,
    context: TraceContext,
    start: Timestamp,
}

impl Begun {
    /// `None` if the call is not traced.
    fn new(tracer: &Tracer, path: &str, parent: Option<TraceContext>) -> Option<Self> {
        let may = tracer.is_on()
            && path.starts_with(OURS)
            && !STREAMS.contains(&path)
            && (parent.is_some() || !path.starts_with(WORKERS));
        if !may {
            return None;
        }
        let trace = parent.map_or_else(new_trace, |parent| parent.trace);
        let is_sampled = tracer.samples(trace, parent.as_ref());
        is_sampled.then(|| Self {
            path: path.to_owned(),
            parent: parent.map(|parent| parent.span),
            context: TraceContext { trace, span: new_span(), is_sampled },
            start: SystemClock.now(),
        })
    }

    fn end(self, code: Code) -> Span {
        let name = self.path.trim_start_matches('/').to_owned();
        let (service, method) = name.split_once('/').unwrap_or((&name, ""));
        let attributes = vec![
            ("rpc.system", "grpc".into()),
            ("rpc.service", service.into()),
            ("rpc.method", method.into()),
            ("rpc.grpc.status_code", i64::from(code as i32).into()),
        ];
        // What the standard counts as an error of a server.
        let is_error = matches!(
            code,
            Code::Unknown
                | Code::DeadlineExceeded
                | Code::Unimplemented
                | Code::Internal
                | Code::Unavailable
                | Code::DataLoss
        );
        Span {
            name: name.into(),
            kind: Kind::Server,
            context: self.context,
            parent: self.parent,
            link: None,
            start: self.start,
            end: SystemClock.now(),
            attributes,
            error: is_error.then(|| code.description().to_owned()),
        }
    }
}

/// The trace context for what a call makes: that of the call's own span if it is traced, else that of
/// the caller.
pub(super) fn context_of<T>(request: &Request<T>) -> Option<String> {
    if let Some(context) = request.extensions().get::<TraceContext>() {
        return Some(context.to_string());
    }
    let text = request.metadata().get("traceparent")?.to_str().ok()?;
    TraceContext::parse(text).map(|context| context.to_string())
}

/// What every line that a call logs says of the call; `None` if the caller told nothing to say.
fn log_span<B>(request: &http::Request<B>, parent: Option<&TraceContext>) -> Option<tracing::Span> {
    let is_fine = |id: &&str| {
        (1..=REQUEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let request_id = header(request, "x-request-id").filter(is_fine);
    if request_id.is_none() && parent.is_none() {
        return None;
    }
    let method = request.uri().path();
    let trace_id = parent.map(|parent| format!("{:032x}", parent.trace));
    Some(tracing::info_span!("call", method, trace_id, request_id))
}

fn header<'r, B>(request: &'r http::Request<B>, name: &str) -> Option<&'r str> {
    request.headers().get(name)?.to_str().ok()
}
