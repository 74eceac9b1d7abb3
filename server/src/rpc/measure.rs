//! Counts and measures calls: a layer around every service.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bellringer_api::FILE_DESCRIPTOR_SET;
use hyper::body::{Body, Frame, SizeHint};
use hyper::{HeaderMap, Request, Response};
use prost::Message as _;
use prost_types::FileDescriptorSet;
use tokio::time::Instant;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use tower::{Layer, Service};

use crate::metrics::{Method, Metrics};

/// Every method that is served, by path, and whether it streams.
pub fn methods() -> Vec<(String, bool)> {
    let mut methods = Vec::new();
    let sets = [FILE_DESCRIPTOR_SET, tonic_health::pb::FILE_DESCRIPTOR_SET];
    for set in sets.into_iter().filter_map(|set| FileDescriptorSet::decode(set).ok()) {
        for file in set.file {
            for service in &file.service {
                for method in &service.method {
                    let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                    let is_stream = method.client_streaming() || method.server_streaming();
                    methods.push((path, is_stream));
                }
            }
        }
    }
    methods
}

/// Measures what it is put around.
#[derive(Debug, Clone)]
pub(super) struct MeasureLayer(pub(super) Arc<Metrics>);

impl<S> Layer<S> for MeasureLayer {
    type Service = Measure<S>;

    fn layer(&self, inner: S) -> Measure<S> {
        Measure { inner, metrics: self.0.clone() }
    }
}

/// A measured service.
#[derive(Debug, Clone)]
pub(super) struct Measure<S> {
    inner: S,
    metrics: Arc<Metrics>,
}

impl<S, In, Out> Service<Request<In>> for Measure<S>
where
    S: Service<Request<In>, Response = Response<Out>>,
    S::Future: Send + 'static,
{
    type Response = Response<Measured<Out>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<In>) -> Self::Future {
        let mut call = Call::begin(&self.metrics, request.uri().path());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            // An error before the first message stands in the head.
            call.look_at(answer.headers());
            Ok(answer.map(|body| Measured { body, call }))
        })
    }
}

/// A call that is being served; it has ended when this is dropped.
#[derive(Debug)]
struct Call {
    metrics: Arc<Metrics>,
    method: Arc<Method>,
    began: Instant,
    /// Known when it was answered to the end. Else the caller has gone away.
    code: Option<Code>,
}

impl Call {
    fn begin(metrics: &Arc<Metrics>, path: &str) -> Self {
        let method = metrics.calls.method(path);
        method.open.inc();
        Self { metrics: metrics.clone(), method, began: Instant::now(), code: None }
    }

    fn look_at(&mut self, headers: &HeaderMap) {
        let Some(status) = headers.get(Status::GRPC_STATUS) else { return };
        let code = Code::from_bytes(status.as_bytes());
        self.code = Some(code);
        if code == Code::Ok {
            return;
        }
        let details =
            Status::from_header_map(headers).and_then(|status| status.get_details_error_info());
        // Only those of our own errors are known to come from a closed list.
        let reason = details.filter(|info| info.domain == super::status::DOMAIN);
        self.metrics.calls.refused(reason.as_ref().map_or("_other", |info| &info.reason));
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.method.open.dec();
        let code = self.code.unwrap_or(Code::Cancelled);
        self.method.ended(code as i32, self.began.elapsed());
    }
}

/// A body that is measured.
#[derive(Debug)]
pub(super) struct Measured<B> {
    body: B,
    call: Call,
}

impl<B: Body + Unpin> Body for Measured<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(trailers) = frame.trailers_ref()
        {
            self.call.look_at(trailers);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
