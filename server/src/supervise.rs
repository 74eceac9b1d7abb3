//! Groups of long tasks that stop together. A task that ends or panics unasked is a fault of the
//! whole process: better restarted than half alive.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A named group of tasks with one stop token.
#[derive(Debug)]
pub struct Stage {
    name: &'static str,
    stop: CancellationToken,
    tasks: JoinSet<(&'static str, anyhow::Result<()>)>,
}

impl Stage {
    /// An empty group.
    pub fn new(name: &'static str) -> Self {
        Self { name, stop: CancellationToken::new(), tasks: JoinSet::new() }
    }

    /// Cancelled when the group is to stop.
    pub fn token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Starts a task; it should end soon after the token is cancelled, and not before.
    pub fn spawn<F>(&mut self, name: &'static str, task: F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.tasks.spawn(async move { (name, task.await) });
    }

    /// Waits until a task ends unasked; says which and why. Pending for ever in an empty group.
    pub async fn first_fault(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            None => std::future::pending().await,
            Some(Ok((task, Ok(())))) => anyhow::anyhow!("{}/{task} ended unasked", self.name),
            Some(Ok((task, Err(error)))) => error.context(format!("{}/{task} failed", self.name)),
            Some(Err(panic)) => anyhow::anyhow!("{}: a task panicked: {panic}", self.name),
        }
    }

    /// Cancels the token and waits for all tasks, for `grace` at most; what is left then is aborted.
    pub async fn stop(mut self, grace: Duration) {
        self.stop.cancel();
        let all = async {
            while let Some(ended) = self.tasks.join_next().await {
                match ended {
                    Ok((_, Ok(()))) => {}
                    Ok((task, Err(error))) => {
                        tracing::warn!(
                            stage = self.name,
                            task,
                            error = format!("{error:#}"),
                            "ended with an error"
                        );
                    }
                    Err(panic) => tracing::error!(stage = self.name, %panic, "a task panicked"),
                }
            }
        };
        if tokio::time::timeout(grace, all).await.is_err() {
            tracing::warn!(stage = self.name, "did not stop in time");
            self.tasks.abort_all();
        }
    }
}
