//! Metrics of connections.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// What happened to the connections of a listener, and to the certificate that they are served with.
#[derive(Debug, Default)]
pub struct Connections {
    /// Connections that are open.
    pub open: Gauge,
    /// Connections that were taken.
    pub accepted: Counter,
    /// Connections that were refused, since there were too many.
    pub refused: Counter,
    /// Connections that ended before they spoke HTTP/2: failed handshakes, and silence.
    pub unopened: Counter,
    /// Connections that were cut after their grace.
    pub cut: Counter,
    /// New certificates that were taken into use.
    pub reloads: Counter,
    /// New certificates that could not be used.
    pub failed_reloads: Counter,
}

impl Connections {
    pub(super) fn register(to: &mut Registry) -> Self {
        let all = Self::default();
        to.register("grpc_connections", "Connections that are open.", all.open.clone());
        for (name, help, counter) in [
            ("grpc_connections_accepted", "Connections that were taken.", &all.accepted),
            (
                "grpc_connections_refused",
                "Connections that were refused, since there were too many.",
                &all.refused,
            ),
            (
                "grpc_connections_unopened",
                "Connections that ended before they spoke HTTP/2: failed handshakes, and silence.",
                &all.unopened,
            ),
            (
                "grpc_connections_cut",
                "Connections that did not end when they were asked to.",
                &all.cut,
            ),
            ("tls_reloads", "New certificates that were taken into use.", &all.reloads),
            (
                "tls_reloads_failed",
                "New certificates that could not be used, so that the old one stayed.",
                &all.failed_reloads,
            ),
        ] {
            to.register(name, help, counter.clone());
        }
        all
    }
}
