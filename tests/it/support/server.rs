//! One or more replicas of the server in this process, with a clock that tests set.

use std::sync::Arc;
use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::admin_service_client::AdminServiceClient;
use bellringer_api::v1::queue_service_client::QueueServiceClient;
use bellringer_api::v1::schedule_service_client::ScheduleServiceClient;
use bellringer_api::v1::task_service_client::TaskServiceClient;
use bellringer_api::v1::worker_service_client::WorkerServiceClient;
use bellringer_server::app::App;
use bellringer_server::clock::{Clock, ManualClock, SystemClock};
use bellringer_server::config::{Config, Flags};
use jiff::Timestamp;
use tonic::Status;
use tonic::transport::Channel;
use tonic_types::StatusExt as _;

use super::collector::Collector;
use super::postgres::fresh_database;
use super::process::http_get;
use super::watched;

/// A replica.
pub(crate) struct Replica {
    pub(crate) app: App,
    pub(crate) channel: Channel,
}

/// A database with one replica, and with more if a test asks for them.
pub(crate) struct TestServer {
    pub(crate) url: String,
    pub(crate) clock: ManualClock,
    pub(crate) replica: Replica,
    settings: Vec<(&'static str, &'static str)>,
}

impl Replica {
    pub(crate) async fn start(url: &str, clock: Arc<dyn Clock>, settings: &[(&str, &str)]) -> Self {
        let app = App::start_with(&config(url, settings), clock).await.unwrap();
        let address = format!("http://{}", app.local_addr());
        let channel = Channel::from_shared(address).unwrap().connect().await.unwrap();
        Self { app, channel }
    }

    pub(crate) fn tasks(&self) -> TaskServiceClient<Channel> {
        TaskServiceClient::new(self.channel.clone())
    }

    pub(crate) fn workers(&self) -> WorkerServiceClient<Channel> {
        WorkerServiceClient::new(self.channel.clone())
    }

    pub(crate) fn queues(&self) -> QueueServiceClient<Channel> {
        QueueServiceClient::new(self.channel.clone())
    }

    pub(crate) fn schedules(&self) -> ScheduleServiceClient<Channel> {
        ScheduleServiceClient::new(self.channel.clone())
    }

    /// What it tells Prometheus.
    pub(crate) async fn metrics(&self) -> String {
        let address = self.app.metrics_addr().unwrap().to_string();
        let answer = http_get(&address, "/metrics").await;
        let (head, text) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        text.to_owned()
    }

    pub(crate) fn admin(&self) -> AdminServiceClient<Channel> {
        AdminServiceClient::new(self.channel.clone())
    }
}

/// Settings for a test: a free port, a small server, and `settings` as variables of the environment, of which
/// the prefix may be left out.
pub(crate) fn config(url: &str, settings: &[(&str, &str)]) -> Config {
    watched::start();
    let flags = Flags {
        database_url: Some(url.to_owned()),
        listen: Some("127.0.0.1:0".parse().unwrap()),
        ..Flags::default()
    };
    let defaults = [
        ("store__hot_connections", "3"),
        ("store__read_connections", "3"),
        // Many tests share the machine: opening the first connections can take a second.
        ("store__acquire_timeout", "20s"),
        ("server__metrics_listen", "127.0.0.1:0"),
        ("watch__reconcile_interval", "200ms"),
        ("watch__buffer", "16"),
        // Tests roll up by themselves.
        ("statistics__roll_up_interval", "10m"),
        // Tests go through years.
        ("retention__fires", "3650d"),
    ];
    let environment = defaults.iter().chain(settings).map(|(key, value)| {
        let key = key.to_uppercase();
        let is_whole = ["BELLRINGER", "OTEL_"].iter().any(|begin| key.starts_with(begin));
        let name = if is_whole { key } else { format!("BELLRINGER__{key}") };
        (name, (*value).to_owned())
    });
    Config::load(None, environment, &flags).unwrap()
}

impl TestServer {
    /// A replica whose time, and whose database's time, stands still until the test moves it.
    pub(crate) async fn start() -> Self {
        Self::start_at(SystemClock.now()).await
    }

    /// The same, with settings of the environment.
    pub(crate) async fn start_with(settings: &[(&'static str, &'static str)]) -> Self {
        Self::start_at_with(SystemClock.now(), settings).await
    }

    /// The same, at a time.
    pub(crate) async fn start_at(time: Timestamp) -> Self {
        Self::start_at_with(time, &[]).await
    }

    /// The same, with settings of the environment.
    pub(crate) async fn start_at_with(
        time: Timestamp,
        settings: &[(&'static str, &'static str)],
    ) -> Self {
        let (url, clock) = (fresh_database().await, ManualClock::new(time));
        let replica = Replica::start(&url, Arc::new(clock.clone()), settings).await;
        Self { url, clock, replica, settings: settings.to_vec() }
    }

