//! Where Sentry would be: takes envelopes over HTTP, in this process.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::process::eventually;

/// One request: its line and headers, and its body.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Envelope {
    /// What is in it as an event; an envelope is lines of JSON, the header of an item before the item.
    pub(crate) fn event(&self) -> Option<Value> {
        let lines: Vec<Value> =
            self.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut pairs = lines.windows(2);
        pairs.find(|pair| pair[0]["type"] == "event").map(|pair| pair[1].clone())
    }
}

/// Takes envelopes until it is dropped.
pub(crate) struct Ingest {
    pub(crate) port: u16,
    seen: Arc<Mutex<Vec<Envelope>>>,
    _serving: JoinSet<()>,
}

impl Ingest {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (mut serving, kept) = (JoinSet::new(), seen.clone());
        serving.spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let envelope = take(socket).await;
                kept.lock().unwrap().push(envelope);
            }
        });
        Self { port, seen, _serving: serving }
    }

    /// What has come so far.
    pub(crate) fn seen(&self) -> Vec<Envelope> {
        self.seen.lock().unwrap().clone()
    }

    /// Waits for an event with this message.
    pub(crate) async fn event(&self, message: &str) -> (Envelope, Value) {
        let find = || {
            let seen = self.seen().into_iter();
            let mut events = seen.filter_map(|one| one.event().map(|event| (one, event)));
            events.find(|(_, event)| event["message"] == message)
        };
        eventually("an event is reported", || std::future::ready(find().is_some())).await;
        find().unwrap()
    }
}

async fn take(socket: TcpStream) -> Envelope {
    let mut socket = BufReader::new(socket);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        socket.read_line(&mut line).await.unwrap();
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    socket.read_exact(&mut body).await.unwrap();
    let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
    socket.write_all(answer).await.unwrap();
    Envelope { head, body: String::from_utf8(body).unwrap() }
}
