//! One stream to the server.

use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::work_request::Message;
use bellringer_api::v1::work_response::Message as Answer;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::client::Client;
use crate::new_task::std_duration;

/// Longest time for the server to say welcome, to take a message, or to end the stream.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// Longest time for the server to say why it has ended the stream.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Messages under way to the server.
const BUFFER: usize = 16;
/// How often to say something, if the server does not say how often.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// A stream on which the server has said welcome.
pub(super) struct Connection {
    outbound: mpsc::Sender<pb::WorkRequest>,
    inbound: Streaming<pb::WorkResponse>,
    heartbeat: Duration,
    spoke: Instant,
}

impl Connection {
    /// Says hello and waits for the welcome.
    pub(super) async fn open(
        client: &Client,
        hello: pb::Hello,
    ) -> Result<(Self, pb::Welcome), Status> {
        let (outbound, requests) = mpsc::channel(BUFFER);
        let first = pb::WorkRequest { message: Some(Message::Hello(hello)) };
        outbound.try_send(first).map_err(|_| Status::internal("the buffer is too small"))?;
        let mut service = client.worker_service();
        let silent = |_| Status::unavailable("the server does not answer");
        let call = service.work(ReceiverStream::new(requests));
        let mut inbound = timeout(PATIENCE, call).await.map_err(silent)??.into_inner();
        let first = timeout(PATIENCE, inbound.message()).await.map_err(silent)??;
        let Some(Answer::Welcome(welcome)) = first.and_then(|first| first.message) else {
            return Err(Status::unavailable("the server did not say welcome"));
        };
        let heartbeat = welcome.heartbeat_interval.as_ref().map(std_duration);
        let heartbeat = heartbeat.filter(|interval| !interval.is_zero()).unwrap_or(HEARTBEAT);
        Ok((Self { outbound, inbound, heartbeat, spoke: Instant::now() }, welcome))
    }

    /// Sends a message, once the server has taken those before.
    pub(super) async fn send(&mut self, message: Message) -> Result<(), Status> {
        let request = pb::WorkRequest { message: Some(message) };
        match timeout(PATIENCE, self.outbound.send(request)).await {
            Ok(Ok(())) => self.spoke = Instant::now(),
            Ok(Err(_)) => return Err(self.last_words().await),
            Err(_) => return Err(gone()),
        }
        Ok(())
    }

    /// Why the server hears nothing more.
    async fn last_words(&mut self) -> Status {
        let last = async {
            loop {
                match self.inbound.message().await {
                    Ok(Some(_)) => {}
                    Ok(None) => return gone(),
                    Err(status) => return status,
                }
            }
        };
        timeout(LAST_WORDS, last).await.unwrap_or_else(|_| gone())
    }

    /// Tells that the worker lives, if nothing else has told it lately.
    pub(super) async fn beat(&mut self) -> Result<(), Status> {
        if self.spoke.elapsed() >= self.heartbeat.mul_f64(0.8) {
            self.send(Message::Beat(pb::Beat::default())).await?;
        }
        Ok(())
    }

    /// What the server says next; `None` when it has ended the stream.
    pub(super) async fn hear(&mut self) -> Result<Option<Answer>, Status> {
        Ok(self.inbound.message().await?.and_then(|answer| answer.message))
    }
}

fn gone() -> Status {
    Status::unavailable("the connection has ended")
}
