//! What the database did, in the words that the engine acts on.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use super::rows::Corrupt;

/// A statement that did not do what it should. Cheap to clone: one failed batch has many callers.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The database could not be reached or refused to work; nothing was changed.
    #[error("the database is unavailable")]
    Unavailable(#[source] Arc<sqlx::Error>),
    /// Every connection was in use for too long; nothing was changed.
    #[error("every connection to the database is in use")]
    Busy,
    /// What was left of the time of the call was not enough, so that the database ended the statement; nothing was
    /// changed.
    #[error("the database ended a statement at the deadline of its call")]
    OutOfTime(#[source] Arc<sqlx::Error>),
    /// The connection was lost on the way: the change may or may not have been made.
    #[error("the database was lost while it was working")]
    Unknown(#[source] Option<Arc<sqlx::Error>>),
    /// Two transactions stood in each other's way; nothing was changed, try again.
    #[error("transactions collided")]
    Collision(#[source] Arc<sqlx::Error>),
    /// The statement is wrong, or the schema is not what it expects: a bug.
    #[error("the database refused a statement")]
    Refused(#[source] Arc<sqlx::Error>),
    /// A row that cannot be read: a bug, or somebody's hand in the tables.
    #[error("a row of the database cannot be read: {0}")]
    Corrupt(String),
}

impl From<Corrupt> for Error {
    fn from(corrupt: Corrupt) -> Self {
        Self::Corrupt(corrupt.to_string())
    }
}

impl Error {
    /// Of an error before the statement was sent.
    pub(super) fn before(error: sqlx::Error) -> Self {
        Self::Unavailable(Arc::new(error))
    }

    /// Of an error after the statement was sent.
    pub(super) fn during(error: sqlx::Error) -> Self {
        match kind(&error) {
            Kind::Unavailable => Self::before(error),
            Kind::Unknown => Self::Unknown(Some(Arc::new(error))),
            Kind::Collision => Self::Collision(Arc::new(error)),
            Kind::Refused => Self::Refused(Arc::new(error)),
            Kind::Corrupt => Self::Corrupt(error.to_string()),
        }
    }

    /// The same, if the commit was not sent yet: then nothing was changed.
    pub(super) fn uncommitted(self) -> Self {
        match self {
            Self::Unknown(Some(error)) => Self::Unavailable(error),
            Self::Unknown(None) => Self::before(std::io::Error::from(ErrorKind::TimedOut).into()),
            other => other,
        }
    }

    /// The same, if the transaction was limited to what was left of the time of its call: then what took too long
    /// took too long for the call, and the database is well.
    pub(super) fn within(self, limit: Option<Duration>) -> Self {
        match self {
            Self::Unavailable(error) if limit.is_some() && is_cancelled(&error) => {
                Self::OutOfTime(error)
            }
            other => other,
        }
    }

    /// The kind of such an error, in one word.
    pub(super) fn kind_of(error: &sqlx::Error) -> &'static str {
        kind(error).name()
    }

    /// The kind of this error, in one word.
    pub(super) fn kind(&self) -> &'static str {
        let kind = match self {
            Self::Unavailable(_) | Self::Busy | Self::OutOfTime(_) => Kind::Unavailable,
            Self::Unknown(_) => Kind::Unknown,
            Self::Collision(_) => Kind::Collision,
            Self::Refused(_) => Kind::Refused,
            Self::Corrupt(_) => Kind::Corrupt,
        };
        kind.name()
    }

    /// Whether the change may have been made although an error came back. What cannot be read was written before it
    /// was answered.
    pub fn may_have_committed(&self) -> bool {
        matches!(self, Self::Unknown(_) | Self::Corrupt(_))
    }
}

/// Whether the database ended the statement since it took too long, or was told to.
pub(super) fn is_cancelled(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).as_deref() == Some("57014")
}

/// [`Error`] without its cause.
enum Kind {
    Unavailable,
    Unknown,
    Collision,
    Refused,
    Corrupt,
}

impl Kind {
    /// In one word, for the metrics.
    fn name(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Unknown => "unknown",
            Self::Collision => "collision",
            Self::Refused => "refused",
            Self::Corrupt => "corrupt",
        }
    }
}

/// The kind of an error after the statement was sent.
fn kind(error: &sqlx::Error) -> Kind {
    let Some(database) = error.as_database_error() else {
        return match error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => Kind::Unavailable,
            sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::Encode(_) => Kind::Corrupt,
            _ => Kind::Unknown,
        };
    };
    // PostgreSQL manual, appendix A "PostgreSQL Error Codes".
    match &*database.code().unwrap_or_default() {
        "40001" | "40P01" => Kind::Collision,
        // Read only (a standby), out of resources, timeouts, shutdown: rolled back.
        "25006" | "55P03" => Kind::Unavailable,
        code if ["53", "57", "58"].iter().any(|class| code.starts_with(class)) => Kind::Unavailable,
        _ => Kind::Refused,
    }
}
