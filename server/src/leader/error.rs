//! What goes wrong in a term.

/// A statement of the leader that did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum LeadError {
    /// This replica leads no more: a new term has begun, or its trust has run out.
    #[error("this replica leads no more")]
    Fenced,
    /// The database's clock has jumped; the term goes on, nothing is written for a moment.
    #[error("the database's clock has jumped")]
    OnHold,
    /// The session is lost.
    #[error("the leader's database session was lost: {0}")]
    Lost(String),
    /// The statement was refused; the session is fine.
    #[error("the database refused a statement: {0}")]
    Refused(#[from] Box<tokio_postgres::Error>),
}
