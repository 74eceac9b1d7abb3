//! Connections: who may open how many, TLS, how long they live, and how they end. Knows nothing of
//! what is called over them.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects, clippy::indexing_slicing))]

mod accept;
mod certificates;
mod client_certificate;
mod client_verifier;
mod connection;
mod opening;
mod remains;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::metrics::Connections;

pub use accept::serve;
pub use certificates::{Certificates, Files, Serving};
pub use client_certificate::{ClientCertificate, Unreadable};
pub use connection::about;

/// How connections are kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// TLS, as of now; `None`: plaintext.
    pub tls: Option<Serving>,
    /// Most connections.
    pub connections: usize,
    /// Most connections of one source; 0: as many as there are.
    pub connections_per_source: usize,
    /// Longest time from a connection's begin until it speaks HTTP/2.
    pub handshake_timeout: Duration,
    /// How often a silent connection is pinged.
    pub keepalive_interval: Duration,
    /// How long a ping may go unanswered.
    pub keepalive_timeout: Duration,
    /// Age at which a connection is asked to end, ±10 %.
    pub age: Duration,
    /// How long it then has.
    pub age_grace: Duration,
    /// Most streams of a connection at once.
    pub streams: u32,
    /// Most bytes of headers of a request.
    pub header_bytes: u32,
    /// What happened, for the metrics.
    pub counters: Arc<Connections>,
}

/// The other end of a connection; an extension of every request that came over it.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Where it connected from.
    pub address: SocketAddr,
    /// Cancelled when the connection is asked to end: what streams over it should end too.
    pub closing: CancellationToken,
    /// The certificate that it has shown and proved to own; `None`: it has shown none.
    pub certificate: Option<Arc<Result<ClientCertificate, Unreadable>>>,
}

/// What counts as one source of connections and calls: an IPv4 address, or a /64 of IPv6, since a
/// single machine may use all of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source(IpAddr);

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            v4 @ IpAddr::V4(_) => v4,
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        })
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            IpAddr::V4(v4) => v4.fmt(f),
            IpAddr::V6(v6) => write!(f, "{v6}/64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_an_ipv4_address_or_half_an_ipv6_address() {
        let source = |text: &str| Source::from(text.parse::<IpAddr>().unwrap());
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
        assert_eq!(source("2001:db8:1:2:3::4"), source("2001:db8:1:2:ffff::"));
        assert_ne!(source("2001:db8:1:2::1"), source("2001:db8:1:3::1"));
        assert_eq!(source("2001:db8:1:2:3::4").to_string(), "2001:db8:1:2::/64");
    }
}
