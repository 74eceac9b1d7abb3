//! The configuration: one tree, read in layers (defaults, file, environment, flags), checked as a
//! whole. Every problem is reported at once. What each key means stands in `config.default.toml`.

mod auth;
mod check;
mod opentelemetry;
mod rates;
pub mod units;

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use toml::{Table, Value};

use crate::telemetry::{Sampler, check_dsn};
pub use auth::{Auth, Mechanism, Reflection, Require, check_url, url_host};
pub use rates::{RateLimit, Rates};
use units::{duration_text, read_address, read_duration, read_size};

/// The defaults, with their documentation.
pub const DEFAULTS: &str = include_str!("../../config.default.toml");
/// Variables that begin so set keys: `BELLRINGER__SECTION__KEY`.
const PREFIX: &str = "BELLRINGER__";
/// Sets `store.url`.
const DATABASE_URL: &str = "BELLRINGER_DATABASE_URL";

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
    /// Reads the layers and checks the result.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
        flags: &Flags,
    ) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let mut tree: Table = DEFAULTS.parse().expect("a test reads the defaults");
        if let Some(path) = file {
            let shown = path.display();
            match std::fs::read_to_string(path) {
                Err(error) => problems.push(format!("cannot read {shown}: {error}")),
                Ok(text) => match text.parse::<Table>() {
                    Err(error) => problems.push(format!("{shown} is not TOML: {error}")),
                    Ok(table) => overlay(&mut tree, table, &shown.to_string(), &mut problems),
                },
            }
        }
        let environment: Vec<(String, String)> = environment.collect();
        opentelemetry::overlay(&mut tree, &environment, &mut problems);
        for (name, value) in environment {
            set_from_environment(&mut tree, &name, value, &mut problems);
        }
        if let Some(url) = &flags.database_url {
            set(&mut tree, "store", "url", Value::String(url.clone()));
        }
        if let Some(listen) = flags.listen {
            set(&mut tree, "server", "listen", Value::String(listen.to_string()));
        }
        if flags.insecure {
            set(&mut tree, "auth", "insecure", Value::Boolean(true));
        }
        let read = read_sections(tree, &mut problems);
        if let Some(config) = &read {
            config.check(&mut problems);
        }
        match read {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(Problems(problems)),
        }
    }

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

fn overlay(tree: &mut Table, table: Table, source: &str, problems: &mut Vec<String>) {
    for (section, values) in table {
        let Value::Table(values) = values else {
            problems.push(format!("{source}: {section} must be a section"));
            continue;
        };
        match tree.get_mut(&section) {
            Some(Value::Table(known)) => {
                for (key, value) in values {
                    if known.contains_key(&key) {
                        known.insert(key, value);
                    } else {
                        problems.push(format!("{source}: there is no setting {section}.{key}"));
                    }
                }
            }
            _ => problems.push(format!("{source}: there is no section {section}")),
        }
    }
}

fn set_from_environment(tree: &mut Table, name: &str, value: String, problems: &mut Vec<String>) {
    if name == DATABASE_URL {
        set(tree, "store", "url", Value::String(value));
        return;
    }
    let Some(path) = name.strip_prefix(PREFIX) else { return };
    let path = path.to_lowercase();
    let known = path
        .split_once("__")
        .and_then(|(section, key)| Some((section, key, tree.get(section)?.get(key)?.clone())));
    match known {
        None => problems.push(format!("{name}: there is no such setting")),
        Some((section, key, before)) => {
            let parsed = match before {
                Value::Integer(_) => value.parse().ok().map(Value::Integer),
                Value::Boolean(_) => value.parse().ok().map(Value::Boolean),
                Value::Float(_) => value.parse().ok().map(Value::Float),
                _ => Some(Value::String(value)),
            };
            match parsed {
                Some(value) => set(tree, section, key, value),
                None => problems.push(format!("{name}: must be of the same type as {before}")),
            }
        }
    }
}

fn set(tree: &mut Table, section: &str, key: &str, value: Value) {
    if let Some(Value::Table(section)) = tree.get_mut(section) {
        section.insert(key.to_owned(), value);
    }
}

