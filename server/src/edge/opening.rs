//! Whether a connection has begun to speak HTTP/2.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The preface of HTTP/2, and the head of the frame that has to follow it.
const OPENED: usize = 24 + 9;

/// What was read of a connection so far, as far as it matters.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard(Arc<AtomicUsize>);

impl Heard {
    /// Whether enough was read for a preface. Whether it was one is for HTTP/2 to say.
    pub(super) fn preface(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= OPENED
    }
}

/// A connection that is listened to.
#[derive(Debug)]
pub(super) struct Listened<S> {
    inner: S,
    heard: Heard,
    bytes: usize,
}

impl<S> Listened<S> {
    pub(super) fn new(inner: S) -> (Self, Heard) {
        let heard = Heard::default();
        (Self { inner, heard: heard.clone(), bytes: 0 }, heard)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Listened<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if self.bytes < OPENED {
            let read = buffer.filled().len().saturating_sub(before);
            self.bytes = self.bytes.saturating_add(read);
            self.heard.0.store(self.bytes, Ordering::Relaxed);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Listened<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
