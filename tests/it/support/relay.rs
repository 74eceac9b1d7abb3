//! A way to the database that can fall silent, as when a firewall has forgotten a connection: nothing arrives, and
//! nobody is told. Or one that does not let every connection begin.

use std::str::FromStr as _;

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Ends with its value.
pub(crate) struct Relay {
    /// Of the database, by this way.
    pub(crate) url: String,
    silent: watch::Sender<bool>,
    _relaying: JoinSet<()>,
}

impl Relay {
    pub(crate) async fn start(database_url: &str) -> Self {
        Self::start_refusing(database_url, None).await
    }

    /// Ends connections at once that begin with this word among their settings.
    pub(crate) async fn start_refusing(database_url: &str, refused: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let target = PgConnectOptions::from_str(database_url).unwrap();
        let (user, _) = database_url.rsplit_once('@').unwrap();
        let url = format!("{user}@127.0.0.1:{port}/{}", target.get_database().unwrap());
        let (silent, is_silent) = watch::channel(false);
        let mut relaying = JoinSet::new();
        relaying.spawn(async move {
            let mut all = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                all.spawn(relay(near, target.clone(), is_silent.clone(), refused));
            }
        });
        Self { url, silent, _relaying: relaying }
    }

    /// From now on nothing arrives.
    pub(crate) fn fall_silent(&self) {
        self.silent.send_replace(true);
    }
}

async fn relay(
    near: TcpStream,
    target: PgConnectOptions,
    silent: watch::Receiver<bool>,
    refused: Option<&'static str>,
) {
    let (near_in, near_out) = near.into_split();
    let back = silent.clone();
    match target.get_socket() {
        Some(folder) => {
            let socket = folder.join(format!(".s.PGSQL.{}", target.get_port()));
            let (far_in, far_out) = UnixStream::connect(socket).await.unwrap().into_split();
            tokio::join!(
                pump(near_in, far_out, silent, refused),
                pump(far_in, near_out, back, None)
            );
        }
        None => {
            let far = TcpStream::connect((target.get_host(), target.get_port())).await.unwrap();
            let (far_in, far_out) = far.into_split();
            tokio::join!(
                pump(near_in, far_out, silent, refused),
                pump(far_in, near_out, back, None)
            );
        }
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut silent: watch::Receiver<bool>,
    refused: Option<&'static str>,
) {
    let mut bytes = vec![0; 16_384];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        if refused.is_some_and(|word| begins_with(word, &bytes[..length])) {
            return;
        }
        if silent.wait_for(|is_silent| !is_silent).await.is_err()
            || to.write_all(&bytes[..length]).await.is_err()
        {
            return;
        }
    }
}

/// Whether these bytes begin a connection and have a word among its settings (PostgreSQL manual, "Message Formats",
/// StartupMessage).
fn begins_with(word: &str, bytes: &[u8]) -> bool {
    bytes.get(4..8) == Some(&[0, 3, 0, 0])
        && bytes.windows(word.len()).any(|part| part == word.as_bytes())
}
