//! What has not been read of a request when its call is answered: because the call was refused, or its message is
//! too large. To drop it resets the stream, and what the client has sent by then counts as an error of the
//! connection, which ends after some hundred of them, with every other call over it. So it is read and forgotten.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// Longest time that remains are read: clients end a stream when they have the answer.
const LONGEST: Duration = Duration::from_secs(1);
/// Most bytes of remains that are read.
const MOST: usize = 8 << 20;

/// A request's body, of which nothing remains when it is dropped.
#[derive(Debug)]
pub(super) struct Request {
    body: Option<Incoming>,
    /// Whether all that had come was read, and more was waited for. Then nothing is under way, as far as anybody
    /// knows, and a client that goes on sending is to hear that the stream is over.
    is_waiting: bool,
}

impl Request {
    pub(super) fn new(body: Incoming) -> Self {
        Self { body: Some(body), is_waiting: false }
    }
}

impl Body for Request {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(cx);
        self.is_waiting = polled.is_pending();
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        let is_waiting = self.is_waiting;
        let remains = self.body.take().filter(|body| !is_waiting && !body.is_end_stream());
        if let (Some(remains), Ok(runtime)) = (remains, Handle::try_current()) {
            runtime.spawn(timeout(LONGEST, read(remains)));
        }
    }
}

async fn read(mut body: Incoming) {
    let mut left = MOST;
    while let Some(Ok(frame)) = body.frame().await {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(bytes) {
            Some(less) => left = less,
            None => return,
        }
    }
}
