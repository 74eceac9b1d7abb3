//! A collector of traces: OpenTelemetry's own service, in this process.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use super::watched;

/// Long enough for a loaded machine; tests that pass never wait for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A span, and which service sent it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) service: String,
    pub(crate) span: Span,
}

/// Takes spans until it is dropped.
pub(crate) struct Collector {
    pub(crate) endpoint: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    _serving: JoinSet<()>,
}

struct Service(Arc<Mutex<Vec<Seen>>>);

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut seen = self.0.lock().unwrap();
        for resource in request.into_inner().resource_spans {
            let attributes = resource.resource.unwrap_or_default().attributes;
            let service = text(&attributes, "service.name");
            for scope in resource.scope_spans {
                watched::look_through("a trace", &format!("{:?}", scope.spans));
                seen.extend(
                    scope.spans.into_iter().map(|span| Seen { service: service.clone(), span }),
                );
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let service = TraceServiceServer::new(Service(seen.clone()));
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let incoming = TcpListenerStream::new(listener);
            tonic::transport::Server::builder()
                .add_service(service)
                .serve_with_incoming(incoming)
                .await
                .unwrap();
        });
        Self { endpoint, seen, _serving: serving }
    }

    /// What has come so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Waits until spans of all these names have come in one trace, and answers with that trace.
    pub(crate) async fn trace_with(&self, names: &[&str]) -> Vec<Seen> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let mut traces: BTreeMap<Vec<u8>, Vec<Seen>> = BTreeMap::new();
            for seen in self.seen() {
                traces.entry(seen.span.trace_id.clone()).or_default().push(seen);
            }
            let found = traces.into_values().find(|trace| {
                names.iter().all(|name| trace.iter().any(|seen| seen.span.name == *name))
            });
            if let Some(trace) = found {
                return trace;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "no trace with {names:?}, only:\n{}",
                tree(&self.seen())
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// An attribute as text; empty if there is none.
pub(crate) fn text(
    attributes: &[opentelemetry_proto::tonic::common::v1::KeyValue],
    key: &str,
) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    let value = found.and_then(|attribute| attribute.value.clone()).and_then(|value| value.value);
    match value {
        Some(any_value::Value::StringValue(text)) => text,
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        other => other.map_or_else(String::new, |other| format!("{other:?}")),
    }
}

/// Spans as a tree: those whose parent did not come stand at the left.
pub(crate) fn tree(trace: &[Seen]) -> String {
    let ids: HashSet<&[u8]> = trace.iter().map(|seen| seen.span.span_id.as_slice()).collect();
    let mut roots: Vec<&Seen> =
        trace.iter().filter(|seen| !ids.contains(seen.span.parent_span_id.as_slice())).collect();
    roots.sort_by_key(|seen| seen.span.start_time_unix_nano);
    let mut lines = String::new();
    for root in roots {
        line(trace, root, 0, root.span.start_time_unix_nano, &mut lines);
    }
    lines
}

fn line(trace: &[Seen], seen: &Seen, depth: usize, zero: u64, lines: &mut String) {
    let span = &seen.span;
    let ms = |nanos: u64| f64::from(u32::try_from(nanos / 1_000).unwrap_or(u32::MAX)) / 1_000.0;
    let from = ms(span.start_time_unix_nano.saturating_sub(zero));
    let took = ms(span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano));
    let indent = "  ".repeat(depth);
    let error = match span.status.as_ref().filter(|status| status.code == 2) {
        Some(status) => format!("  ERROR {}", status.message),
        None => String::new(),
    };
    let kind = SpanKind::try_from(span.kind).map_or("", |kind| kind.as_str_name());
    let kind = kind.trim_start_matches("SPAN_KIND_").to_lowercase();
    lines.push_str(&format!(
        "{:<52} {:<12} {kind:<9} at {from:>8.1} ms  {took:>8.1} ms{error}\n",
        format!("{indent}{}", span.name),
        seen.service,
    ));
    let mut children: Vec<&Seen> =
        trace.iter().filter(|child| child.span.parent_span_id == span.span_id).collect();
    children.sort_by_key(|child| child.span.start_time_unix_nano);
    for child in children {
        line(trace, child, depth + 1, zero, lines);
    }
}
