//! The configuration as `bellringer config` and the log show it: TOML without secrets.

use std::fmt;
use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::units::duration_text;
use super::{ClientCertificates, Config, LogFormat, TlsVersion};

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
