//! The configuration: one tree, read in layers (`read`), checked as a
//! whole (`check`). Every problem is reported at once. What each key means stands in `config.default.toml`.

mod auth;
mod check;
mod opentelemetry;
mod rates;
mod read;
mod show;
pub mod units;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::telemetry::{Sampler, check_dsn};
pub use auth::{Auth, Mechanism, Reflection, Require, check_url, url_host};
pub use rates::{RateLimit, Rates};
use read::DATABASE_URL;
pub use show::redacted;
use units::{read_address, read_duration, read_size};

/// The defaults, with their documentation.
pub const DEFAULTS: &str = include_str!("../../config.default.toml");

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "documented in config.default.toml")]
pub struct Config {
    pub server: Server,
    pub auth: Auth,
    pub tls: Tls,
    pub store: Store,
    pub leases: Leases,
    pub dispatch: Dispatch,
    pub limits: Limits,
    pub rates: Rates,
    pub retention: Retention,
    pub statistics: Statistics,
    pub watch: Watch,
    pub log: Log,
    pub telemetry: Telemetry,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "documented in config.default.toml")]
pub struct Server {
    pub listen: SocketAddr,
    #[serde(deserialize_with = "read_address")]
    pub health_listen: Option<SocketAddr>,
    #[serde(deserialize_with = "read_address")]
    pub metrics_listen: Option<SocketAddr>,
    #[serde(deserialize_with = "read_duration")]
    pub shutdown_pause: Duration,
    #[serde(deserialize_with = "read_duration")]
    pub shutdown_grace: Duration,
    #[serde(deserialize_with = "read_duration")]
    pub handshake_timeout: Duration,
    #[serde(deserialize_with = "read_duration")]
    pub keepalive_interval: Duration,
    #[serde(deserialize_with = "read_duration")]
    pub keepalive_timeout: Duration,
    #[serde(deserialize_with = "read_duration")]
    pub call_timeout: Duration,
    #[serde(deserialize_with = "read_duration")]
    pub longest_call: Duration,
    #[serde(deserialize_with = "read_duration")]
    pub connection_age: Duration,
    #[serde(deserialize_with = "read_duration")]
    pub connection_age_grace: Duration,
    #[serde(deserialize_with = "read_duration")]
    pub stream_lifetime: Duration,
    pub name: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "documented in config.default.toml")]
pub struct Tls {
    pub cert_file: String,
    pub key_file: String,
    pub client_ca_file: String,
    pub client_certificates: ClientCertificates,
    pub min_version: TlsVersion,
    #[serde(deserialize_with = "read_duration")]
    pub reload_interval: Duration,
}

/// Whether clients have to show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificates {
    /// They must.
    Required,
    /// They may.
    Optional,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum TlsVersion {
    /// 1.2, and newer.
    #[serde(rename = "1.2")]
    V1_2,
    /// 1.3.
    #[serde(rename = "1.3")]
    V1_3,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "documented in config.default.toml")]
pub struct Store {
    pub url: SecretString,
    pub url_file: String,
    pub direct_url: SecretString,
    pub hot_connections: u32,
    pub read_connections: u32,
    #[serde(deserialize_with = "read_duration")]
    pub acquire_timeout: Duration,
    #[serde(deserialize_with = "read_duration")]
    pub statement_timeout: Duration,
    pub migrate: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "documented in config.default.toml")]
pub struct Leases {
    #[serde(deserialize_with = "read_duration")]
    pub duration: Duration,
    #[serde(deserialize_with = "read_duration")]
    pub heartbeat_interval: Duration,
    #[serde(deserialize_with = "read_duration")]
    pub cancel_grace: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "documented in config.default.toml")]
pub struct Dispatch {
    #[serde(deserialize_with = "read_duration")]
    pub poll_interval: Duration,
    pub submit_batch: usize,
    pub report_batch: usize,
    pub max_waiting: usize,
    pub fair_share: usize,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "documented in config.default.toml")]
pub struct Limits {
    #[serde(deserialize_with = "read_size")]
    pub payload: usize,
    pub kinds_per_namespace: usize,
    pub queue_depth: usize,
    pub schedules_per_namespace: usize,
    pub watchers: usize,
    pub calls: usize,
    pub connections: usize,
    pub connections_per_source: usize,
    pub streams_per_connection: u32,
    #[serde(deserialize_with = "read_size")]
    pub headers: usize,
    pub streams_per_caller: usize,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "documented in config.default.toml")]
