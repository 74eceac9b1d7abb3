//! Puts the parts together, starts them in order and stops them in order. The only place that sees
//! all of them; it holds no logic of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::access::{self, Access};
use crate::clock::{Clock, SystemClock};
use crate::config::{ClientCertificates, Config, Mechanism, RateLimit, Require, TlsVersion};
use crate::domain::Retention;
use crate::edge;
use crate::engine::{self, Engine};
use crate::grace::{self, Grace};
use crate::leader;
use crate::metrics::{self, Metrics};
use crate::rpc;
use crate::store::{self, Store};
use crate::supervise::Stage;
use crate::telemetry::{self, Reports, SentrySettings, Tracer};

/// A running server.
#[derive(Debug)]
pub struct App {
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    engine: Arc<Engine>,
    store: Store,
    tracer: Tracer,
    pause: Duration,
    grace: Duration,
    connections: Arc<metrics::Connections>,
    edge: Stage,
    loops: Stage,
    writers: Stage,
}

impl App {
    /// Connects to the database and serves.
    ///
    /// # Errors
    /// If the database cannot be used, or the address cannot be had.
    pub async fn start(config: &Config) -> anyhow::Result<Self> {
        let app = Self::start_with(config, Arc::new(SystemClock)).await?;
        // A development server is started with a clock of its own; its database is its own as well.
        if let Some(role) = app.store.above() {
            tracing::warn!(
                role,
                "the database's role may do everything: let the server have one that may only write"
            );
        }
        Ok(app)
    }

