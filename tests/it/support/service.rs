//! What a Service of Kubernetes is to those who call: one address that gives each new connection to one
//! of the pods that are ready, and leaves connections alone that are there.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tonic_health::pb::health_check_response::ServingStatus;

use super::process::{address, health};

/// How often a pod is asked whether it is ready.
const PROBED_EVERY: Duration = Duration::from_millis(100);

/// A pod, as the Service sees it.
#[derive(Debug, Clone, Copy)]
struct Endpoint {
    port: u16,
    /// As its readiness probe last said.
    is_ready: bool,
    /// It is to stop: it gets no more connections, whatever its probe says.
    is_terminating: bool,
}

/// Ends with everything that goes through it when it is dropped.
pub(crate) struct Service {
    port: u16,
    endpoints: Arc<Mutex<Vec<Endpoint>>>,
    _running: JoinSet<()>,
}

impl Service {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let endpoints = Arc::<Mutex<Vec<Endpoint>>>::default();
        let mut running = JoinSet::new();
        running.spawn(forward(listener, endpoints.clone()));
        running.spawn(probe(endpoints.clone()));
        Self { port, endpoints, _running: running }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        address(self.port)
    }

    /// A new pod; it gets connections once it is ready.
    pub(crate) fn add(&self, port: u16) {
        let endpoint = Endpoint { port, is_ready: false, is_terminating: false };
        self.endpoints.lock().unwrap().push(endpoint);
    }

    /// Whether a pod gets connections.
    pub(crate) fn gives_to(&self, port: u16) -> bool {
        self.endpoints
            .lock()
            .unwrap()
            .iter()
            .any(|endpoint| endpoint.port == port && endpoint.is_open())
    }

    /// A pod was deleted.
    pub(crate) fn terminate(&self, port: u16) {
        for endpoint in self.endpoints.lock().unwrap().iter_mut() {
            endpoint.is_terminating |= endpoint.port == port;
        }
    }

    /// A pod is gone.
    pub(crate) fn remove(&self, port: u16) {
        self.endpoints.lock().unwrap().retain(|endpoint| endpoint.port != port);
    }
}

impl Endpoint {
    fn is_open(&self) -> bool {
        self.is_ready && !self.is_terminating
    }
}

async fn forward(listener: TcpListener, endpoints: Arc<Mutex<Vec<Endpoint>>>) {
    let mut connections = JoinSet::new();
    loop {
        let (mut near, _) = listener.accept().await.unwrap();
        let open: Vec<u16> = {
            let endpoints = endpoints.lock().unwrap();
            endpoints.iter().filter(|one| one.is_open()).map(|one| one.port).collect()
        };
        // Whoever comes while nobody is ready is refused.
        let Some(port) = (!open.is_empty()).then(|| open[rand::random_range(0..open.len())]) else {
            continue;
        };
        connections.spawn(async move {
            if let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await {
                near.set_nodelay(true).ok();
                far.set_nodelay(true).ok();
                tokio::io::copy_bidirectional(&mut near, &mut far).await.ok();
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn probe(endpoints: Arc<Mutex<Vec<Endpoint>>>) {
    loop {
        let ports: Vec<u16> = endpoints.lock().unwrap().iter().map(|one| one.port).collect();
        for port in ports {
            let is_ready = health(&address(port), "").await == Some(ServingStatus::Serving);
            let mut endpoints = endpoints.lock().unwrap();
            for endpoint in endpoints.iter_mut().filter(|one| one.port == port) {
                endpoint.is_ready = is_ready;
            }
        }
        tokio::time::sleep(PROBED_EVERY).await;
    }
}
