//! One span, as it is sent when it is over.

use std::borrow::Cow;

use jiff::Timestamp;

use super::TraceContext;

/// Something that took time in a trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// What happened; few different ones.
    pub name: Cow<'static, str>,
    /// Whose work it is.
    pub kind: Kind,
    /// Its place.
    pub context: TraceContext,
    /// The span that it is a part of, in the same trace.
    pub parent: Option<u64>,
    /// A span of another trace that caused it.
    pub link: Option<TraceContext>,
    /// When it began.
    pub start: Timestamp,
    /// When it was over.
    pub end: Timestamp,
    /// What else is known of it.
    pub attributes: Vec<(&'static str, Value)>,
    /// What went wrong.
    pub error: Option<String>,
}

/// Whose work a span is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A call that was answered.
    Server,
    /// Something handed to a worker.
    Producer,
    /// Everything else.
    Internal,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A number.
    Number(i64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}