pub struct Retention {
    #[serde(deserialize_with = "read_duration")]
    pub succeeded: Duration,
    #[serde(deserialize_with = "read_duration")]
    pub failed: Duration,
    #[serde(deserialize_with = "read_duration")]
    pub cancelled: Duration,
    #[serde(deserialize_with = "read_duration")]
    pub expired: Duration,
    #[serde(deserialize_with = "read_duration")]
    pub idempotency: Duration,
    #[serde(deserialize_with = "read_duration")]
    pub fires: Duration,
    #[serde(deserialize_with = "read_duration")]
    pub audit: Duration,
    #[serde(deserialize_with = "read_duration")]
    pub prune_interval: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "documented in config.default.toml")]
pub struct Statistics {
    #[serde(deserialize_with = "read_duration")]
    pub roll_up_interval: Duration,
    #[serde(deserialize_with = "read_duration")]
    pub minutes: Duration,
    #[serde(deserialize_with = "read_duration")]
    pub hours: Duration,
    #[serde(deserialize_with = "read_duration")]
    pub days: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "documented in config.default.toml")]
pub struct Watch {
    #[serde(deserialize_with = "read_duration")]
    pub reconcile_interval: Duration,
    #[serde(deserialize_with = "read_duration")]
    pub bookmark_interval: Duration,
    pub buffer: usize,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "documented in config.default.toml")]
pub struct Log {
    pub format: LogFormat,
    pub level: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "documented in config.default.toml")]
pub struct Telemetry {
    pub endpoint: String,
    pub sampler: Sampler,
    pub ratio: f64,
    #[serde(deserialize_with = "read_duration")]
    pub link_after: Duration,
    pub sentry_dsn: SecretString,
    pub sentry_dsn_file: String,
    pub sentry_environment: String,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// What is wrong with the configuration: all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<String>);

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, s) = (self.0.len(), if self.0.len() == 1 { "" } else { "s" });
        write!(f, "the configuration has {count} problem{s}:")?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
    }
}

/// What the command line sets.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `server.listen`
    pub listen: Option<SocketAddr>,
    /// `store.url`
    pub database_url: Option<String>,
    /// `auth.insecure`
    pub insecure: bool,
}

impl Config {
    /// The URL of the database, from `store.url` or the file that `store.url_file` names.
    ///
    /// # Errors
    /// If there is none, or the file cannot be read.
    pub fn database_url(&self) -> anyhow::Result<String> {
        let url = self.store.url.expose_secret();
        if !url.is_empty() {
            return Ok(url.to_owned());
        }
        anyhow::ensure!(
            !self.store.url_file.is_empty(),
            "no database: set store.url, store.url_file, {DATABASE_URL} or --database-url"
        );
        let text = std::fs::read_to_string(&self.store.url_file)
            .map_err(|error| anyhow::anyhow!("cannot read {}: {error}", self.store.url_file))?;
        Ok(text.trim().to_owned())
    }

    /// Where errors are reported, if anywhere: from `telemetry.sentry_dsn` or the file that
    /// `telemetry.sentry_dsn_file` names.
    ///
    /// # Errors
    /// If the file cannot be read, or has no DSN.
    pub fn sentry_dsn(&self) -> anyhow::Result<Option<SecretString>> {
        let (dsn, file) = (&self.telemetry.sentry_dsn, &self.telemetry.sentry_dsn_file);
        if !dsn.expose_secret().is_empty() {
            return Ok(Some(dsn.clone()));
        }
        if file.is_empty() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(file).map_err(|error| {
            anyhow::anyhow!("telemetry.sentry_dsn_file: cannot read {file}: {error}")
        })?;
        let dsn = text.trim();
        check_dsn(dsn).map_err(|why| anyhow::anyhow!("telemetry.sentry_dsn_file: {file} {why}"))?;
        Ok(Some(dsn.into()))
    }

    /// Where the leader connects: the database without a pooler between.
    ///
    /// # Errors
    /// As [`database_url`](Self::database_url).
    pub fn direct_url(&self) -> anyhow::Result<String> {
        match self.store.direct_url.expose_secret() {
            "" => self.database_url(),
            url => Ok(url.to_owned()),
        }
    }
}
