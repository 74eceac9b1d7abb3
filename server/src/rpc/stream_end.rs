//! When the server ends a stream by itself: it stops, the stream has lived long enough, or the
//! connection has. Whoever comes again may come to another replica.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;
use tonic::Request;

use super::Context;
use super::deadline::Deadline;
use super::quotas::StreamPlace;
use crate::edge::{self, Peer};
use crate::engine::Error;

/// The end of a stream that is still to come.
#[derive(Debug)]
pub(super) struct StreamEnd {
    stop: CancellationToken,
    closing: CancellationToken,
    deadline: Option<Instant>,
    lifetime: Pin<Box<Sleep>>,
    /// The caller's, as long as the stream lasts.
    _place: Option<StreamPlace>,
}

impl StreamEnd {
    /// Of the stream that this request begins.
    pub(super) fn of<T>(request: &Request<T>, context: &Context) -> Self {
        let deadline = request.extensions().get::<Deadline>().and_then(|deadline| deadline.0);
        let place = request.extensions().get::<StreamPlace>().cloned();
        let closing = request.extensions().get::<Peer>().map(|peer| peer.closing.clone());
        Self {
            stop: context.stop.clone(),
            closing: closing.unwrap_or_default(),
            deadline,
            lifetime: Box::pin(tokio::time::sleep(edge::about(context.settings.stream_lifetime))),
            _place: place,
        }
    }

    /// Waits for it; answers with what the client is told. Cancel safe.
    pub(super) async fn came(&mut self) -> Error {
        let deadline = self.deadline;
        let passed = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.stop.cancelled() => Error::Draining,
            () = passed => Error::DeadlineExceeded,
            () = self.closing.cancelled() => Error::StreamEnded,
            () = &mut self.lifetime => Error::StreamEnded,
        }
    }

    /// Waits until this replica stops, or `grace` is over.
    pub(super) async fn stopped_within(&self, grace: Duration) {
        tokio::time::timeout(grace, self.stop.cancelled()).await.ok();
    }
}
