//! Which values make sense, alone and together.

use std::time::Duration;

use secrecy::ExposeSecret as _;
use tracing_subscriber::EnvFilter;

use super::Config;
use super::units::duration_text;
use crate::telemetry::check_dsn;

/// Largest payload that fits into a message beside everything else.
const LARGEST_PAYLOAD: usize = 3 << 20;
const MILLISECOND: Duration = Duration::from_millis(1);
const DAY: Duration = Duration::from_secs(86_400);

impl Config {
    /// Adds what is wrong to `problems`.
    pub(super) fn check(&self, problems: &mut Vec<String>) {
        let mut range = |key: &str, value: Duration, least: Duration, most: Duration| {
            if !(least..=most).contains(&value) {
                let (value, least) = (duration_text(value), duration_text(least));
                let most = duration_text(most);
                problems.push(format!("{key}: must be {least} to {most}, is {value}"));
            }
        };
        let second = Duration::from_secs(1);
        range("server.shutdown_pause", self.server.shutdown_pause, Duration::ZERO, DAY);
        range("server.shutdown_grace", self.server.shutdown_grace, MILLISECOND, DAY);
        range("server.handshake_timeout", self.server.handshake_timeout, second, 60 * second);
        range("server.connection_age", self.server.connection_age, second, 30 * DAY);
        range("server.connection_age_grace", self.server.connection_age_grace, second, DAY);
        range("server.stream_lifetime", self.server.stream_lifetime, second, 30 * DAY);
        range("server.call_timeout", self.server.call_timeout, 100 * MILLISECOND, DAY);
        range("server.longest_call", self.server.longest_call, self.server.call_timeout, DAY);
        range("tls.reload_interval", self.tls.reload_interval, 100 * MILLISECOND, DAY);
        range("server.keepalive_interval", self.server.keepalive_interval, second, DAY);
        range("server.keepalive_timeout", self.server.keepalive_timeout, second, DAY);
        range("store.acquire_timeout", self.store.acquire_timeout, 10 * MILLISECOND, 60 * second);
        range("store.statement_timeout", self.store.statement_timeout, 100 * MILLISECOND, DAY);
        range("leases.duration", self.leases.duration, second, DAY);
        range("leases.heartbeat_interval", self.leases.heartbeat_interval, 100 * MILLISECOND, DAY);
        range("leases.cancel_grace", self.leases.cancel_grace, 100 * MILLISECOND, DAY);
        range("dispatch.poll_interval", self.dispatch.poll_interval, 10 * MILLISECOND, 60 * second);
        range(
            "watch.reconcile_interval",
            self.watch.reconcile_interval,
            50 * MILLISECOND,
            60 * second,
        );
        range("watch.bookmark_interval", self.watch.bookmark_interval, 100 * MILLISECOND, DAY);
        range("retention.prune_interval", self.retention.prune_interval, 100 * MILLISECOND, DAY);
        let statistics = &self.statistics;
        let interval = statistics.roll_up_interval;
        range("statistics.roll_up_interval", interval, 100 * MILLISECOND, 600 * second);
        range("statistics.minutes", statistics.minutes, 3_600 * second, 366 * DAY);
        range("statistics.hours", statistics.hours, DAY, 3_650 * DAY);
        range("statistics.days", statistics.days, DAY, 3_650 * DAY);
        range("telemetry.link_after", self.telemetry.link_after, Duration::ZERO, 3_653 * DAY);
        range("retention.audit", self.retention.audit, DAY, 3_650 * DAY);
        range("retention.fires", self.retention.fires, 7 * DAY, 3_650 * DAY);
        let kept = &self.retention;
        for (key, value) in [
            ("retention.succeeded", kept.succeeded),
            ("retention.failed", kept.failed),
            ("retention.cancelled", kept.cancelled),
            ("retention.expired", kept.expired),
            ("retention.idempotency", kept.idempotency),
        ] {
            range(key, value, Duration::from_secs(60), 3_653 * DAY);
        }

        let mut number = |key: &str, value: usize, least: usize, most: usize| {
            if !(least..=most).contains(&value) {
                problems.push(format!("{key}: must be {least} to {most}, is {value}"));
            }
        };
        let connections = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        number("store.hot_connections", connections(self.store.hot_connections), 2, 100);
        number("store.read_connections", connections(self.store.read_connections), 1, 100);
        number("dispatch.submit_batch", self.dispatch.submit_batch, 1, 10_000);
        number("dispatch.report_batch", self.dispatch.report_batch, 1, 10_000);
        number("dispatch.max_waiting", self.dispatch.max_waiting, 1_000, 1_000_000);
        number("dispatch.fair_share", self.dispatch.fair_share, 2, 1_000);
        number("limits.payload", self.limits.payload, 1 << 10, LARGEST_PAYLOAD);
        number("limits.kinds_per_namespace", self.limits.kinds_per_namespace, 1, 1_000_000);
        // What is counted at most for the metrics must be more.
        number("limits.queue_depth", self.limits.queue_depth, 0, 4_000_000);
        let schedules = self.limits.schedules_per_namespace;
        number("limits.schedules_per_namespace", schedules, 1, 1_000_000);
        number("limits.watchers", self.limits.watchers, 1, 1_000_000);
        number("limits.calls", self.limits.calls, 1, 1_000_000);
        number("limits.connections", self.limits.connections, 1, 1_000_000);
        number("limits.connections_per_source", self.limits.connections_per_source, 0, 1_000_000);
        let streams = connections(self.limits.streams_per_connection);
        number("limits.streams_per_connection", streams, 1, 100_000);
        number("limits.streams_per_caller", self.limits.streams_per_caller, 1, 1_000_000);
        number("limits.headers", self.limits.headers, 4 << 10, 1 << 20);
        number("watch.buffer", self.watch.buffer, 16, 1_000_000);

        if self.leases.heartbeat_interval * 3 > self.leases.duration {
            problems.push(
                "leases.heartbeat_interval: must be at most a third of leases.duration, so that two \
                 lost messages lose no lease"
                    .to_owned(),
            );
        }
        if self.dispatch.submit_batch > self.dispatch.max_waiting {
            problems.push("dispatch.submit_batch: must not exceed dispatch.max_waiting".to_owned());
        }
        if self.server.shutdown_pause.saturating_mul(2) > self.server.shutdown_grace {
            problems.push(
                "server.shutdown_pause: must be at most half of server.shutdown_grace, of which it is \
                 a part"
                    .to_owned(),
            );
        }
        self.auth.check(self.server.listen, &self.tls, problems);
        self.rates.check(problems);
        let tls = &self.tls;
        for (set, key, needed) in [
            (&tls.cert_file, "tls.key_file", &tls.key_file),
            (&tls.key_file, "tls.cert_file", &tls.cert_file),
            (&tls.client_ca_file, "tls.cert_file", &tls.cert_file),
        ] {
            if !set.is_empty() && needed.is_empty() {
                problems.push(format!("{key}: must be set too, else there would be no TLS"));
            }
        }
        let url = self.store.url.expose_secret();
        let schemes = ["postgres://", "postgresql://"];
        if !url.is_empty() && !schemes.iter().any(|scheme| url.starts_with(scheme)) {
            // What it is instead may be a password.
            problems
                .push("store.url: must be postgres://user:password@host:port/database".to_owned());
        }
        if !(0.0..=1.0).contains(&self.telemetry.ratio) {
            let ratio = self.telemetry.ratio;
            problems.push(format!("telemetry.ratio: must be 0 to 1, is {ratio}"));
        }
        let endpoint = &self.telemetry.endpoint;
        let schemes = ["http://", "https://"];
        if !endpoint.is_empty() && !schemes.iter().any(|scheme| endpoint.starts_with(scheme)) {
            problems.push(
                "telemetry.endpoint: must be http://host:port or https://host:port, or empty"
                    .to_owned(),
            );
        }
        let dsn = self.telemetry.sentry_dsn.expose_secret();
        if !dsn.is_empty()
            && let Err(why) = check_dsn(dsn)
        {
            problems.push(format!("telemetry.sentry_dsn: {why}"));
        }
        if let Err(error) = EnvFilter::try_new(&self.log.level) {
            problems.push(format!(
                "log.level: must be error, warn, info, debug, trace or a list of target=level, \
                 is {:?}: {error}",
                self.log.level
            ));
        }
    }

