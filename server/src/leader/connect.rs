//! Reading the database URL for the leader's own connection, as the pools read it.

use std::str::FromStr as _;
use std::time::Duration;

use anyhow::Context as _;
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio_postgres::config::{SslMode, TargetSessionAttrs};

use super::tls::{self, Trust};
use crate::metrics::Statements;

/// The server ends a silent session after this: the life of leadership.
pub(super) const SESSION_LIFE: &str = "6s";
/// Longest run of a statement, and longest wait for a lock.
pub(super) const STATEMENT_LIMIT: &str = "2s";

/// Start-up settings, each for a way in which a session can hang; see `server/ARCHITECTURE.md`. One more
/// follows when the session is open, since not every server has it: [`CHECK_CLIENT`].
const SETTINGS: &[(&str, &str)] = &[
    ("idle_session_timeout", SESSION_LIFE),
    ("statement_timeout", STATEMENT_LIMIT),
    ("lock_timeout", STATEMENT_LIMIT),
    ("idle_in_transaction_session_timeout", STATEMENT_LIMIT),
    ("tcp_keepalives_idle", "3"),
    ("tcp_keepalives_interval", "1"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "6000"),
    ("TimeZone", "UTC"),
    ("jit", "off"),
];

/// Ends a statement early whose client is gone; without it the limit of statements does. Some systems
/// and some hosted databases refuse it, hence not at start-up.
pub(super) const CHECK_CLIENT: &str = "set client_connection_check_interval = '1s'";

/// How to connect.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// For tokio-postgres.
    pub config: tokio_postgres::Config,
    /// Whom to trust.
    pub trust: Trust,
    /// Where statements are measured.
    pub statements: Statements,
}

/// Reads a URL.
///
/// # Errors
/// What is wrong with it.
pub(super) fn target(url: &str, replica: &str) -> anyhow::Result<Target> {
    let options = PgConnectOptions::from_str(url).context("the database URL is wrong")?;
    // Environment and password file included.
    let full = options.to_url_lossy();
    let mut config = tokio_postgres::Config::new();
    match options.get_socket() {
        Some(folder) => config.host_path(folder),
        None if options.get_host().starts_with('/') => config.host_path(options.get_host()),
        None => config.host(options.get_host().trim_matches(['[', ']'])),
    };
    config.port(options.get_port()).user(options.get_username());
    if let Some(database) = options.get_database() {
        config.dbname(database);
    }
    if let Some(password) = full.password() {
        config.password(percent_decode(password));
    }
    config
        .options(settings(options.get_options()))
        .application_name(format!("bellringer-leader/{replica}"))
        .connect_timeout(Duration::from_secs(3))
        .keepalives(true)
        .keepalives_idle(Duration::from_secs(3))
        .keepalives_interval(Duration::from_secs(1))
        .keepalives_retries(3)
        .tcp_user_timeout(Duration::from_secs(5))
        .target_session_attrs(TargetSessionAttrs::ReadWrite);
    let is_local = options.get_socket().is_some() || options.get_host().starts_with('/');
    let mode = options.get_ssl_mode();
    let ssl_mode = match mode {
        _ if is_local => SslMode::Disable,
        PgSslMode::Disable => SslMode::Disable,
        PgSslMode::Allow | PgSslMode::Prefer => SslMode::Prefer,
        PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull => SslMode::Require,
    };
    config.ssl_mode(ssl_mode);
    let file = |name: &str| {
        let (_, text) = full.query_pairs().find(|(key, _)| key == name)?;
        // sqlx writes "file: " before a path.
        Some(text.strip_prefix("file: ").unwrap_or(&text).to_owned())
    };
    let trust = Trust {
        level: match mode {
            PgSslMode::VerifyFull => tls::Level::Full,
            PgSslMode::VerifyCa => tls::Level::Chain,
            PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer | PgSslMode::Require => {
                tls::Level::None
            }
        },
        root: file("sslrootcert"),
        certificate: file("sslcert"),
        key: file("sslkey"),
    };
    Ok(Target { config, trust, statements: Statements::default() })
}

/// What the session starts with. The URL's own options come last, for what they say of the schema; if
/// they change a setting that leadership rests on, the check that follows refuses the session.
fn settings(of_url: Option<&str>) -> String {
    let ours = SETTINGS.iter().map(|(name, value)| format!("-c {name}={value}"));
    ours.chain(of_url.map(str::to_owned)).collect::<Vec<_>>().join(" ")
}

fn percent_decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                at += 3;
            }
            (byte, _) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use tokio_postgres::config::Host;

    use super::*;

    #[test]
    fn a_url_means_the_same_as_for_the_pools() {
        let url = "postgres://me:p%40ss%25@db.example:6432/name?sslmode=verify-full";
        let target = target(url, "r").unwrap();
        assert_eq!(target.config.get_password(), Some(&b"p@ss%"[..]));
        assert_eq!(target.config.get_hosts(), [Host::Tcp("db.example".to_owned())]);
        assert_eq!(target.config.get_ports(), [6432]);
        assert_eq!(target.config.get_dbname(), Some("name"));
        assert_eq!(target.config.get_ssl_mode(), SslMode::Require);
        assert_eq!(target.trust.level, tls::Level::Full);
    }

    #[test]
    fn tls_is_never_weaker_than_the_url_says() {
        let read = |mode: &str| {
            let target = target(&format!("postgres://u@h/d?sslmode={mode}"), "r").unwrap();
            (target.config.get_ssl_mode(), target.trust.level)
        };
        assert_eq!(read("disable"), (SslMode::Disable, tls::Level::None));
        assert_eq!(read("prefer"), (SslMode::Prefer, tls::Level::None));
        assert_eq!(read("require"), (SslMode::Require, tls::Level::None));
        assert_eq!(read("verify-ca"), (SslMode::Require, tls::Level::Chain));
        assert_eq!(read("verify-full"), (SslMode::Require, tls::Level::Full));
    }

    #[test]
    fn a_socket_in_the_url_is_used_without_tls() {
        let target = target("postgres://u@localhost/d?host=/run/pg&port=5433", "r").unwrap();
        assert_eq!(target.config.get_hosts(), [Host::Unix("/run/pg".into())]);
        assert_eq!(target.config.get_ssl_mode(), SslMode::Disable);
    }

    #[test]
    fn certificates_of_the_url_are_found() {
        let url = "postgres://u@h/d?sslmode=verify-full&sslrootcert=/etc/a%20b.pem&sslcert=/c.pem\
                   &sslkey=-----BEGIN%20KEY-----";
        let trust = target(url, "r").unwrap().trust;
        assert_eq!(trust.root.as_deref(), Some("/etc/a b.pem"));
        assert_eq!(trust.certificate.as_deref(), Some("/c.pem"));
        assert_eq!(trust.key.as_deref(), Some("-----BEGIN KEY-----"));
    }

    #[test]
    fn options_of_the_url_come_after_ours() {
        let target = target("postgres://u@h/d?options[search_path]=tenant", "r").unwrap();
        let options = target.config.get_options().unwrap();
        assert!(options.starts_with("-c idle_session_timeout=6s "), "{options}");
        assert!(options.ends_with(" -c search_path=tenant"), "{options}");
    }
}
