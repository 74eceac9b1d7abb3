//! The stream of a watch, taken up again by itself when it breaks.

use std::time::Duration;

use bellringer_api::v1::{Task, WatchEvent, WatchTasksRequest, WatchTasksResponse};
use tokio::time::{Instant, sleep, timeout};
use tonic::{Code, Status, Streaming};

use crate::{app::App, failure::Failure};

/// How long the server may be away before the watch is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Longest silence: bookmarks come about every 10 s, so the connection is dead.
const SILENCE: Duration = Duration::from_secs(45);

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What happened to which task; `None` at the end of a watch of ids.
pub(crate) type Event = Option<(WatchEvent, Task)>;

/// Tasks as they change.
pub(crate) struct Events<'a> {
    app: &'a App,
    request: WatchTasksRequest,
    stream: Option<Streaming<WatchTasksResponse>>,
    heard: Instant,
    pause: Duration,
}

impl<'a> Events<'a> {
    pub(crate) fn new(app: &'a App, request: WatchTasksRequest) -> Self {
        Self { app, request, stream: None, heard: Instant::now(), pause: FIRST_PAUSE }
    }

    /// The next event; only the first one after a resume may repeat what was told before.
    /// Cancel safe: nothing that was heard is lost, at most a call is made again.
    ///
    /// # Errors
    /// Whatever does not pass by itself, and a server that stays away.
    pub(crate) async fn next(&mut self) -> Result<Event, Failure> {
        loop {
            match self.message().await {
                Ok(None) => return Ok(None),
                Ok(Some(message)) => {
                    self.heard = Instant::now();
                    self.pause = FIRST_PAUSE;
                    if !message.resume_token.is_empty() {
                        self.request.resume_token.clone_from(&message.resume_token);
                    }
                    let event = message.event();
                    if let Some(task) = message.task {
                        return Ok(Some((event, task)));
                    }
                }
                Err(status) => self.broken(&status).await?,
            }
        }
    }

    async fn message(&mut self) -> Result<Option<WatchTasksResponse>, Status> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            empty => {
                let mut tasks = self.app.tasks();
                let call = tasks.watch(self.request.clone());
                let answer = timeout(SILENCE, call).await.map_err(|_| silent())??;
                empty.insert(answer.into_inner())
            }
        };
        timeout(SILENCE, stream.message()).await.map_err(|_| silent())?
    }

    /// Makes ready for the next try, or gives up.
    async fn broken(&mut self, status: &Status) -> Result<(), Failure> {
        self.stream = None;
        let failure = Failure::from(status);
        match status.code() {
            // RESYNC: the token is too old. What is new since is in the new snapshot.
            Code::OutOfRange if !self.request.resume_token.is_empty() => {
                self.request.resume_token.clear();
                self.app.out.remark("the watch starts anew: changes in between may be missing");
            }
            // SLOW_CONSUMER: we are behind, and go on from where we are.
            Code::ResourceExhausted => {}
            _ if failure.is_passing() => {}
            _ => return Err(failure),
        }
        if self.heard.elapsed() >= PATIENCE {
            return Err(failure);
        }
        sleep(failure.retry_after.unwrap_or(self.pause)).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}

fn silent() -> Status {
    Status::unavailable("nothing was heard of the server")
}