/// Reads the sections one by one, and every key that is wrong in them.
fn read_sections(tree: Table, problems: &mut Vec<String>) -> Option<Config> {
    let defaults: Table = DEFAULTS.parse().expect("a test reads the defaults");
    let mut sound = defaults.clone();
    for (section, values) in &tree {
        let Value::Table(values) = values else { continue };
        for (key, value) in values {
            // One change at a time against the defaults tells which key is wrong.
            let mut trial = defaults.clone();
            set(&mut trial, section, key, value.clone());
            match Config::deserialize(Value::Table(trial)) {
                Ok(_) => set(&mut sound, section, key, value.clone()),
                Err(error) => {
                    problems.push(format!("{section}.{key}: {}", error.message().trim()));
                }
            }
        }
    }
    Config::deserialize(Value::Table(sound)).ok()
}

impl fmt::Display for Config {
    /// As TOML, with secrets redacted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            server,
            auth,
            tls,
            store,
            leases,
            dispatch,
            limits,
            rates,
            retention,
            statistics,
            watch,
            log,
            telemetry,
        } = self;
        let d = |duration: &Duration| format!("{:?}", duration_text(*duration));
        writeln!(f, "[server]")?;
        writeln!(f, "listen = \"{}\"", server.listen)?;
        let metrics = server.metrics_listen.map_or_else(String::new, |address| address.to_string());
        let health = server.health_listen.map_or_else(String::new, |address| address.to_string());
        writeln!(f, "health_listen = {health:?}")?;
        writeln!(f, "metrics_listen = {metrics:?}")?;
        writeln!(f, "shutdown_pause = {}", d(&server.shutdown_pause))?;
        writeln!(f, "shutdown_grace = {}", d(&server.shutdown_grace))?;
        writeln!(f, "handshake_timeout = {}", d(&server.handshake_timeout))?;
        writeln!(f, "keepalive_interval = {}", d(&server.keepalive_interval))?;
        writeln!(f, "keepalive_timeout = {}", d(&server.keepalive_timeout))?;
        writeln!(f, "call_timeout = {}", d(&server.call_timeout))?;
        writeln!(f, "longest_call = {}", d(&server.longest_call))?;
        writeln!(f, "connection_age = {}", d(&server.connection_age))?;
        writeln!(f, "connection_age_grace = {}", d(&server.connection_age_grace))?;
        writeln!(f, "stream_lifetime = {}", d(&server.stream_lifetime))?;
        writeln!(f, "name = {:?}", server.name)?;
        write!(f, "{auth}")?;
        writeln!(f, "\n[tls]")?;
        writeln!(f, "cert_file = {:?}", tls.cert_file)?;
        writeln!(f, "key_file = {:?}", tls.key_file)?;
        writeln!(f, "client_ca_file = {:?}", tls.client_ca_file)?;
        let shown = match tls.client_certificates {
            ClientCertificates::Required => "required",
            ClientCertificates::Optional => "optional",
        };
        writeln!(f, "client_certificates = {shown:?}")?;
        let version = match tls.min_version {
            TlsVersion::V1_2 => "1.2",
            TlsVersion::V1_3 => "1.3",
        };
        writeln!(f, "min_version = {version:?}")?;
        writeln!(f, "reload_interval = {}", d(&tls.reload_interval))?;
        writeln!(f, "\n[store]")?;
        writeln!(f, "url = {:?}", redacted(store.url.expose_secret()))?;
        writeln!(f, "url_file = {:?}", store.url_file)?;
        writeln!(f, "direct_url = {:?}", redacted(store.direct_url.expose_secret()))?;
        writeln!(f, "hot_connections = {}", store.hot_connections)?;
        writeln!(f, "read_connections = {}", store.read_connections)?;
        writeln!(f, "acquire_timeout = {}", d(&store.acquire_timeout))?;
        writeln!(f, "statement_timeout = {}", d(&store.statement_timeout))?;
        writeln!(f, "migrate = {}", store.migrate)?;
        writeln!(f, "\n[leases]")?;
        writeln!(f, "duration = {}", d(&leases.duration))?;
        writeln!(f, "heartbeat_interval = {}", d(&leases.heartbeat_interval))?;
        writeln!(f, "cancel_grace = {}", d(&leases.cancel_grace))?;
        writeln!(f, "\n[dispatch]")?;
        writeln!(f, "poll_interval = {}", d(&dispatch.poll_interval))?;
        writeln!(f, "submit_batch = {}", dispatch.submit_batch)?;
        writeln!(f, "report_batch = {}", dispatch.report_batch)?;
        writeln!(f, "max_waiting = {}", dispatch.max_waiting)?;
        writeln!(f, "fair_share = {}", dispatch.fair_share)?;
        writeln!(f, "\n[limits]")?;
        writeln!(f, "payload = {}", limits.payload)?;
        writeln!(f, "kinds_per_namespace = {}", limits.kinds_per_namespace)?;
        writeln!(f, "queue_depth = {}", limits.queue_depth)?;
        writeln!(f, "schedules_per_namespace = {}", limits.schedules_per_namespace)?;
        writeln!(f, "watchers = {}", limits.watchers)?;
        writeln!(f, "calls = {}", limits.calls)?;
        writeln!(f, "connections = {}", limits.connections)?;
        writeln!(f, "connections_per_source = {}", limits.connections_per_source)?;
        writeln!(f, "streams_per_connection = {}", limits.streams_per_connection)?;
        writeln!(f, "headers = {}", limits.headers)?;
        writeln!(f, "streams_per_caller = {}", limits.streams_per_caller)?;
        write!(f, "{rates}")?;
        writeln!(f, "\n[retention]")?;
        writeln!(f, "succeeded = {}", d(&retention.succeeded))?;
        writeln!(f, "failed = {}", d(&retention.failed))?;
        writeln!(f, "cancelled = {}", d(&retention.cancelled))?;
        writeln!(f, "expired = {}", d(&retention.expired))?;
        writeln!(f, "idempotency = {}", d(&retention.idempotency))?;
        writeln!(f, "fires = {}", d(&retention.fires))?;
        writeln!(f, "audit = {}", d(&retention.audit))?;
        writeln!(f, "prune_interval = {}", d(&retention.prune_interval))?;
        writeln!(f, "\n[statistics]")?;
        writeln!(f, "roll_up_interval = {}", d(&statistics.roll_up_interval))?;
        writeln!(f, "minutes = {}", d(&statistics.minutes))?;
        writeln!(f, "hours = {}", d(&statistics.hours))?;
        writeln!(f, "days = {}", d(&statistics.days))?;
        writeln!(f, "\n[watch]")?;
        writeln!(f, "reconcile_interval = {}", d(&watch.reconcile_interval))?;
        writeln!(f, "bookmark_interval = {}", d(&watch.bookmark_interval))?;
        writeln!(f, "buffer = {}", watch.buffer)?;
        writeln!(f, "\n[log]")?;
        let format = match log.format {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        };
        writeln!(f, "format = {format:?}")?;
        writeln!(f, "level = {:?}", log.level)?;
        writeln!(f, "\n[telemetry]")?;
        writeln!(f, "endpoint = {:?}", redacted(&telemetry.endpoint))?;
        writeln!(f, "sampler = {:?}", telemetry.sampler.name())?;
        writeln!(f, "ratio = {:?}", telemetry.ratio)?;
        writeln!(f, "link_after = {}", d(&telemetry.link_after))?;
        // Its key stands where a URL has the user.
        let has_dsn = !telemetry.sentry_dsn.expose_secret().is_empty();
        writeln!(f, "sentry_dsn = {:?}", if has_dsn { "[redacted]" } else { "" })?;
        writeln!(f, "sentry_dsn_file = {:?}", telemetry.sentry_dsn_file)?;
        writeln!(f, "sentry_environment = {:?}", telemetry.sentry_environment)
    }
}

/// A URL without its password. What does not look like a URL is hidden whole.
pub fn redacted(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return if url.is_empty() { String::new() } else { "[redacted]".to_owned() };
    };
    // The last @ ends the credentials: a password may contain one, and, wrongly, anything else.
    let (credentials, rest) = match rest.rsplit_once('@') {
        None => (None, rest),
        Some((credentials, rest)) => (Some(credentials), rest),
    };
    let (host, query) = match rest.split_once('?') {
        Some((host, query)) if query.contains("password") => (host, "?[redacted]".to_owned()),
        Some((host, query)) => (host, format!("?{query}")),
        None => (rest, String::new()),
    };
    match credentials.map(|credentials| credentials.split_once(':').ok_or(credentials)) {
        None => format!("{scheme}://{host}{query}"),
        Some(Err(user)) => format!("{scheme}://{user}@{host}{query}"),
        Some(Ok((user, _))) => format!("{scheme}://{user}:[redacted]@{host}{query}"),
    }
}