    /// A replica that sends traces to a collector.
    pub(crate) async fn start_traced(collector: &Collector) -> Self {
        let url = fresh_database().await;
        let clock = ManualClock::new(SystemClock.now());
        let settings = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint.as_str())];
        let replica = Replica::start(&url, Arc::new(clock.clone()), &settings).await;
        Self { url, clock, replica, settings: Vec::new() }
    }

    /// Another replica on the same database and clock.
    pub(crate) async fn another(&self) -> Replica {
        Replica::start(&self.url, Arc::new(self.clock.clone()), &self.settings).await
    }

    pub(crate) fn tasks(&self) -> TaskServiceClient<Channel> {
        self.replica.tasks()
    }

    pub(crate) fn workers(&self) -> WorkerServiceClient<Channel> {
        self.replica.workers()
    }

    pub(crate) fn queues(&self) -> QueueServiceClient<Channel> {
        self.replica.queues()
    }

    pub(crate) fn schedules(&self) -> ScheduleServiceClient<Channel> {
        self.replica.schedules()
    }

    /// Moves the clock, and lets everything on the way happen at its time; answers with how many
    /// times of schedules came.
    pub(crate) async fn advance_through(&self, by: Duration) -> u64 {
        let by = prost_types::Duration::try_from(by).unwrap();
        let request = pb::AdvanceClockRequest { by: Some(by) };
        self.replica.admin().advance_clock(request).await.unwrap().into_inner().fires
    }

    /// Moves the clock, and does what is due then.
    pub(crate) async fn advance(&self, by: Duration) {
        self.clock.advance(by);
        let engine = self.replica.app.engine();
        engine.upkeep.reap_once(true).await.unwrap();
        engine.upkeep.promote_once().await.unwrap();
    }

    /// Submits a task and answers with its id.
    pub(crate) async fn submit(&self, task: pb::TaskSpec) -> String {
        self.try_submit(task, "").await.unwrap().task_id
    }

    /// Submits a task with an idempotency key.
    pub(crate) async fn try_submit(
        &self,
        task: pb::TaskSpec,
        key: &str,
    ) -> Result<pb::SubmitResponse, Status> {
        let request = pb::SubmitRequest {
            namespace: String::new(),
            task: Some(task),
            idempotency_key: key.to_owned(),
        };
        Ok(self.tasks().submit(request).await?.into_inner())
    }

    /// A task, with everything.
    pub(crate) async fn get(&self, id: &str) -> pb::Task {
        let request = pb::GetTaskRequest { task_id: id.to_owned(), ..Default::default() };
        self.tasks().get(request).await.unwrap().into_inner().task.unwrap()
    }

    /// The state of a task.
    pub(crate) async fn state(&self, id: &str) -> pb::TaskState {
        self.get(id).await.state()
    }

    /// Waits until a task is finished, and answers with it.
    pub(crate) async fn finished(&self, id: &str) -> pb::Task {
        let timeout = Some(prost_types::Duration { seconds: 20, nanos: 0 });
        let request = pb::WaitTaskRequest { task_id: id.to_owned(), timeout, ..Default::default() };
        let answer = self.tasks().wait(request).await.unwrap().into_inner();
        assert!(answer.finished, "not finished in time: {:?}", answer.task);
        answer.task.unwrap()
    }

    /// Asks for a cancel.
    pub(crate) async fn cancel(&self, id: &str) -> pb::Task {
        let request = pb::CancelTaskRequest {
            task_id: id.to_owned(),
            reason: "no longer wanted".to_owned(),
            ..Default::default()
        };
        self.tasks().cancel(request).await.unwrap().into_inner().task.unwrap()
    }

    /// Leases with the unary twin.
    pub(crate) async fn lease(&self, most: u32) -> pb::LeaseResponse {
        let wait = Some(prost_types::Duration { seconds: 5, nanos: 0 });
        let request = pb::LeaseRequest { max_tasks: most, wait, ..Default::default() };
        self.workers().lease(request).await.unwrap().into_inner()
    }

    /// A connection of the test's own to the database.
    pub(crate) async fn database(&self) -> sqlx::PgConnection {
        use sqlx::Connection as _;
        sqlx::PgConnection::connect(&self.url).await.unwrap()
    }
}

/// The reason in a status: `LEASE_LOST` and the like.
pub(crate) fn reason(status: &Status) -> String {
    let info = status.get_details_error_info();
    info.unwrap_or_else(|| panic!("no ErrorInfo in {status:?}")).reason
}
