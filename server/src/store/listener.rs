//! Hearing what other replicas tell.

use sqlx::postgres::{PgListener, PgPoolOptions};

use super::{Error, Store};

/// What a listener hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notification {
    /// A message.
    Message(String),
    /// The connection was lost for a while: messages may have been missed, so look.
    Gap,
}

/// A connection of its own that listens.
#[derive(Debug)]
pub struct Listener(PgListener);

impl Store {
    /// Starts listening.
    pub async fn listen(&self) -> Result<Listener, Error> {
        // A pool of its own: closing the store's pools must not wait for the listener.
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(self.settings.acquire_timeout)
            .connect_lazy(&self.settings.url)
            .map_err(Error::before)?;
        let mut listener = PgListener::connect_with(&pool).await.map_err(Error::before)?;
        listener.listen("bellringer").await.map_err(Error::before)?;
        Ok(Listener(listener))
    }
}

impl Listener {
    /// Waits for the next message. Cancel safe.
    pub async fn next(&mut self) -> Result<Notification, Error> {
        match self.0.try_recv().await.map_err(Error::before)? {
            Some(notification) => Ok(Notification::Message(notification.payload().to_owned())),
            None => Ok(Notification::Gap),
        }
    }
}
