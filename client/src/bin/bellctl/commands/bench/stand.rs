//! Where a suite measures: servers, database, and what counts.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bellringer_api::v1 as pb;
use tokio::time::Instant;

use super::Bench;
use super::cpu::Meter;
use super::database::Database;
use super::fleet::Fleet;
use super::guard::Guard;
use super::load::Load;
use super::server::Server;
use super::spent::{Reading, Run};
use super::wire::Wire;
use crate::{app::App, exit::Exit, failure::Failure, output::Output};

/// Queues that were used, to be cleaned up.
#[derive(Clone, Debug, Default)]
pub(super) struct Queues(Arc<Mutex<Vec<String>>>);

/// Servers with one database.
pub(super) struct Stand<'a> {
    /// At the first server.
    pub(super) app: App,
    pub(super) options: &'a Bench,
    /// Addresses; load and workers are spread over them.
    pub(super) urls: Vec<String>,
    pids: Vec<u64>,
    database: Option<Arc<Database>>,
    /// To start more replicas with; `None` if the server was not started here.
    program: Option<&'a Path>,
    wire: Wire,
    queues: Queues,
}

impl<'a> Stand<'a> {
    /// # Errors
    /// The database cannot be reached.
    pub(super) async fn new(
        app: &App,
        options: &'a Bench,
        server: &Server,
        program: Option<&'a Path>,
        queues: &Queues,
    ) -> Result<Self, Failure> {
        let database = match &server.database_url {
            Some(url) => Some(Arc::new(Database::open(url).await?)),
            None => None,
        };
        Ok(Self {
            app: app.at(&server.url)?,
            options,
            urls: vec![server.url.clone()],
            pids: server.pid.into_iter().collect(),
            database,
            program: program.filter(|_| server.is_own()),
            wire: Wire::default(),
            queues: queues.clone(),
        })
    }

    /// The same with more replicas.
    ///
    /// # Errors
    /// An address is not one.
    pub(super) fn with(&self, replicas: &[Server]) -> Result<Self, Failure> {
        let urls = replicas.iter().map(|replica| replica.url.clone());
        Ok(Self {
            app: self.app.at(&self.app.server)?,
            options: self.options,
            urls: self.urls.iter().cloned().chain(urls).collect(),
            pids: self.pids.iter().copied().chain(replicas.iter().filter_map(|r| r.pid)).collect(),
            database: self.database.clone(),
            program: self.program,
            wire: self.wire.clone(),
            queues: self.queues.clone(),
        })
    }

    /// One more server on the database with TLS, that asks who calls and counts calls, and the stand at it alone.
    ///
    /// # Errors
    /// The server was not started here, or the new one does not start.
    pub(super) async fn guarded(&self, guard: &Guard) -> Result<(Server, Self), Failure> {
        let program = self.own_program()?;
        let url = Some(self.database()?.url.as_str());
        let app = |url: &str| self.app.secured(url, &guard.authority(), &guard.key);
        let server = Server::start_with(program, url, &[], &guard.settings(), app).await?;
        let stand = Self {
            app: app(&server.url)?,
            options: self.options,
            urls: vec![server.url.clone()],
            pids: server.pid.into_iter().collect(),
            database: self.database.clone(),
            program: self.program,
            wire: self.wire.clone(),
            queues: self.queues.clone(),
        };
        Ok((server, stand))
    }

    /// Whether the server was started here.
    pub(super) fn is_own(&self) -> bool {
        self.program.is_some()
    }

    pub(super) fn out(&self) -> Output {
        self.app.out
    }

    /// # Errors
    /// The database is not known.
    pub(super) fn database(&self) -> Result<&Database, Failure> {
        self.database.as_deref().ok_or_else(|| {
            Failure::usage("the URL of the server's database is not known")
                .next("give --database-url or --handshake-file")
        })
    }

    /// Starts one more replica on the database.
    ///
    /// # Errors
    /// The server was not started here, or the replica does not start.
    pub(super) async fn replica(&self) -> Result<Server, Failure> {
        Server::start(&self.app, self.own_program()?, Some(&self.database()?.url)).await
    }

