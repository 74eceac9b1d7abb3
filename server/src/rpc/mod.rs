//! gRPC in and out: every handler reads the request, calls the engine, writes the answer.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects, clippy::indexing_slicing))]

mod access_service;
mod admin_service;
mod call;
mod caller;
mod convert;
mod deadline;
mod gate;
mod measure;
mod page_token;
mod panics;
mod queue_service;
mod quotas;
mod schedule_service;
mod shapes;
mod shed;
mod stats_service;
mod status;
mod stream_end;
mod task_service;
mod undecodable;
mod worker_service;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bellringer_api::FILE_DESCRIPTOR_SET;
use bellringer_api::v1::access_service_server::AccessServiceServer;
use bellringer_api::v1::admin_service_server::AdminServiceServer;
use bellringer_api::v1::queue_service_server::QueueServiceServer;
use bellringer_api::v1::schedule_service_server::ScheduleServiceServer;
use bellringer_api::v1::stats_service_server::StatsServiceServer;
use bellringer_api::v1::task_service_server::TaskServiceServer;
use bellringer_api::v1::worker_service_server::WorkerServiceServer;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tower::ServiceBuilder;

use crate::access::Access;
use crate::edge;
use crate::engine::Engine;
use crate::leader::Role;
use crate::metrics::Metrics;
use crate::seal::Seal;
use access_service::AccessKeys;
use admin_service::Admin;
use call::CallLayer;
pub use deadline::Deadlines;
use gate::Gate;
use measure::MeasureLayer;
pub use measure::methods;
use panics::Panics;
use queue_service::Queues;
pub use quotas::QuotaSettings;
use quotas::Quotas;
use schedule_service::Schedules;
use shed::Shed;
use stats_service::Stats;
use task_service::Tasks;
use worker_service::Work;

/// Largest message that is taken in: a batch of 3 MiB and what surrounds it.
const LARGEST_REQUEST: usize = 4 << 20;
/// Largest message that is sent.
const LARGEST_ANSWER: usize = 16 << 20;
/// Messages of a stream that wait for the connection.
const STREAM_BUFFER: usize = 16;
/// How often the database is asked whether it answers, and how long its answer is waited for: so
/// readiness is red at most 4 s after the database has gone.
const READINESS_EVERY: Duration = Duration::from_secs(2);
/// Name of the health service that says SERVING as long as the process runs at all.
pub const LIVENESS: &str = "liveness";
/// Name of the health service that says SERVING unless this replica cannot fire schedules; then its
/// log and `AdminService.GetCluster` say why.
pub const LEADERSHIP: &str = "leadership";

/// What of the configuration the edge needs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Largest payload and result, in bytes.
    pub largest_payload: usize,
    /// How long calls may take.
    pub deadlines: Deadlines,
    /// Most unary calls under way.
    pub calls: usize,
    /// How often callers may call.
    pub quotas: QuotaSettings,
    /// Longest life of a stream, ±10 %.
    pub stream_lifetime: Duration,
    /// How long a worker has to leave a stream that is to end.
    pub stream_grace: Duration,
    /// How often a silent watch is sent a resume token.
    pub bookmark_interval: Duration,
    /// Where spans of calls go.
    pub tracer: crate::telemetry::Tracer,
}

/// What every service holds.
#[derive(Debug, Clone)]
struct Context {
    engine: Arc<Engine>,
    settings: Arc<Settings>,
    /// Streams that are being served.
    streams: TaskTracker,
    /// Cancelled when streams that still go on are to end.
    stop: CancellationToken,
}

impl Context {
    /// What seals tokens.
    fn seal(&self) -> &Seal {
        &self.engine.seal
    }
}

/// Where to serve.
#[derive(Debug)]
pub struct Listeners {
    /// Everything, over connections of these settings.
    pub everything: (TcpListener, edge::Settings),
    /// Health alone.
    pub health: Option<(TcpListener, edge::Settings)>,
}

