//! Hearing what other replicas tell.

use std::time::Duration;

use sqlx::Executor as _;
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::time::timeout;

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
pub struct Listener {
    connection: PgListener,
    silence: Duration,
    longest: Duration,
}

impl Store {
    /// Starts listening. After so much silence the connection is asked for a sign of life: one that has died
    /// without a word looks like one on which nobody has anything to tell.
    pub async fn listen(&self, silence: Duration) -> Result<Listener, Error> {
        // A pool of its own: closing the store's pools must not wait for the listener.
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(self.settings.acquire_timeout)
            .connect_lazy(&self.settings.url)
            .map_err(Error::before)?;
        let mut connection = PgListener::connect_with(&pool).await.map_err(Error::before)?;
        let listening = async { connection.listen("bellringer").await.map_err(Error::before) };
        self.in_time(listening).await.map_err(Error::uncommitted)?;
        Ok(Listener { connection, silence, longest: self.longest() })
    }
}

impl Listener {
    /// Waits for the next message.
    ///
    /// # Errors
    /// If the connection is lost: messages may have been missed, so listen anew and look.
    pub async fn next(&mut self) -> Result<Notification, Error> {
        loop {
            let Ok(heard) = timeout(self.silence, self.connection.try_recv()).await else {
                let asked = timeout(self.longest, self.connection.execute("select 1"));
                asked
                    .await
                    .map_err(|_| Error::Unknown(None).uncommitted())?
                    .map_err(Error::before)?;
                continue;
            };
            return Ok(match heard.map_err(Error::before)? {
                Some(notification) => Notification::Message(notification.payload().to_owned()),
                None => Notification::Gap,
            });
        }
    }
}
