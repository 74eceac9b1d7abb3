//! What moves: everything between the wire and the database. Knows neither gRPC nor SQL.

mod cancelling;
mod claiming;
mod clockwork;
mod dispatcher;
mod error;
mod express;
mod firing;
mod footing;
mod fullness;
mod hints;
mod ids;
mod keys;
mod marks;
mod metering;
mod observing;
mod outbox;
mod pool;
mod pruning;
mod queues;
mod reading;
mod registry;
mod replicas;
mod reporter;
mod request_hash;
mod resume_token;
mod room;
mod schedules;
mod session;
mod settings;
mod signals;
mod statistics;
mod submitter;
mod traces;
mod upkeep;
mod upkeep_marks;
mod vacuuming;
mod watch_hub;
mod watch_index;
mod watcher;
mod workers;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use error::Error;
pub use observing::Observing;
pub use outbox::{Ack, Outgoing};
pub use pruning::Pruning;
pub use resume_token::ResumeToken;
pub use schedules::{Backfill, Backfilled, Change, Changed, Preview, Schedules, Update};
pub use session::Session;
pub use settings::Settings;
pub use statistics::{
    Group, GroupBy, StatAnswer, StatFilter, StatRequest, StatSettings, Statistics, Unfinished,
};
pub use submitter::Submitted;
pub use upkeep::Upkeep;
pub use watch_hub::Watch;
pub use watcher::Event;
pub use workers::{Connection, Welcome, Workers};

use crate::domain::task::Start;
use crate::domain::{ListQuery, Namespace, NewTask, Selection, Task, TaskId, UniqueConflict, View};
use crate::leader;
use crate::metrics::Metrics;
use crate::seal::Seal;
use crate::store::{ClusterRow, ReplicaRow, Store};
use crate::supervise::Stage;
use cancelling::Cancelling;
use dispatcher::Dispatcher;
use firing::Firing;
use fullness::Fullness;
use hints::Hints;
use metering::Meter;
use queues::Queues;
use reading::Reading;
use registry::Registry;
use replicas::Replicas;
use reporter::Reporter;
use signals::Signals;
use submitter::Submitter;
use traces::Traces;
use vacuuming::Vacuuming;
use watch_hub::WatchHub;

/// The handle that the edges hold.
#[derive(Debug)]
pub struct Engine {
    /// What workers do.
    pub workers: Arc<Workers>,
    /// Looking after queues.
    pub queues: Queues,
    /// Making and changing schedules.
    pub schedules: Schedules,
    /// Counting what has ended; tests roll up by themselves.
    pub statistics: Arc<Statistics>,
    /// What this replica does about firing them.
    pub leadership: watch::Receiver<leader::Status>,
    /// Upkeep; tests call its rounds themselves.
    pub upkeep: Arc<Upkeep>,
    /// Taking away what was kept long enough; tests call its rounds themselves.
    pub pruning: Arc<Pruning>,
    /// Looking at the queues; tests look by themselves.
    pub observing: Arc<Observing>,
    /// Notified when API keys were changed, here or on another replica.
    pub keys_changed: Arc<Notify>,
    /// Seals what clients keep for the server.
    pub seal: Seal,
    /// How long leases live, and how often workers are to be heard.
    pub settings: Settings,
    submitter: Arc<Submitter>,
    cancelling: Arc<Cancelling>,
    reading: Arc<Reading>,
    hub: Arc<WatchHub>,
    dispatcher: Arc<Dispatcher>,
    signals: Arc<Signals>,
    clockwork: tokio::sync::Mutex<()>,
    leaving: CancellationToken,
    stopping: CancellationToken,
    metrics: Arc<Metrics>,
}