    /// The same, by another clock: for tests.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_with(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        if config.store.migrate {
            for name in migrate(config).await? {
                tracing::info!(migration = name, "applied");
            }
        }
        let metrics = Arc::new(Metrics::new(&statements(), &rpc::methods()));
        let store = Store::connect(store_settings(config)?, clock, &metrics.database).await?;
        let listener = rpc::bind(config.server.listen).await?;
        let address = listener.local_addr()?;
        let mut writers = Stage::new("writers");
        let mut loops = Stage::new("loops");
        let mut stage = Stage::new("edge");
        restore_clock(&store).await?;
        let tracer = tracer(config, address)?;
        let settings = engine_settings(config, address, &metrics, tracer.clone())?;
        let (database, counting) = (store.clone(), metrics.clone());
        let engine = Engine::start(database, settings, counting, &mut loops, &mut writers).await?;
        let keys_changed = engine.keys_changed.clone();
        let access =
            Access::start(store.clone(), access_settings(config), keys_changed, &mut loops).await?;
        let counters = metrics.connections.clone();
        let tls = match tls_files(config) {
            None => None,
            Some(files) => {
                let certificates = edge::Certificates::load(files, counters.clone()).await?;
                let serving = certificates.serving();
                let following = certificates.follow(config.tls.reload_interval, stage.token());
                stage.spawn("certificates", async move {
                    following.await;
                    Ok(())
                });
                Some(serving)
            }
        };
        let connections = connection_settings(config, tls, counters.clone());
        let health = match config.server.health_listen {
            None => None,
            Some(wanted) => {
                let listener = rpc::bind(wanted).await?;
                tracing::info!(address = %listener.local_addr()?, "serving health");
                Some((listener, for_probes(&connections)))
            }
        };
        let listeners = rpc::Listeners { everything: (listener, connections), health };
        let serving = rpc::serve(
            engine.clone(),
            access,
            rpc_settings(config, tracer.clone()),
            metrics.clone(),
            listeners,
            stage.token(),
        );
        stage.spawn("grpc", serving);
        let mut metrics_address = None;
        if let Some(wanted) = config.server.metrics_listen {
            let listener = rpc::bind(wanted).await?;
            let address = *metrics_address.insert(listener.local_addr()?);
            tracing::info!(%address, "serving metrics");
            let observed = engine.clone();
            let refresh = move || observed.observe();
            stage.spawn("metrics", metrics::serve(listener, metrics, refresh, stage.token()));
        }
        tracing::info!(%address, "serving");
        let (pause, grace) = (config.server.shutdown_pause, config.server.shutdown_grace);
        Ok(Self {
            address,
            metrics_address,
            engine,
            store,
            tracer,
            pause,
            grace,
            connections: counters,
            edge: stage,
            loops,
            writers,
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where it tells metrics, if it does.
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// What happened to connections so far.
    pub fn connections(&self) -> &metrics::Connections {
        &self.connections
    }

    /// The engine, for tests that call rounds of upkeep themselves.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Serves until `stop`, then stops gracefully, within `server.shutdown_grace`: health turns red
    /// and leadership is given away; after a pause, in which load balancers look away, workers hear
    /// that they get no more tasks here and finish what they have; streams end; what was accepted is
    /// written and answered. Whoever does not let go in time is cut off.
    ///
    /// # Errors
    /// If a part of the server ended unasked.
    pub async fn run_until(mut self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let fault = tokio::select! {
            () = stop => None,
            fault = self.edge.first_fault() => Some(fault),
            fault = self.loops.first_fault() => Some(fault),
            fault = self.writers.first_fault() => Some(fault),
        };
        if let Some(fault) = &fault {
            tracing::error!(error = format!("{fault:#}"), "stopping because of a fault");
        } else {
            tracing::info!("stopping");
        }
        let grace = Grace::begin(self.grace);
        self.engine.leave();
        tokio::time::sleep(self.pause).await;
        if tokio::time::timeout(grace.until(50), self.engine.drain()).await.is_err() {
            tracing::warn!("what is being leased did not end in time");
        }
        self.wait_for_workers(grace.until(50)).await;
        self.edge.stop(grace.until(80)).await;
        self.loops.stop(grace.until(85)).await;
        // The last handle: the writers see the end of their queues, write what is left, and end.
        drop(self.engine);
        self.writers.stop(grace.until(95)).await;
        // Somebody who was cut off may hold a connection for ever.
        tokio::time::timeout(grace.until(97), self.store.close()).await.ok();
        tokio::time::timeout(grace.until(98), self.tracer.stop()).await.ok();
        tracing::info!("stopped");
        fault.map_or(Ok(()), Err)
    }

    /// Gives workers time to move to another replica or to finish.
    async fn wait_for_workers(&self, longest: Duration) {
        let workers = self.engine.workers.clone();
        let gone = async {
            while workers.connected() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(longest, gone).await.is_err() {
            let workers = self.engine.workers.connected();
            tracing::info!(workers, "still connected; their leases live on");
        }
    }
}

/// Brings the database's schema up to date; answers with what was applied.
///
/// # Errors
/// If the database cannot be used.
pub async fn migrate(config: &Config) -> anyhow::Result<Vec<String>> {
    store::migrate(&config.database_url()?).await
}

fn store_settings(config: &Config) -> anyhow::Result<store::Settings> {
    Ok(store::Settings {
        url: config.database_url()?,
        hot_connections: config.store.hot_connections,
        read_connections: config.store.read_connections,
        acquire_timeout: config.store.acquire_timeout,
        statement_timeout: config.store.statement_timeout,
    })
}

/// A clock that was moved forward goes on from there.
async fn restore_clock(store: &Store) -> anyhow::Result<()> {
    if store.clock().advanced().is_some()
        && let Some(cluster) = store.cluster().await?
    {
        store.clock().advance(cluster.clock_advanced);
    }
    Ok(())
}

/// Names of the statements that are measured.
fn statements() -> Vec<&'static str> {
    let all = store::statements::ALL.iter().chain(leader::STATEMENTS);
    all.map(|(name, _)| *name).collect()
}

/// Name of this replica, for people.
fn replica_name(config: &Config, address: SocketAddr) -> String {
    match config.server.name.as_str() {
        "" => {
            format!("{}:{}", rustix::system::uname().nodename().to_string_lossy(), address.port())
        }
        name => name.to_owned(),
    }
}

/// Where errors of this process are reported, if anywhere.
///
/// # Errors
/// If the DSN cannot be read, or is none.
pub fn reports(config: &Config) -> anyhow::Result<Option<Reports>> {
    let Some(dsn) = config.sentry_dsn()? else { return Ok(None) };
    let environment = config.telemetry.sentry_environment.clone();
    let replica = replica_name(config, config.server.listen);
    Reports::start(&SentrySettings { dsn, environment, replica }).map(Some)
}

fn tracer(config: &Config, address: SocketAddr) -> anyhow::Result<Tracer> {
    let telemetry = &config.telemetry;
    if telemetry.endpoint.is_empty() {
        return Ok(Tracer::off());
    }
    let endpoint = crate::config::redacted(&telemetry.endpoint);
    tracing::info!(endpoint, sampler = telemetry.sampler.name(), "sending traces");
    Tracer::start(&telemetry::Settings {
        endpoint: telemetry.endpoint.clone(),
        sampler: telemetry.sampler,
        ratio: telemetry.ratio,
        replica: replica_name(config, address),
    })
}

fn engine_settings(
    config: &Config,
    address: SocketAddr,
    metrics: &Metrics,
    tracer: Tracer,
) -> anyhow::Result<engine::Settings> {
    let name = replica_name(config, address);
    let leader = leader::Settings {
        url: config.direct_url()?,
        replica: name.clone(),
        timings: leader::Timings::default(),
        statements: metrics.database.statements.clone(),
    };
    Ok(engine::Settings {
        replica_name: name,
        lease_duration: config.leases.duration,
        heartbeat_interval: config.leases.heartbeat_interval,
        cancel_grace: config.leases.cancel_grace,
        poll_interval: config.dispatch.poll_interval,
        submit_batch: config.dispatch.submit_batch,
        report_batch: config.dispatch.report_batch,
        max_waiting: config.dispatch.max_waiting,
        fair_share: config.dispatch.fair_share,
        kinds_per_namespace: config.limits.kinds_per_namespace,
        queue_depth: config.limits.queue_depth,
        schedules_per_namespace: config.limits.schedules_per_namespace,
        watchers: config.limits.watchers,
        watch_buffer: config.watch.buffer,
        reconcile_interval: config.watch.reconcile_interval,
        retention: Retention {
            succeeded: config.retention.succeeded,
            failed: config.retention.failed,
            cancelled: config.retention.cancelled,
            expired: config.retention.expired,
        },
        idempotency: config.retention.idempotency,
        prune_interval: config.retention.prune_interval,
        tracer,
        link_after: config.telemetry.link_after,
        fires: config.retention.fires,
        statistics: engine::StatSettings {
            interval: config.statistics.roll_up_interval,
            minutes: config.statistics.minutes,
            hours: config.statistics.hours,
            days: config.statistics.days,
        },
        leader,
    })
}

fn access_settings(config: &Config) -> access::Settings {
    let auth = &config.auth;
    let source = match auth.jwt_keys_url.as_str() {
        "" => access::Source::File(auth.jwt_keys_file.clone().into()),
        url => access::Source::Url(url.to_owned()),
    };
    let expected = access::Expected {
        issuer: auth.jwt_issuer.clone(),
        audience: auth.jwt_audience.clone(),
        leeway: auth.jwt_leeway,
        rules: auth.jwt_rules.clone(),
    };
    let has_tokens = auth.mechanisms.contains(&Mechanism::Jwt);
    let has_certificates = auth.mechanisms.contains(&Mechanism::Certificates);
    let certified = auth.certificate_uris.clone().filter(|_| has_certificates);
    let certified =
        certified.map(|uris| access::Certified { uris, rules: auth.certificate_rules.clone() });
    access::Settings {
        mechanisms: auth.mechanisms.clone(),
        tokens: has_tokens.then_some((source, expected)),
        certified,
        both: auth.require == Require::Both,
        reflection: config.auth.has_reflection(),
        audit_kept: config.retention.audit,
    }
}

fn rpc_settings(config: &Config, tracer: Tracer) -> rpc::Settings {
    rpc::Settings {
        largest_payload: config.limits.payload,
        deadlines: rpc::Deadlines {
            usual: config.server.call_timeout,
            longest: config.server.longest_call,
        },
        calls: config.limits.calls,
        quotas: rpc::QuotaSettings {
            rates: match config.rates.limit {
                RateLimit::Auto => config.auth.is_on(),
                RateLimit::On => true,
                RateLimit::Off => false,
            }
            .then(|| config.rates.all()),
            streams: config.limits.streams_per_caller,
        },
        stream_lifetime: config.server.stream_lifetime,
        // Before the connection is cut.
        stream_grace: config.server.connection_age_grace / 2,
        bookmark_interval: config.watch.bookmark_interval,
        tracer,
    }
}

fn tls_files(config: &Config) -> Option<edge::Files> {
    let tls = &config.tls;
    let file = |path: &str| (!path.is_empty()).then(|| path.into());
    Some(edge::Files {
        cert: file(&tls.cert_file)?,
        key: file(&tls.key_file)?,
        client_ca: file(&tls.client_ca_file),
        client_optional: tls.client_certificates == ClientCertificates::Optional,
        only_tls13: tls.min_version == TlsVersion::V1_3,
    })
}

fn connection_settings(
    config: &Config,
    tls: Option<edge::Serving>,
    counters: Arc<metrics::Connections>,
) -> edge::Settings {
    edge::Settings {
        tls,
        connections: config.limits.connections,
        connections_per_source: config.limits.connections_per_source,
        handshake_timeout: config.server.handshake_timeout,
        keepalive_interval: config.server.keepalive_interval,
        keepalive_timeout: config.server.keepalive_timeout,
        age: config.server.connection_age,
        age_grace: config.server.connection_age_grace,
        streams: config.limits.streams_per_connection,
        header_bytes: u32::try_from(config.limits.headers).unwrap_or(u32::MAX),
        counters,
    }
}

/// Probes are few, and ask one question each.
fn for_probes(connections: &edge::Settings) -> edge::Settings {
    edge::Settings {
        tls: None,
        connections: 64,
        connections_per_source: 0,
        streams: 16,
        counters: Arc::default(),
        ..connections.clone()
    }
}

/// Cancelled at the first signal to stop; the second one ends the process at once, and so does the end
/// of `grace` after the first, if there is one.
///
/// # Errors
/// If signals cannot be caught.
pub fn stop_signal(
    signals: &mut tokio::task::JoinSet<()>,
    grace: Option<Duration>,
) -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let token = CancellationToken::new();
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let stop = token.clone();
    signals.spawn(async move {
        for again in [false, true] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if again {
                std::process::exit(130);
            }
            stop.cancel();
            if let Some(grace) = grace {
                grace::end_process_after(grace);
            }
        }
    });
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Flags;
    use crate::private_postgres::{Data, Options, PrivatePostgres};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_server_of_which_a_part_panics_stops_in_order_and_says_that_it_was_a_fault() {
        let options = Options::throwaway(Data::Temporary);
        let starting = move || PrivatePostgres::start(&options).unwrap();
        let postgres = tokio::task::spawn_blocking(starting).await.unwrap();
        let flags = Flags {
            database_url: Some(postgres.url("bellringer")),
            listen: Some(([127, 0, 0, 1], 0).into()),
            ..Flags::default()
        };
        let environment = [("BELLRINGER__STORE__MIGRATE".to_owned(), "true".to_owned())];
        let config = Config::load(None, environment.into_iter(), &flags).unwrap();
        let mut app = App::start(&config).await.unwrap();
        let address = app.local_addr();
        app.loops.spawn("broken", async { panic!("secret") });

        let ended = app.run_until(std::future::pending()).await.unwrap_err();
        assert_eq!(format!("{ended:#}"), "loops: a task panicked");
        assert!(tokio::net::TcpStream::connect(address).await.is_err(), "it serves no more");
        tokio::task::spawn_blocking(move || postgres.stop()).await.unwrap();
    }
}
