//! Data that goes into a task or comes out of it.

use bytes::Bytes;

/// Bytes and what they are. Empty bytes with `content_type` `None` stand for "no data".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Payload {
    /// JSON text if `content_type` is `None`, else bytes that the server does not look at.
    pub data: Bytes,
    /// `None` for a JSON value (or no data), else the media type that the caller gave.
    pub content_type: Option<String>,
}

impl Payload {
    /// No data.
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether there is no data at all; bytes of length 0 are data.
    pub fn is_none(&self) -> bool {
        self.content_type.is_none() && self.data.is_empty()
    }
}
