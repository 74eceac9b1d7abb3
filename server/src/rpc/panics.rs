//! A panic of what serves a call is answered with INTERNAL, and costs nobody else anything. The answer says
//! nothing of it but the id by which the log tells which call it was.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Frame, SizeHint};
use hyper::{HeaderMap, Request, Response};
use tonic::Status;
use tower::{Layer, Service};

use crate::engine::Error;
use crate::panics::caught;

/// Catches panics of what it is put around.
#[derive(Debug, Clone)]
pub(super) struct Panics;

impl<S> Layer<S> for Panics {
    type Service = Catching<S>;

    fn layer(&self, inner: S) -> Catching<S> {
        Catching { inner }
    }
}

/// A service whose panics are answered.
#[derive(Debug, Clone)]
pub(super) struct Catching<S> {
    inner: S,
}

impl<S, In, Out> Service<Request<In>> for Catching<S>
where
    S: Service<Request<In>, Response = Response<Out>, Error = Infallible>,
    S::Future: Send + 'static,
    Out: Default,
{
    type Response = Response<Answer<Out>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<In>) -> Self::Future {
        // Layers look at the request before there is anything to wait for.
        let answer = catch_unwind(AssertUnwindSafe(|| self.inner.call(request)));
        Box::pin(async move {
            let answer = match answer {
                Ok(answer) => caught(answer).await,
                Err(_) => None,
            };
            let answer = match answer {
                Some(Ok(answer)) => answer,
                None => Status::from(internal()).into_http(),
            };
            Ok(answer.map(|body| Answer { body: Some(body) }))
        })
    }
}

/// The rest of an answer; `None` after a panic.
#[derive(Debug)]
pub(super) struct Answer<B> {
    body: Option<B>,
}

