//! Plain HTTP, text format, on a port of its own.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Metrics;

/// Most connections at once.
const CONNECTIONS: usize = 32;
/// Longest wait for a request's head.
const PATIENCE: Duration = Duration::from_secs(5);
/// The text format of Prometheus.
const FORMAT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Serves `/metrics` until stopped. `refresh` sets what others know, each time that somebody asks.
///
/// # Errors
/// If the listener breaks.
pub async fn serve(
    listener: TcpListener,
    metrics: Arc<Metrics>,
    refresh: impl Fn() + Send + Sync + 'static,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let refresh = Arc::new(refresh);
    let mut connections = JoinSet::new();
    loop {
        let socket = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = connections.join_next(), if connections.len() >= CONNECTIONS => continue,
            accepted = listener.accept(), if connections.len() < CONNECTIONS => accepted?.0,
        };
        while connections.try_join_next().is_some() {}
        let (metrics, refresh) = (metrics.clone(), refresh.clone());
        connections.spawn(async move {
            let answer = service_fn(move |request| {
                let answer = answer(&request, &metrics, &*refresh);
                std::future::ready(Ok::<_, Infallible>(answer))
            });
            hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .keep_alive(false)
                .serve_connection(TokioIo::new(socket), answer)
                .await
                .ok();
        });
    }
}

fn answer(
    request: &Request<Incoming>,
    metrics: &Metrics,
    refresh: &impl Fn(),
) -> Response<Full<Bytes>> {
    let (code, text) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => {
            refresh();
            (StatusCode::OK, metrics.text())
        }
        (&Method::GET | &Method::HEAD, _) => {
            (StatusCode::NOT_FOUND, "metrics are at /metrics\n".to_owned())
        }
        _ => (StatusCode::METHOD_NOT_ALLOWED, "only GET is understood\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, FORMAT);
    response
}