    /// What is allowed and yet should be known; to be logged once there is a log.
    pub fn warnings(&self) -> Vec<String> {
        let listen = self.server.listen;
        let mut warnings = Vec::new();
        self.auth.warn(listen, &mut warnings);
        if !self.store.url.expose_secret().is_empty() && !self.store.url_file.is_empty() {
            warnings.push("store.url_file: not used, since store.url is set".to_owned());
        }
        let telemetry = &self.telemetry;
        if !telemetry.sentry_dsn.expose_secret().is_empty() && !telemetry.sentry_dsn_file.is_empty()
        {
            let why = "not used, since telemetry.sentry_dsn is set";
            warnings.push(format!("telemetry.sentry_dsn_file: {why}"));
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Flags, redacted};

    fn load(environment: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        let environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load(None, environment, &Flags::default()).map_err(|problems| problems.0)
    }

    #[test]
    fn the_defaults_are_sound_and_every_key_has_a_comment() {
        load(&[]).unwrap();
        let lines: Vec<&str> = super::super::DEFAULTS.lines().collect();
        for pair in lines.windows(2).filter(|pair| pair[1].contains(" = ")) {
            assert!(pair[0].starts_with('#'), "no comment above {}", pair[1]);
        }
    }

    #[test]
    fn what_is_shown_can_be_read_again() {
        let shown = load(&[]).unwrap().to_string();
        let again: toml::Table = shown.parse().unwrap();
        let defaults: toml::Table = super::super::DEFAULTS.parse().unwrap();
        for (section, keys) in &defaults {
            for (key, _) in keys.as_table().unwrap() {
                assert!(again[section].get(key).is_some(), "{section}.{key} is not shown");
            }
        }
    }

    #[test]
    fn all_problems_are_reported_at_once_and_each_names_its_key() {
        let problems = load(&[
            ("BELLRINGER__LEASES__DURATION", "soon"),
            ("BELLRINGER__DISPATCH__FAIR_SHARE", "0"),
            ("BELLRINGER__LIMITS__PAYLOAD", "9MiB"),
            ("BELLRINGER__STORE__HOT_CONNECTIONS", "many"),
            ("BELLRINGER__STORE__URI", "x"),
            ("BELLRINGER__LEASES__HEARTBEAT_INTERVAL", "20s"),
            ("BELLRINGER__LOG__LEVEL", "loud=very"),
            ("BELLRINGER_DATABASE_URL", "canary"),
        ])
        .unwrap_err();
        for named in [
            "leases.duration",
            "fair_share",
            "payload",
            "HOT_CONN",
            "STORE__URI",
            "heartbeat",
            "log.level",
            "store.url:",
        ] {
            assert!(problems.iter().any(|p| p.contains(named)), "{named} in {problems:#?}");
        }
        assert!(!problems.concat().contains("canary"));
    }

    #[test]
    fn what_is_dangerous_is_warned_of() {
        assert!(load(&[]).unwrap().warnings().is_empty());
        let open = load(&[
            ("BELLRINGER__SERVER__LISTEN", "[::]:7117"),
            ("BELLRINGER__AUTH__INSECURE", "true"),
        ]);
        assert!(open.unwrap().warnings()[0].starts_with("auth.insecure"));
    }

    #[test]
    fn a_file_is_overruled_by_the_environment_and_that_by_flags() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "[log]\nlevel = 'debug'\n[store]\nurl = 'postgres://f'")
            .unwrap();
        let flags = Flags { database_url: Some("postgres://flag".to_owned()), ..Flags::default() };
        let environment = [("BELLRINGER_DATABASE_URL".to_owned(), "postgres://e".to_owned())];
        let config = Config::load(Some(file.path()), environment.into_iter(), &flags).unwrap();
        assert_eq!(config.log.level, "debug");
        assert_eq!(config.database_url().unwrap(), "postgres://flag");
    }

    #[test]
    fn passwords_are_never_shown() {
        assert_eq!(redacted("postgres://u:se@cret@h/d"), "postgres://u:[redacted]@h/d");
        assert_eq!(redacted("postgres://h/d?password=x"), "postgres://h/d?[redacted]");
        assert_eq!(redacted("postgres://u:se?cr@et@h/d?a=b"), "postgres://u:[redacted]@h/d?a=b");
        let config = load(&[
            ("BELLRINGER_DATABASE_URL", "postgres://u:canary@h/d"),
            ("SENTRY_DSN", "https://canary@errors.example.org/1"),
        ]);
        let config = config.unwrap();
        assert!(!format!("{config} {config:?}").contains("canary"));
        assert!(config.to_string().contains("sentry_dsn = \"[redacted]\""));
    }
}
