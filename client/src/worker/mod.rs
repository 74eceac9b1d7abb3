//! Running tasks.

mod book;
mod connection;
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
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use context::TaskContext;
pub use failure::TaskFailure;
pub use handler::{Handled, TaskHandler};

use crate::client::Client;
use crate::error::Error;
use handler::{DynHandler, Raw, Typed, boxed};
use session::{Parts, Session};

/// Most tasks at once: the largest credit.
const CONCURRENCY: u32 = 10_000;

/// Takes tasks and runs them.
///
/// The talk with the server runs on a task of its own and handlers on theirs, so heartbeats go on
/// however long handlers work, as long as they do not block all threads of the runtime: give long
/// computations to `tokio::task::spawn_blocking`, and run workers on the multi-threaded runtime.
///
/// Dropping the future of [`Worker::run`] drops the handlers with it; their tasks are run again
/// elsewhere once their leases have run out.
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
    /// If it has no handler, or the server refuses this worker.
    pub async fn run(self, stop: CancellationToken) -> Result<(), Error> {
        if self.0.handlers.is_empty() && self.0.fallback.is_none() {
            return Err(Error::Settings("the worker has no handler".to_owned()));
        }
        // On a task of its own, so that its caller may be busy.
        let mut session = JoinSet::new();
        session.spawn(Session::new(self.0, stop).run());
        match session.join_next().await {
            Some(Ok(ended)) => ended,
            Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime is shutting down.
            Some(Err(_)) | None => Ok(()),
        }
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

    /// Tasks at once, 1 to 10,000. Default: 10.
    #[must_use]
    pub fn concurrency(mut self, most: u32) -> Self {
        self.concurrency = most.clamp(1, CONCURRENCY);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn builder() -> Builder {
        Worker::builder(Client::builder("http://127.0.0.1:1").connect_lazy().unwrap())
    }

    async fn nothing(_: TaskContext, (): ()) -> Result<(), TaskFailure> {
        Ok(())
    }

    struct Any;

    impl TaskHandler for Any {
        async fn run(&self, _: TaskContext, payload: Option<pb::Payload>) -> Handled {
            Ok(payload)
        }
    }

    #[tokio::test]
    async fn a_worker_takes_only_what_it_has_handlers_for() {
        let worker = builder().queue("mail").handler("a", nothing).handler("b", nothing).build();
        let mut kinds = worker.0.hello.kinds.clone();
        kinds.sort();
        assert_eq!(
            (worker.0.hello.queues, kinds),
            (vec!["mail".into()], vec!["a".into(), "b".into()])
        );

        let worker = builder().handler("a", nothing).fallback(Any).concurrency(0).build();
        assert!(worker.0.hello.kinds.is_empty(), "every kind");
        assert_eq!(worker.0.concurrency, 1);
    }

    #[tokio::test]
    async fn a_worker_without_handlers_takes_nothing() {
        let ended = builder().build().run(CancellationToken::new()).await;
        assert!(matches!(ended, Err(Error::Settings(_))));
    }

    #[tokio::test]
    async fn a_worker_that_is_told_to_stop_does_not_wait_for_a_server() {
        let stop = CancellationToken::new();
        stop.cancel();
        builder().handler("a", nothing).build().run(stop).await.unwrap();
    }
}