    fn own_program(&self) -> Result<&'a Path, Failure> {
        self.program.ok_or_else(|| {
            Failure::usage("replicas are started beside a server of the benchmark's own only")
                .next("leave --server, --handshake-file and --database-url away")
        })
    }

    /// Something to submit, into a queue of its own.
    ///
    /// # Errors
    /// An address is not one.
    pub(super) fn load(&self) -> Result<Load, Failure> {
        let connections = super::load::CONNECTIONS;
        let urls = self.urls.iter().cycle().take(connections);
        let connect = |url: &String| Ok(self.app.over(self.wire.connect(&self.app.endpoint(url)?)));
        let channels = urls.map(connect);
        let channels = channels.collect::<Result<Vec<_>, Failure>>()?;
        let app = self.app.at(&self.app.server)?;
        let load = Load::new(app, channels, self.options.batch, self.options.payload);
        self.queues.0.lock().unwrap_or_else(PoisonError::into_inner).push(load.queue.clone());
        Ok(load)
    }

    /// Workers of its queue, spread over the servers.
    ///
    /// # Errors
    /// They do not start.
    pub(super) async fn fleet(&self, load: &Load) -> Result<Fleet, Failure> {
        self.fleet_of(load, self.options.workers).await
    }

    /// The same with so many workers.
    ///
    /// # Errors
    /// They do not start.
    pub(super) async fn fleet_of(&self, load: &Load, workers: u32) -> Result<Fleet, Failure> {
        Fleet::start(&self.app, &self.urls, &load.queue, workers, self.options.credit).await
    }

    /// Everything that is counted, as it stands now.
    pub(super) async fn read(&self, fleet: &Fleet) -> Reading {
        let wal = match &self.database {
            Some(database) => database.wal().await,
            None => None,
        };
        let meter = Meter { servers: self.pids.clone(), workers: fleet.pids() };
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 bytes")]
        let wire = Some((self.wire.bytes() + fleet.wire()) as f64);
        Reading { cpu: meter.read(), wal, wire, at: Instant::now() }
    }

    /// What `tasks` have cost since a reading.
    pub(super) async fn since(&self, before: &Reading, fleet: &Fleet, tasks: u32) -> Run {
        let at = Instant::now();
        let after = Reading { at, ..self.read(fleet).await };
        Run::between(before, &after, tasks.into())
    }

    pub(super) fn server_pid(&self) -> Result<u64, Failure> {
        self.pids.first().copied().ok_or_else(|| {
            Failure::new(Exit::Usage, "the process of the server is not known")
                .next("give --handshake-file")
        })
    }
}

impl Queues {
    /// Lets the server forget what was finished in them as soon as it may, and cancels the rest.
    pub(super) async fn clean_up(&self, app: &App) {
        let queues = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for queue in queues {
            if let Err(failure) = clean_up(app, &queue).await {
                app.out.remark(&format!("tasks of queue {queue} may be left behind: {failure}"));
            }
        }
    }
}

async fn clean_up(app: &App, queue: &str) -> Result<(), Failure> {
    let name = || (app.namespace.clone(), queue.to_owned());
    let (namespace, queue) = name();
    let request = pb::PurgeQueueRequest { namespace, queue, confirm: true };
    let purge = app.call_within(super::MEASUREMENT, app.queues().purge(request)).await;
    if let Err(failure) = purge {
        // A queue that nothing was submitted to does not exist.
        return if failure.exit == Exit::NotFound { Ok(()) } else { Err(failure) };
    }
    let minute = Some(prost_types::Duration { seconds: 60, nanos: 0 });
    let retention = Some(pb::Retention {
        succeeded: minute,
        failed: minute,
        cancelled: minute,
        expired: minute,
    });
    let (namespace, queue) = name();
    let request = pb::SetRetentionRequest { namespace, queue, retention };
    app.call(app.queues().set_retention(request)).await.map(drop)
}
