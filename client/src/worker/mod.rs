//! Running tasks.

mod book;
mod context;
mod failure;
mod handler;
mod session;

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use bellringer_api::v1 as pb;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

pub use context::TaskContext;
pub use failure::TaskFailure;
pub use handler::{Handled, TaskHandler};

use crate::client::Client;
use crate::error::Error;
use handler::{DynHandler, Raw, Typed, boxed};
use session::{Parts, Session};

/// Takes tasks and runs them.
///
/// Heartbeats go on while handlers run, as long as handlers do not block the runtime: give long
/// computations to `tokio::task::spawn_blocking`.
pub struct Worker(Parts);

/// Settings of a [`Worker`].
pub struct Builder {
    client: Client,
    hello: pb::Hello,
    concurrency: u32,
    handlers: HashMap<String, DynHandler>,
    fallback: Option<DynHandler>,
    drain_timeout: Duration,
}

impl Worker {
    /// Settings for a worker of this client's namespace.
    pub fn builder(client: Client) -> Builder {
        let hello = pb::Hello { namespace: client.namespace().to_owned(), ..Default::default() };
        Builder {
            client,
            hello,
            concurrency: 10,
            handlers: HashMap::new(),
            fallback: None,
            drain_timeout: Duration::from_secs(20),
        }
    }

    /// Works until `stop` is cancelled; then takes no more tasks, lets handlers finish for the drain
    /// timeout, reports everything, and gives back what still runs.
    ///
    /// A server that is away is waited for; attempts go on meanwhile and are taken up again.
    ///
    /// # Errors
    /// If the server refuses this worker.
    pub async fn run(self, stop: CancellationToken) -> Result<(), Error> {
        Session::new(self.0, stop).run().await
    }
}

impl Builder {
    /// Takes tasks from this queue too. Default: the queue `default` alone.
    #[must_use]
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.hello.queues.push(queue.into());
        self
    }

    /// Name for people: host, process, purpose.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.hello.worker_name = name.into();
        self
    }

    /// Runs tasks of this version too. Default: of every version.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.hello.versions.push(version.into());
        self
    }

    /// Tasks at once. Default: 10.
    #[must_use]
    pub fn concurrency(mut self, most: u32) -> Self {
        self.concurrency = most.max(1);
        self
    }

    /// How long handlers may go on when the worker stops. Default: 20 s.
    #[must_use]
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.drain_timeout = timeout;
        self
    }

    /// Runs tasks of a kind with an async closure from a JSON value to a JSON value.
    #[must_use]
    pub fn handler<F, Fut, T, R>(self, kind: impl Into<String>, run: F) -> Self
    where
        F: Fn(TaskContext, T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, TaskFailure>> + Send + 'static,
        T: DeserializeOwned + Send + 'static,
        R: Serialize + Send + 'static,
    {
        self.task_handler(kind, Typed::new(run))
    }

    /// Runs tasks of a kind with an async closure from payload to payload.
    #[must_use]
    pub fn raw_handler<F, Fut>(self, kind: impl Into<String>, run: F) -> Self
    where
        F: Fn(TaskContext, Option<pb::Payload>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Handled> + Send + 'static,
    {
        self.task_handler(kind, Raw(run))
    }

    /// Runs tasks of a kind with a handler of your own type.
    #[must_use]
    pub fn task_handler(mut self, kind: impl Into<String>, handler: impl TaskHandler) -> Self {
        self.handlers.insert(kind.into(), boxed(handler));
        self
    }

    /// Runs tasks of every other kind. Without it, only tasks with a handler are taken.
    #[must_use]
    pub fn fallback(mut self, handler: impl TaskHandler) -> Self {
        self.fallback = Some(boxed(handler));
        self
    }

    /// The worker.
    #[must_use]
    pub fn build(self) -> Worker {
        let mut hello = self.hello;
        if self.fallback.is_none() {
            hello.kinds = self.handlers.keys().cloned().collect();
        }
        Worker(Parts {
            client: self.client,
            hello,
            concurrency: self.concurrency,
            handlers: self.handlers,
            fallback: self.fallback,
            drain_timeout: self.drain_timeout,
        })
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("kinds", &self.0.handlers.keys()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("kinds", &self.handlers.keys()).finish_non_exhaustive()
    }
}