impl<B: Body + Unpin> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        match catch_unwind(AssertUnwindSafe(|| Pin::new(body).poll_frame(context))) {
            Ok(frame) => frame,
            Err(_) => {
                self.body = None;
                Poll::Ready(Some(Ok(Frame::trailers(trailers(&internal().into())))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

/// Serves a stream, away from the call that began it; what ended it is told to its client.
pub(super) async fn told<T>(serving: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    caught(serving).await.unwrap_or_else(|| Err(internal().into()))
}

fn internal() -> Error {
    Error::Internal { log_id: uuid::Uuid::new_v4().simple().to_string() }
}

fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    // It is text that we have written.
    status.add_header(&mut trailers).ok();
    trailers
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::sync::Arc;
    use std::time::Duration;

    use futures_util::StreamExt as _;
    use futures_util::stream::BoxStream;
    use serde_json::Value;
    use tokio::sync::Notify;
    use tokio::task::JoinSet;
    use tokio_util::sync::CancellationToken;
    use tonic::service::Routes;
    use tonic::transport::Channel;
    use tonic::{Code, Request as Call, Response as Answered};
    use tonic_health::pb::health_client::HealthClient;
    use tonic_health::pb::health_server::{Health, HealthServer};
    use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
    use tonic_types::StatusExt as _;
    use tower::{ServiceBuilder, ServiceExt as _};

    use super::*;
    use crate::config::{Log, LogFormat};
    use crate::edge;
    use crate::metrics::Metrics;
    use crate::rpc::call::CallLayer;
    use crate::rpc::measure::{MeasureLayer, methods};
    use crate::telemetry::Tracer;

    /// What must never be told to a caller.
    const SECRET: &str = "cAnArY-4711";
    const GRACE: Duration = Duration::from_secs(10);
    /// Tells [`child`] that it is one.
    const CHILD: &str = "BELLRINGER_TEST_PANICS";

    /// Panics when asked for "panic"; other calls wait until they may end.
    struct Panicking(Arc<Notify>);

    #[tonic::async_trait]
    impl Health for Panicking {
        type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

        async fn check(
            &self,
            request: Call<HealthCheckRequest>,
        ) -> Result<Answered<HealthCheckResponse>, Status> {
            assert_ne!(request.get_ref().service, "panic", "{SECRET}");
            self.0.notified().await;
            Ok(Answered::new(HealthCheckResponse::default()))
        }

        async fn watch(
            &self,
            _: Call<HealthCheckRequest>,
        ) -> Result<Answered<Self::WatchStream>, Status> {
            let messages = futures_util::stream::iter([true, false]).then(async |is_good| {
                // What is good goes out before.
                tokio::task::yield_now().await;
                assert!(is_good, "{SECRET}");
                Ok(HealthCheckResponse::default())
            });
            Ok(Answered::new(messages.boxed()))
        }
    }

    /// A server of [`Panicking`], with one connection to it.
    struct Served {
        health: HealthClient<Channel>,
        metrics: Arc<Metrics>,
        may_end: Arc<Notify>,
        stop: CancellationToken,
        serving: JoinSet<anyhow::Result<()>>,
    }

    impl Served {
        async fn start() -> Self {
            let metrics = Arc::new(Metrics::new(&[], &methods()));
            let may_end = Arc::new(Notify::new());
            let routes = Routes::new(HealthServer::new(Panicking(may_end.clone()))).prepare();
            let service = ServiceBuilder::new()
                .layer(CallLayer(Tracer::off()))
                .layer(MeasureLayer(metrics.clone()))
                .layer(Panics)
                .service(routes);
            let settings = edge::Settings {
                tls: None,
                connections: 1,
                connections_per_source: 1,
                handshake_timeout: GRACE,
                keepalive_interval: GRACE,
                keepalive_timeout: GRACE,
                age: 10 * GRACE,
                age_grace: GRACE,
                streams: 8,
                header_bytes: 8192,
                counters: metrics.connections.clone(),
            };
            let listener = crate::rpc::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let (stop, mut serving) = (CancellationToken::new(), JoinSet::new());
            serving.spawn(edge::serve(listener, settings, service, stop.clone()));
            let channel = Channel::from_shared(url).unwrap().connect().await.unwrap();
            Self { health: HealthClient::new(channel), metrics, may_end, stop, serving }
        }

        async fn stop(mut self) -> Arc<Metrics> {
            self.stop.cancel();
            drop(self.health);
            self.serving.join_next().await.unwrap().unwrap().unwrap();
            self.metrics
        }
    }

    fn ask(service: &str) -> Call<HealthCheckRequest> {
        let mut call = Call::new(HealthCheckRequest { service: service.to_owned() });
        call.metadata_mut().insert("x-request-id", "request-1".parse().unwrap());
        call
    }

    fn assert_says_nothing(status: &Status) {
        assert_eq!(status.code(), Code::Internal, "{status:?}");
        assert_eq!(status.get_details_error_info().unwrap().reason, "INTERNAL");
        assert!(!format!("{status:?}").contains(SECRET), "{status:?}");
    }

    async fn panic_once_in_a_call_and_once_in_a_stream() -> Arc<Metrics> {
        let served = Served::start().await;
        let (mut health, mut other) = (served.health.clone(), served.health.clone());
        let mut others = JoinSet::new();
        others.spawn(async move { other.check(ask("other")).await });

        assert_says_nothing(&health.check(ask("panic")).await.unwrap_err());
        let mut stream = health.watch(ask("")).await.unwrap().into_inner();
        assert!(stream.message().await.unwrap().is_some());
        assert_says_nothing(&stream.message().await.unwrap_err());
        served.may_end.notify_one();
        others.join_next().await.unwrap().unwrap().unwrap();

        drop(health);
        served.stop().await
    }

    #[tokio::test]
    async fn a_panic_is_answered_and_other_calls_of_the_connection_go_on() {
        let metrics = panic_once_in_a_call_and_once_in_a_stream().await.text();
        for line in [
            r#"bellringer_grpc_calls_total{method="grpc.health.v1.Health/Check",code="internal"} 1"#,
            r#"bellringer_grpc_calls_total{method="grpc.health.v1.Health/Check",code="ok"} 1"#,
            r#"bellringer_grpc_calls_total{method="grpc.health.v1.Health/Watch",code="internal"} 1"#,
            r#"bellringer_grpc_errors_total{reason="INTERNAL"} 2"#,
            "bellringer_grpc_connections_accepted_total 1",
        ] {
            assert!(metrics.lines().any(|told| told == line), "{line} in {metrics}");
        }
    }

    #[tokio::test]
    async fn a_panic_of_a_layer_is_answered_too() {
        let broken = tower::service_fn(|request: Request<()>| {
            assert!(request.uri().path().is_empty(), "{SECRET}");
            std::future::ready(Ok::<Response<String>, Infallible>(Response::default()))
        });
        let answer = Panics.layer(broken).oneshot(Request::default()).await.unwrap();
        assert_says_nothing(&Status::from_header_map(answer.headers()).unwrap());
    }

    #[tokio::test]
    async fn a_panic_of_what_serves_a_stream_by_itself_ends_it_with_an_error() {
        let serving = async { panic!("{SECRET}") };
        assert_says_nothing(&told::<()>(serving).await.unwrap_err());
    }

    /// Panics as a server would, with the log of a server.
    #[tokio::test]
    #[ignore = "is run by the next test, in a process of its own"]
    async fn child() {
        if std::env::var_os(CHILD).is_none() {
            return;
        }
        let log = Log { format: LogFormat::Json, level: "info".to_owned() };
        crate::log::start(&log, None).unwrap();
        let metrics = panic_once_in_a_call_and_once_in_a_stream().await;
        print!("{}", metrics.text());
    }

    #[test]
    fn a_panic_stands_in_the_log_once_and_is_counted() {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "rpc::panics::tests::child"])
            .env(CHILD, "1")
            .env("RUST_BACKTRACE", "0")
            .output()
            .unwrap();
        let (out, log) = (String::from_utf8(child.stdout).unwrap(), child.stderr);
        let log = String::from_utf8(log).unwrap();
        assert!(child.status.success(), "{out}\n{log}");
        assert!(out.lines().any(|line| line == "bellringer_panics_total 2"), "{out}");

        let lines: Vec<Value> =
            log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let told: Vec<_> = lines
            .iter()
            .map(|line| {
                assert_eq!(line["level"], "ERROR", "{line}");
                line["fields"]["message"].as_str().unwrap()
            })
            .collect();
        let each = ["the program panicked", "a call was answered INTERNAL"];
        assert_eq!(told, each.repeat(2), "{log}");
        let panic = &lines[0]["fields"];
        assert!(panic["panic"].as_str().unwrap().contains(SECRET), "{panic}");
        assert!(panic["place"].as_str().unwrap().contains("panics.rs:"), "{panic}");
        assert_eq!(lines[0]["span"]["request_id"], "request-1", "{log}");
        assert_eq!(log.matches(SECRET).count(), 2, "{log}");
    }
}
