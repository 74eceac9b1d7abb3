//! What this replica tells a Prometheus that asks: plain HTTP, text format, on a port of its own.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::leader::{Role, Status};
use crate::store::Bloat;

/// Most connections at once.
const CONNECTIONS: usize = 32;
/// Longest wait for a request's head.
const PATIENCE: Duration = Duration::from_secs(5);
/// The text format of Prometheus.
const FORMAT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// What metrics are made of.
#[derive(Debug, Clone)]
pub struct Sources {
    /// What this replica does about leadership.
    pub leadership: watch::Receiver<Status>,
    /// Dead rows, and what keeps them.
    pub bloat: watch::Receiver<Bloat>,
}

impl Sources {
    fn text(&self) -> String {
        let mut text = leadership(&self.leadership.borrow());
        text.push_str(&bloat(&self.bloat.borrow()));
        text
    }
}

/// Serves `/metrics` until stopped.
///
/// # Errors
/// If the listener breaks.
pub async fn serve(
    listener: TcpListener,
    sources: Sources,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut connections = JoinSet::new();
    loop {
        let socket = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = connections.join_next(), if connections.len() >= CONNECTIONS => continue,
            accepted = listener.accept(), if connections.len() < CONNECTIONS => accepted?.0,
        };
        while connections.try_join_next().is_some() {}
        let sources = sources.clone();
        connections.spawn(async move {
            let answer = service_fn(move |request| {
                let answer = answer(&request, &sources);
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

fn answer(request: &Request<Incoming>, sources: &Sources) -> Response<Full<Bytes>> {
    let (code, text) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => (StatusCode::OK, sources.text()),
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

/// Metrics of leadership.
fn leadership(status: &Status) -> String {
    let (is_leader, epoch) = match status.role {
        Role::Leader { epoch, .. } => (1, epoch),
        Role::Starting | Role::Standby | Role::Refused { .. } => (0, 0),
    };
    let is_refused = i64::from(matches!(status.role, Role::Refused { .. }));
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let mut text = String::new();
    for (name, kind, help, value) in [
        ("leader", "gauge", "1 if this replica fires schedules.", is_leader),
        ("leader_epoch", "gauge", "Number of the term in which this replica leads; else 0.", epoch),
        ("leader_refused", "gauge", "1 if this replica cannot lead; its log says why.", is_refused),
        ("leader_terms_total", "counter", "Terms that this replica has held.", count(status.terms)),
        (
            "leader_terms_lost_total",
            "counter",
            "Terms that this replica has lost without resigning.",
            count(status.lost),
        ),
    ] {
        let name = format!("bellringer_{name}");
        writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}").ok();
    }
    text
}

/// Metrics of the hot tables. Nothing before they were looked at for the first time.
fn bloat(bloat: &Bloat) -> String {
    let mut text = String::new();
    if bloat.tables.is_empty() {
        return text;
    }
    for (name, help, value) in [
        (
            "database_oldest_snapshot_seconds",
            "Age of the oldest transaction that holds a snapshot in this database.",
            bloat.snapshot_age.as_secs_f64(),
        ),
        (
            "database_oldest_xmin_transactions",
            "How many transactions ago the oldest one began whose dead rows are kept.",
            // Transaction numbers have 32 bits.
            f64::from(u32::try_from(bloat.xmin_age).unwrap_or(u32::MAX)),
        ),
    ] {
        let name = format!("bellringer_{name}");
        writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}").ok();
    }
    let name = "bellringer_database_dead_rows";
    writeln!(text, "# HELP {name} Rows of a hot table that are dead and still there, roughly.")
        .ok();
    writeln!(text, "# TYPE {name} gauge").ok();
    for table in &bloat.tables {
        writeln!(text, "{name}{{table=\"{}\"}} {}", table.table, table.dead).ok();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_that_cannot_lead_says_so() {
        let role = Role::Refused { reason: "a pooler".to_owned() };
        let told = leadership(&Status { role, terms: 3, lost: 1 });
        assert!(told.contains("\nbellringer_leader_refused 1\n"), "{told}");
        assert!(told.contains("\nbellringer_leader 0\n") && !told.contains("pooler"), "{told}");
        assert!(told.contains("# TYPE bellringer_leader_terms_total counter\n"), "{told}");
        assert!(told.contains("\nbellringer_leader_terms_total 3\n"), "{told}");
    }
}
