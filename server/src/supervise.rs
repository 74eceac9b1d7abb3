//! Groups of long tasks that stop together. A task that ends or panics unasked is a fault of the
//! whole process: better restarted than half alive.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::panics::caught;

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
            // The log has it already, and its text must not go everywhere where errors go.
            Some(Err(_)) => anyhow::anyhow!("{}: a task panicked", self.name),
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

/// Tasks that come and go, as part of a [`Stage`]: they may end, but the panic of one is a fault.
#[derive(Debug, Clone, Default)]
pub struct Group {
    tasks: TaskTracker,
    panicked: CancellationToken,
}

impl Group {
    /// Starts a task.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let panicked = self.panicked.clone();
        self.tasks.spawn(async move {
            if caught(task).await.is_none() {
                panicked.cancel();
            }
        });
    }

    /// Waits until the last task has ended; nobody starts one after that.
    pub async fn wait(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// For a task of the stage: ends when the stage stops, or with an error when a task panics.
    ///
    /// # Errors
    /// If a task has panicked.
    pub async fn watch(self, stop: CancellationToken) -> anyhow::Result<()> {
        tokio::select! {
            () = stop.cancelled() => Ok(()),
            () = self.panicked.cancelled() => Err(anyhow::anyhow!("a task panicked")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_task_that_panics_or_ends_unasked_is_a_fault_that_tells_no_text_of_the_panic() {
        for (panics, told) in [(true, "loops: a task panicked"), (false, "loops/one ended unasked")]
        {
            let mut stage = Stage::new("loops");
            let stop = stage.token();
            stage.spawn("other", async move {
                stop.cancelled().await;
                Ok(())
            });
            stage.spawn("one", async move {
                assert!(!panics, "secret");
                Ok(())
            });
            let fault = stage.first_fault().await;
            assert_eq!(format!("{fault:#}"), told);
            stage.stop(GRACE).await;
        }
    }

    #[tokio::test]
    async fn a_task_of_a_group_may_end_but_not_panic() {
        let (mut stage, group) = (Stage::new("loops"), Group::default());
        stage.spawn("group", group.clone().watch(stage.token()));
        group.spawn(async {});
        tokio::task::yield_now().await;
        assert!(!group.panicked.is_cancelled());
        group.spawn(async { panic!("secret") });
        let fault = stage.first_fault().await;
        assert_eq!(format!("{fault:#}"), "loops/group failed: a task panicked");
        group.wait().await;
    }

    #[tokio::test]
    async fn a_group_stops_with_its_stage() {
        let (mut stage, group) = (Stage::new("loops"), Group::default());
        stage.spawn("group", group.watch(stage.token()));
        tokio::time::timeout(GRACE / 2, stage.stop(GRACE)).await.unwrap();
    }
}