/// Serves gRPC until `stop`, and then until every stream has ended. Health is served to the end.
///
/// # Errors
/// If a listener breaks.
pub async fn serve(
    engine: Arc<Engine>,
    access: Arc<Access>,
    settings: Settings,
    metrics: Arc<Metrics>,
    listeners: Listeners,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let (reporter, health) = tonic_health::server::health_reporter();
    let quotas = Arc::new(Quotas::new(&settings.quotas));
    let tracer = settings.tracer.clone();
    let layers = (settings.deadlines, Shed::new(settings.calls));
    let context = Context {
        engine: engine.clone(),
        settings: Arc::new(settings),
        streams: TaskTracker::new(),
        stop: stop.clone(),
    };
    let streams = context.streams.clone();
    let routes = routes(context)?.add_service(health.clone()).prepare();
    let service = ServiceBuilder::new()
        // The outermost: the others and the handlers log within its span.
        .layer(CallLayer(tracer))
        .layer(MeasureLayer(metrics))
        .layer(Panics)
        .layer(layers.0)
        .layer(layers.1)
        .layer(Gate(access, quotas.clone()))
        .service(routes);
    let (listener, connections) = listeners.everything;
    let served = edge::serve(listener, connections, service, stop.clone());
    let ended = CancellationToken::new();
    let everything = async {
        let forgetting = quotas.forget(stop.clone());
        let readiness = follow_readiness(&engine, &reporter, stop);
        let (served, (), ()) = tokio::join!(served, readiness, forgetting);
        streams.close();
        streams.wait().await;
        ended.cancel();
        served
    };
    let only_health = async {
        match listeners.health {
            None => Ok(()),
            Some((listener, connections)) => {
                let routes = Routes::new(health).prepare();
                edge::serve(listener, connections, routes, ended.clone()).await
            }
        }
    };
    let (everything, only_health) = tokio::join!(everything, only_health);
    everything.and(only_health)
}

fn routes(context: Context) -> anyhow::Result<Routes> {
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // So that clients by reflection can read the details of errors.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    Ok(Routes::default()
        .add_service(
            TaskServiceServer::new(Tasks(context.clone()))
                .max_decoding_message_size(LARGEST_REQUEST)
                .max_encoding_message_size(LARGEST_ANSWER),
        )
        .add_service(
            WorkerServiceServer::new(Work(context.clone()))
                .max_decoding_message_size(LARGEST_REQUEST)
                .max_encoding_message_size(LARGEST_ANSWER),
        )
        .add_service(
            QueueServiceServer::new(Queues(context.clone()))
                .max_decoding_message_size(LARGEST_REQUEST)
                .max_encoding_message_size(LARGEST_ANSWER),
        )
        .add_service(
            ScheduleServiceServer::new(Schedules(context.clone()))
                .max_decoding_message_size(LARGEST_REQUEST)
                .max_encoding_message_size(LARGEST_ANSWER),
        )
        .add_service(
            StatsServiceServer::new(Stats(context.clone()))
                .max_decoding_message_size(LARGEST_REQUEST)
                .max_encoding_message_size(LARGEST_ANSWER),
        )
        .add_service(
            AdminServiceServer::new(Admin(context.clone()))
                .max_decoding_message_size(LARGEST_REQUEST)
                .max_encoding_message_size(LARGEST_ANSWER),
        )
        .add_service(
            AccessServiceServer::new(AccessKeys(context))
                .max_decoding_message_size(LARGEST_REQUEST)
                .max_encoding_message_size(LARGEST_ANSWER),
        )
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?))
}

/// Lets the health of every service follow the database, until stopped.
async fn follow_readiness(engine: &Engine, reporter: &HealthReporter, stop: CancellationToken) {
    reporter.set_service_status(LIVENESS, ServingStatus::Serving).await;
    loop {
        let is_ready = tokio::time::timeout(READINESS_EVERY, engine.is_ready()).await;
        set_health(reporter, is_ready.unwrap_or_default()).await;
        let can_lead = match engine.leadership.borrow().role {
            Role::Starting | Role::Standby | Role::Leader { .. } => ServingStatus::Serving,
            Role::Refused { .. } => ServingStatus::NotServing,
        };
        reporter.set_service_status(LEADERSHIP, can_lead).await;
        tokio::select! {
            () = stop.cancelled() => break,
            () = engine.leaving().cancelled() => break,
            () = tokio::time::sleep(READINESS_EVERY) => {}
        }
    }
    set_health(reporter, false).await;
    stop.cancelled().await;
}

async fn set_health(reporter: &HealthReporter, is_ready: bool) {
    let status = if is_ready { ServingStatus::Serving } else { ServingStatus::NotServing };
    let services = [
        "",
        TaskServiceServer::<Tasks>::NAME,
        WorkerServiceServer::<Work>::NAME,
        QueueServiceServer::<Queues>::NAME,
        ScheduleServiceServer::<Schedules>::NAME,
        StatsServiceServer::<Stats>::NAME,
        AdminServiceServer::<Admin>::NAME,
        AccessServiceServer::<AccessKeys>::NAME,
    ];
    for service in services {
        reporter.set_service_status(service, status).await;
    }
}

/// Binds a listener.
///
/// # Errors
/// If the address cannot be had.
pub async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    use anyhow::Context as _;
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}
