//! Takes connections, as many as there may be.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::{Request, Response};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tower::Service;

use super::connection::Connection;
use super::{Settings, Source};
use crate::places::Places;

/// Handshakes of TLS at once: each costs a millisecond of a core.
const HANDSHAKES: usize = 64;
/// Pause after no connection could be taken, for example since there are too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves connections until `stop`, and then until each has ended. A connection that does not end by
/// itself lasts until this future is dropped.
///
/// # Errors
/// None; the listener is tried again.
pub async fn serve<S, F, B>(
    listener: TcpListener,
    settings: Settings,
    service: S,
    stop: CancellationToken,
) -> anyhow::Result<()>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible, Future = F>
        + Clone
        + Send
        + 'static,
    F: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<tonic::codegen::StdError>,
{
    let places = Places::new(settings.connections, settings.connections_per_source);
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES));
    let settings = Arc::new(settings);
    let counters = settings.counters.clone();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(ended) = connections.join_next() => {
                if let Err(panic) = ended {
                    tracing::error!(%panic, "a connection panicked");
                }
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        let (socket, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot take a connection");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let source = Source::from(address.ip());
        match places.take(source) {
            Ok(place) => {
                counters.accepted.inc();
                let connection = Connection {
                    socket,
                    address,
                    place,
                    settings: settings.clone(),
                    handshakes: handshakes.clone(),
                    stop: stop.clone(),
                };
                connections.spawn(connection.serve(service.clone()));
            }
            Err(full) => {
                counters.refused.inc();
                tracing::debug!(%source, ?full, "refused a connection: there are too many");
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    Ok(())
}
