//! One connection from its first byte to its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::transport::server::TcpConnectInfo;
use tower::{Service, ServiceExt as _};

use super::opening::Listened;
use super::{ClientCertificate, Peer, Serving, Settings, Source, remains};
use crate::clock::moment_in;
use crate::metrics::Connections;
use crate::places::Place;

/// Resets of streams that nobody has looked at yet, before the connection is at fault.
const PENDING_RESETS: usize = 20;
/// Streams that were reset for errors of the client, before the connection is at fault.
const ERROR_RESETS: usize = 256;
/// What a client may send in advance, for each stream and for all together.
const WINDOWS: (u32, u32) = (1 << 20, 4 << 20);

/// A connection that was taken.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) socket: TcpStream,
    pub(super) address: SocketAddr,
    /// Freed when the connection has ended.
    pub(super) place: Place<Source>,
    pub(super) settings: Arc<Settings>,
    pub(super) handshakes: Arc<Semaphore>,
    pub(super) stop: CancellationToken,
}

impl Connection {
    /// Serves it to its end.
    pub(super) async fn serve<S, F, B>(self, service: S)
    where
        S: Service<Request<Body>, Response = Response<B>, Error = Infallible, Future = F>
            + Clone
            + Send
            + 'static,
        F: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<tonic::codegen::StdError>,
    {
        let Self { socket, address, place: _place, settings, handshakes, stop } = self;
        let _open = Open::count(&settings.counters);
        let opened_by = moment_in(settings.handshake_timeout);
        socket.set_nodelay(true).ok();
        let closing = CancellationToken::new();
        let peer = |certificate| Peer { address, closing: closing.clone(), certificate };
        let shown = None;
        let mut life = Life { settings: &settings, opened_by, closing: &closing, stop, shown };
        let Some(tls) = &settings.tls else {
            return life.serve(socket, peer(None), service).await;
        };
        let mut tls = tls.clone();
        let acceptor = TlsAcceptor::from(tls.borrow_and_update().config.clone());
        let shaking = async {
            let _turn = handshakes.acquire().await.map_err(std::io::Error::other)?;
            acceptor.accept(socket).await
        };
        let stream = tokio::select! {
            () = life.stop.cancelled() => return,
            shaken = tokio::time::timeout_at(opened_by, shaking) => match shaken {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => {
                    settings.counters.unopened.inc();
                    return tracing::debug!(%address, %error, "a TLS handshake failed");
                }
                Err(_) => {
                    settings.counters.unopened.inc();
                    return tracing::debug!(%address, "a TLS handshake took too long");
                }
            },
        };
        let chain = stream.get_ref().1.peer_certificates();
        let own = chain.and_then(|chain| chain.first());
        life.shown =
            chain.map(|chain| (tls, chain.iter().map(|one| one.clone().into_owned()).collect()));
        let certificate = own.map(|own| Arc::new(ClientCertificate::read(own)));
        life.serve(stream, peer(certificate), service).await;
    }
}

/// The times of a connection.
struct Life<'a> {
    settings: &'a Settings,
    opened_by: Instant,
    closing: &'a CancellationToken,
    stop: CancellationToken,
    /// The certificates that the client has shown, and what they are taken by.
    shown: Option<(Serving, Vec<CertificateDer<'static>>)>,
}

impl Life<'_> {
    async fn serve<IO, S, F, B>(self, io: IO, peer: Peer, service: S)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: Service<Request<Body>, Response = Response<B>, Error = Infallible, Future = F>
            + Clone
            + Send
            + 'static,
        F: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<tonic::codegen::StdError>,
    {
        let settings = self.settings;
        let address = peer.address;
        let info = TcpConnectInfo { local_addr: None, remote_addr: Some(address) };
        let service = service_fn(move |request: Request<hyper::body::Incoming>| {
            let mut request = request.map(|body| Body::new(remains::Request::new(body)));
            request.extensions_mut().insert(peer.clone());
            request.extensions_mut().insert(info.clone());
            service.clone().oneshot(request)
        });
        let (io, heard) = Listened::new(io);
        let mut connection = pin!(http(settings).serve_connection(TokioIo::new(io), service));
        let mut opening = pin!(tokio::time::sleep_until(self.opened_by));
        let mut aging = pin!(tokio::time::sleep(about(settings.age)));
        let mut ending = pin!(tokio::time::sleep(Duration::MAX));
        let mut distrusted = pin!(distrusted(self.shown));
        let (mut is_open, mut is_closing, mut is_stopping) = (false, false, false);
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%address, %error, "a connection ended with an error");
                    }
                    if !heard.preface() {
                        settings.counters.unopened.inc();
                    }
                    return;
                }
                () = &mut opening, if !is_open => {
                    is_open = true;
                    if !heard.preface() {
                        settings.counters.unopened.inc();
                        return tracing::debug!(%address, "a connection does not speak HTTP/2");
                    }
                }
                () = async {
                    tokio::select! {
                        () = &mut aging => {}
                        () = &mut distrusted => {
                            tracing::debug!(%address, "the client's certificate is no longer taken");
                        }
                    }
                }, if !is_closing => {
                    is_closing = true;
                    self.closing.cancel();
                    connection.as_mut().graceful_shutdown();
                    ending.as_mut().reset(moment_in(settings.age_grace));
                }
                () = &mut ending, if is_closing => {
                    settings.counters.cut.inc();
                    return tracing::debug!(%address, "cut a connection that does not end");
                }
                () = self.stop.cancelled(), if !is_stopping => {
                    is_stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

/// Comes when the files of TLS have changed so that what the client has shown would not be taken any more.
async fn distrusted(shown: Option<(Serving, Vec<CertificateDer<'static>>)>) {
    if let Some((mut tls, chain)) = shown {
        while tls.changed().await.is_ok() {
            if !tls.borrow_and_update().takes(&chain) {
                return;
            }
        }
    }
    std::future::pending::<()>().await;
}

fn http(settings: &Settings) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(settings.keepalive_interval)
        .keep_alive_timeout(settings.keepalive_timeout)
        .max_concurrent_streams(settings.streams)
        .max_header_list_size(settings.header_bytes)
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .max_local_error_reset_streams(ERROR_RESETS)
        .initial_stream_window_size(WINDOWS.0)
        .initial_connection_window_size(WINDOWS.1);
    builder
}

/// A time ±10 %, so that connections that began together do not end together.
pub fn about(time: Duration) -> Duration {
    time.mul_f64(rand::random_range(0.9..1.1))
}

/// Counts a connection as open until it is dropped.
struct Open<'a>(&'a Connections);

impl<'a> Open<'a> {
    fn count(counters: &'a Connections) -> Self {
        counters.open.inc();
        Self(counters)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.dec();
    }
}