impl Engine {
    /// Builds the engine and starts its loops: those that write in `writers`, which end when the
    /// engine is dropped, the others in `loops`.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn start(
        store: Store,
        settings: Settings,
        metrics: Arc<Metrics>,
        loops: &mut Stage,
        writers: &mut Stage,
    ) -> Result<Arc<Self>, Error> {
        let registry = Arc::new(Registry::new(store.clone(), settings.kinds_per_namespace));
        registry.refresh(true).await?;
        let reading = Arc::new(Reading::new(store.clone(), registry.clone()));
        let seal = Seal::new(&store.token_key().await?);
        let hub = Arc::new(WatchHub::new(
            reading.clone(),
            seal.clone(),
            settings.watchers,
            settings.watch_buffer,
            settings.reconcile_interval,
            settings.retention,
            metrics.clone(),
        ));
        let meter = Arc::new(Meter::new(metrics.clone(), registry.clone()));
        let replica = Uuid::new_v4();
        let hints = Arc::new(Hints::new(store.clone(), replica));
        let statistics =
            Arc::new(Statistics::new(store.clone(), registry.clone(), settings.statistics));
        let pruning = Arc::new(Pruning::new(
            store.clone(),
            registry.clone(),
            statistics.clone(),
            replica,
            &settings,
        ));
        pruning.prepare().await;
        let dispatcher = Arc::new(Dispatcher::new(
            store.clone(),
            registry.clone(),
            settings.poll_interval,
            settings.fair_share,
        ));
        let traces = Arc::new(Traces::new(
            settings.tracer.clone(),
            settings.link_after,
            store.clone(),
            registry.clone(),
        ));
        let signals = Arc::new(Signals::new(
            dispatcher.clone(),
            hub.clone(),
            hints.clone(),
            meter.clone(),
            traces.clone(),
        ));
        let (reporter, reporting) = Reporter::new(&store, signals.clone(), &settings);
        let reporter = Arc::new(reporter);
        let fullness = Arc::new(Fullness::new(settings.queue_depth));
        let (submitter, submitting) = Submitter::new(
            &store,
            registry.clone(),
            dispatcher.clone(),
            reporter.clone(),
            signals.clone(),
            fullness.clone(),
            &settings,
        );
        let submitter = Arc::new(submitter);
        let workers = Arc::new(Workers::new(
            store.clone(),
            registry.clone(),
            dispatcher.clone(),
            reporter.clone(),
            signals.clone(),
            hints.clone(),
            &settings,
        ));
        let upkeep = Arc::new(Upkeep::new(
            store.clone(),
            reporter,
            workers.clone(),
            signals.clone(),
            &settings,
        ));
        let cancelling = Arc::new(Cancelling {
            reading: reading.clone(),
            workers: workers.clone(),
            signals: signals.clone(),
            hints: hints.clone(),
        });
        let leaving = CancellationToken::new();
        let wake_leader = Arc::new(Notify::new());
        let (status, leadership) = watch::channel(leader::Status::default());
        let firing =
            Firing::new(store.clone(), submitter.clone(), signals.clone(), cancelling.clone());
        let leading = leader::run(
            settings.leader.clone(),
            firing,
            wake_leader.clone(),
            status,
            // The first to stop: another replica fires while this one still waits for its workers.
            leaving.clone(),
        );
        loops.spawn("leadership", leading);
        let schedules = Schedules::new(
            store.clone(),
            registry.clone(),
            signals.clone(),
            hints.clone(),
            cancelling.clone(),
            wake_leader.clone(),
            settings.schedules_per_namespace,
        );
        let keys_changed = Arc::new(Notify::new());
        let replicas = Arc::new(Replicas {
            store: store.clone(),
            registry: registry.clone(),
            dispatcher: dispatcher.clone(),
            workers: workers.clone(),
            hub: hub.clone(),
            hints: hints.clone(),
            poll_interval: settings.poll_interval,
            leader: wake_leader,
            keys_changed: keys_changed.clone(),
            fullness: fullness.clone(),
            leadership: leadership.clone(),
            name: settings.replica_name.clone(),
        });

        let vacuuming = Arc::new(Vacuuming::new(store.clone(), metrics.clone()));
        let observing = Arc::new(Observing {
            store: store.clone(),
            registry: registry.clone(),
            meter,
            leadership: leadership.clone(),
            fullness,
            hints: hints.clone(),
        });

        macro_rules! run {
            ($name:literal, $owner:expr, $method:ident) => {{
                let (owner, stop) = ($owner.clone(), loops.token());
                loops.spawn($name, async move {
                    owner.$method(stop).await;
                    Ok(())
                });
            }};
        }
        writers.spawn("submitting", finishing(submitting));
        writers.spawn("reporting", finishing(reporting));
        loops.spawn("leasing", dispatcher.clone().watch_loops(loops.token()));
        run!("lanes", dispatcher, follow_lanes);
        run!("hints", hints, run);
        run!("watches", hub, run);
        run!("leases", workers, keep_alive);
        run!("promoting", upkeep, promote);
        run!("reaping", upkeep, reap);
        run!("pruning", pruning, run);
        run!("vacuuming", vacuuming, run);
        run!("statistics", statistics, run);
        run!("observing", observing, run);
        run!("replicas", replicas, beat);
        run!("listening", replicas, listen);
        run!("tracing", traces, run);

        Ok(Arc::new(Self {
            queues: Queues::new(store, registry, signals.clone()),
            schedules,
            statistics,
            leadership,
            workers,
            upkeep,
            pruning,
            observing,
            keys_changed,
            seal,
            settings,
            submitter,
            cancelling,
            reading,
            hub,
            dispatcher,
            signals,
            clockwork: tokio::sync::Mutex::default(),
            leaving,
            stopping: CancellationToken::new(),
            metrics,
        }))
    }

    /// Tells the metrics how things stand now.
    pub fn observe(&self) {
        self.metrics.leader.set(&self.leadership.borrow());
        let sessions = self.dispatcher.sessions();
        let credit = sessions.iter().map(|session| i64::from(session.credit())).sum();
        self.metrics.workers.credit.set(credit);
        let sessions = i64::try_from(sessions.len()).unwrap_or(i64::MAX);
        self.metrics.workers.sessions.set(sessions);
        self.hub.observe();
    }

    /// Submits tasks; each gets its own answer, in order. With `atomic`, one refusal refuses all.
    ///
    /// # Errors
    /// If nothing was submitted at all.
    pub async fn submit(
        &self,
        tasks: Vec<NewTask>,
        atomic: bool,
    ) -> Result<Vec<Result<Submitted, Error>>, Error> {
        self.submitter.submit(tasks, atomic).await
    }

    /// Submits one task.
    ///
    /// # Errors
    /// If it was refused, or may not be durable.
    pub async fn submit_one(&self, task: NewTask) -> Result<Submitted, Error> {
        let answers = self.submitter.submit(vec![task], false).await?;
        answers.into_iter().next().unwrap_or(Err(Error::OutcomeUnknown))
    }

    /// One task.
    ///
    /// # Errors
    /// If the namespace has no such task.
    pub async fn get(&self, namespace: &Namespace, id: TaskId, view: View) -> Result<Task, Error> {
        self.reading.task(namespace, id, view).await
    }

    /// Tasks that match, newest first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn list(&self, query: &ListQuery) -> Result<Vec<Task>, Error> {
        self.reading.list(query).await
    }

    /// Cancels a task: at once if it waits, by asking its worker if it runs. Answers with the task as
    /// it is afterwards.
    ///
    /// # Errors
    /// If the namespace has no such task.
    pub async fn cancel(
        &self,
        namespace: &Namespace,
        id: TaskId,
        reason: &str,
    ) -> Result<Task, Error> {
        self.cancelling.cancel(namespace, id, reason).await
    }

    /// Submits the work of a finished task once more, in the trace of the caller if there is one.
    ///
    /// # Errors
    /// If there is no such task, or it is not finished.
    pub async fn retry(
        &self,
        namespace: &Namespace,
        id: TaskId,
        idempotency_key: Option<String>,
        caller: Option<String>,
    ) -> Result<Submitted, Error> {
        let task = self.get(namespace, id, View::Full).await?;
        if !task.state.is_final() {
            return Err(Error::TaskNotFinished { task: id, state: task.state });
        }
        let again = NewTask {
            start: Start::Now,
            // The time to have started is over; the other limits count from the new start.
            expire_at: None,
            unique_conflict: UniqueConflict::Refuse,
            idempotency_key,
            retry_of: Some(id),
            traceparent: caller.or(task.spec.traceparent),
            ..task.spec
        };
        self.submit_one(again).await
    }

    /// Waits until a task is finished, for `longest` at most; answers with it as it is then.
    ///
    /// # Errors
    /// If the namespace has no such task.
    pub async fn wait(
        &self,
        namespace: &Namespace,
        id: TaskId,
        longest: Duration,
    ) -> Result<Task, Error> {
        let first = self.get(namespace, id, View::Full).await?;
        if first.state.is_final() || longest.is_zero() {
            return Ok(first);
        }
        let watch = self.watch(namespace, Selection::Ids(vec![id]), View::Basic, None).await?;
        let finished = async {
            while let Some(event) = watch.next().await? {
                if let Event::Snapshot(task) | Event::Change(task) = event
                    && task.state.is_final()
                {
                    break;
                }
            }
            Ok::<_, Error>(())
        };
        tokio::select! {
            done = finished => done?,
            () = tokio::time::sleep(longest) => {}
            () = self.stopping.cancelled() => return Err(Error::Draining),
        }
        self.get(namespace, id, View::Full).await
    }

    /// Begins a watch.
    ///
    /// # Errors
    /// If a task does not exist, or the token cannot be honoured.
    pub async fn watch(
        &self,
        namespace: &Namespace,
        selection: Selection,
        view: View,
        resume: Option<ResumeToken>,
    ) -> Result<Watch, Error> {
        if self.stopping.is_cancelled() {
            return Err(Error::Draining);
        }
        self.hub.watch(namespace, selection, view, resume).await
    }

    /// What stands about the cluster, and the replicas that live.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn cluster(&self) -> Result<(ClusterRow, Vec<ReplicaRow>), Error> {
        let store = self.reading.store();
        let (cluster, replicas) = tokio::try_join!(store.cluster(), store.replicas())?;
        Ok((cluster.ok_or(Error::StoreUnavailable)?, replicas))
    }

    /// How far the clock was moved forward; `None` if it cannot be.
    pub fn clock_advanced(&self) -> Option<Duration> {
        self.reading.store().clock().advanced()
    }

    /// Whether the database answers and takes writes, and this replica is not about to stop.
    pub async fn is_ready(&self) -> bool {
        !self.leaving.is_cancelled()
            && self.reading.store().ping().await.is_ok_and(|is_primary| is_primary)
    }

    /// Cancelled when this replica is about to stop and should be sent nothing more.
    pub fn leaving(&self) -> &CancellationToken {
        &self.leaving
    }

    /// Cancelled when this replica stops.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// Says that this replica is about to stop: its health turns red, and it gives leadership away.
    /// Whoever comes is served as before.
    pub fn leave(&self) {
        self.leaving.cancel();
    }

    /// Takes no more work: workers are told, watches end, nothing more is leased. What runs goes on.
    pub async fn drain(&self) {
        self.leave();
        self.stopping.cancel();
        self.workers.tell_drain();
        self.hub.end_all(&Error::Draining);
        self.dispatcher.drain().await;
    }
}

async fn finishing(work: impl Future<Output = ()>) -> anyhow::Result<()> {
    work.await;
    Ok(())
}
