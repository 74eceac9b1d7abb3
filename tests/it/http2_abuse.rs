//! HTTP/2 used against a running server, frame by frame. Each abuse has to end with its own connection;
//! other clients are not to notice, and memory is not to grow.
//!
//! `BELLRINGER_TEST_PROGRAM` names another build of the server to do this to, for example `target/release/bellringer`,
//! for times that mean something.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::task_service_client::TaskServiceClient;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tonic::transport::Channel;

use crate::support::TestServer;
use crate::support::make::task;
use crate::support::postgres::fresh_database;
use crate::support::process::{Process, address, free_port, program, serve_with};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const CANCEL: [u8; 4] = [0, 0, 0, 8];

/// Longest time of one abuse.
const ABUSE: Duration = Duration::from_secs(4);
/// Frames or connections of one abuse at most.
const MANY: u32 = 50_000;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A field that is not indexed, with a name of its own.
fn field(name: &str, value: &str) -> Vec<u8> {
    let mut field = vec![0];
    for text in [name, value] {
        // Seven bits of length, continued where that is too little.
        let length = text.len();
        if length < 127 {
            field.push(u8::try_from(length).unwrap());
        } else {
            field.push(127);
            let mut rest = length - 127;
            while rest >= 128 {
                field.push(u8::try_from(rest % 128 + 128).unwrap());
                rest /= 128;
            }
            field.push(u8::try_from(rest).unwrap());
        }
        field.extend(text.bytes());
    }
    field
}

/// The fields of a call.
fn call(path: &str) -> Vec<u8> {
    // POST and http, from the static table.
    let mut block = vec![0x83, 0x86];
    block.extend(field(":path", path));
    block.extend(field(":authority", "localhost"));
    block.extend(field("content-type", "application/grpc"));
    block.extend(field("te", "trailers"));
    block
}

const LIST: &str = "/bellringer.v1.TaskService/List";

/// A connection from an address that others do not use.
async fn connect(port: u16) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    socket.connect(([127, 0, 0, 1], port).into()).await.unwrap()
}

/// A connection that has begun, with these settings.
async fn begin(port: u16, settings: &[u8]) -> TcpStream {
    let mut socket = connect(port).await;
    socket.write_all(PREFACE).await.unwrap();
    socket.write_all(&frame(SETTINGS, 0, 0, settings)).await.unwrap();
    socket
}

/// How a connection ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The server said why.
    Away(u32),
    Closed,
    /// It did not, in the time of an abuse.
    Open,
}

/// Sends until the server ends the connection, and reads what it says.
async fn flood(socket: TcpStream, mut next: impl FnMut(u32) -> Option<Vec<u8>>) -> End {
    let (mut read, mut write) = socket.into_split();
    let mut heard = Vec::new();
    let sending = async {
        for n in 0..MANY {
            let Some(bytes) = next(n) else { break };
            if write.write_all(&bytes).await.is_err() {
                return;
            }
        }
        std::future::pending::<()>().await;
    };
    let hearing = read.read_to_end(&mut heard);
    let is_open = tokio::select! {
        ended = timeout(ABUSE, hearing) => ended.is_err(),
        () = sending => false,
    };
    // What the server said before it closed may still be there.
    if !is_open {
        timeout(Duration::from_millis(100), read.read_to_end(&mut heard)).await.ok();
    }
    end(&heard, is_open)
}

fn end(mut heard: &[u8], is_open: bool) -> End {
    while let Some((head, rest)) = heard.split_at_checked(9) {
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let Some((payload, rest)) = rest.split_at_checked(length) else { break };
        if head[3] == GOAWAY {
            return End::Away(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
        heard = rest;
    }
    if is_open { End::Open } else { End::Closed }
}

fn stream(n: u32) -> u32 {
    2 * n + 1
}

/// Begins calls and takes them back at once.
async fn rapid_reset(port: u16) -> End {
    let block = call(LIST);
    flood(begin(port, &[]).await, |n| {
        let mut frames = frame(HEADERS, END_HEADERS, stream(n), &block);
        frames.extend(frame(RST_STREAM, 0, stream(n), &CANCEL));
        Some(frames)
    })
    .await
}

/// Fields without end.
async fn continuation_flood(port: u16) -> End {
    let more = field("x-more", &"x".repeat(8_000));
    flood(begin(port, &[]).await, |n| {
        Some(match n {
            0 => frame(HEADERS, 0, 1, &call(LIST)),
            _ => frame(CONTINUATION, 0, 1, &more),
        })
    })
    .await
}

/// Fields without end that are empty.
async fn empty_continuation_flood(port: u16) -> End {
    flood(begin(port, &[]).await, |n| {
        Some(if n == 0 {
            frame(HEADERS, 0, 1, &call(LIST))
        } else {
            frame(CONTINUATION, 0, 1, &[])
        })
    })
    .await
}

async fn ping_flood(port: u16) -> End {
    let pings = frame(PING, 0, 0, &[7; 8]).repeat(100);
    flood(begin(port, &[]).await, |_| Some(pings.clone())).await
}

async fn settings_flood(port: u16) -> End {
    let settings = frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]).repeat(100);
    flood(begin(port, &[]).await, |_| Some(settings.clone())).await
}

/// Pieces of a message that have nothing in them.
async fn empty_data_flood(port: u16) -> End {
    let empty = frame(DATA, 0, 1, &[]).repeat(100);
    flood(begin(port, &[]).await, |n| {
        Some(if n == 0 { frame(HEADERS, END_HEADERS, 1, &call(LIST)) } else { empty.clone() })
    })
    .await
}

/// Windows that are opened for nothing.
async fn window_flood(port: u16) -> End {
    let windows = frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]).repeat(100);
    flood(begin(port, &[]).await, |_| Some(windows.clone())).await
}

/// Asks for as many answers as it may, and takes none.
async fn zero_window(port: u16) -> End {
    let no_window = [0, 4, 0, 0, 0, 0];
    let block = call(LIST);
    flood(begin(port, &no_window).await, |n| {
        (n < 200).then(|| {
            let mut frames = frame(HEADERS, END_HEADERS, stream(n), &block);
            // An empty request.
            frames.extend(frame(DATA, END_STREAM, stream(n), &[0; 5]));
            frames
        })
    })
    .await
}

/// More fields than there may be, all at once.
async fn huge_headers(port: u16) -> End {
    flood(begin(port, &[]).await, |n| {
        let block = [call(LIST), field("x-much", &"x".repeat(60_000))].concat();
        (n == 0).then(|| {
            let mut parts = block.chunks(16_000);
            let mut frames = frame(HEADERS, 0, 1, parts.next().unwrap());
            for part in parts {
                frames.extend(frame(CONTINUATION, 0, 1, part));
            }
            frames.extend(frame(CONTINUATION, END_HEADERS, 1, &[]));
            frames
        })
    })
    .await
}

/// A byte now and then: of the preface, or of fields.
async fn slowly(port: u16, after: Vec<u8>) -> End {
    let mut socket = connect(port).await;
    socket.write_all(&after).await.unwrap();
    let (mut read, mut write) = socket.into_split();
    let mut heard = Vec::new();
    let drip = async {
        let bytes = [PREFACE, &frame(SETTINGS, 0, 0, &[]), &call(LIST)].concat();
        for byte in bytes.iter().cycle() {
            if write.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    let is_open = tokio::select! {
        ended = timeout(2 * ABUSE, read.read_to_end(&mut heard)) => ended.is_err(),
        () = drip => false,
    };
    end(&heard, is_open)
}

async fn slow_preface(port: u16) -> End {
    slowly(port, Vec::new()).await
}

async fn slow_headers(port: u16) -> End {
    let mut begun = PREFACE.to_vec();
    begun.extend(frame(SETTINGS, 0, 0, &[]));
    // The head of a frame that is announced to be long.
    begun.extend(&frame(HEADERS, END_HEADERS, 1, &[0; 200])[..9]);
    slowly(port, begun).await
}

/// Calls of clients who do nothing wrong, one after the other, until told to stop.
async fn others(port: u16, task_id: &str, stop: &Arc<AtomicBool>) -> Vec<Duration> {
    let mut clients = JoinSet::new();
    for _ in 0..4 {
        let channel = Channel::from_shared(address(port)).unwrap().connect().await.unwrap();
        let (mut tasks, stop) = (TaskServiceClient::new(channel), stop.clone());
        let task_id = task_id.to_owned();
        clients.spawn(async move {
            let mut took = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let request = pb::GetTaskRequest { task_id: task_id.clone(), ..Default::default() };
                let begun = Instant::now();
                tasks.get(request).await.expect("a call of another client failed");
                took.push(begun.elapsed());
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            took
        });
    }
    let mut all = clients.join_all().await.concat();
    all.sort_unstable();
    all
}

fn p99(sorted: &[Duration]) -> Duration {
    sorted[sorted.len() * 99 / 100]
}

/// Memory of a process, in MiB.
fn memory(server: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.0.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g_21_abuses_of_http2_end_with_their_connection_and_nobody_else_notices() {
    let port = free_port();
    let settings = [
        ("BELLRINGER__SERVER__HANDSHAKE_TIMEOUT", "1s"),
        ("BELLRINGER__SERVER__KEEPALIVE_INTERVAL", "1s"),
        ("BELLRINGER__SERVER__KEEPALIVE_TIMEOUT", "1s"),
    ];
    let named = std::env::var_os("BELLRINGER_TEST_PROGRAM").map(PathBuf::from);
    let program = named.unwrap_or_else(|| program("bellringer"));
    let server = serve_with(&program, &fresh_database().await, port, &settings).await;
    let channel = Channel::from_shared(address(port)).unwrap().connect().await.unwrap();
    let mut tasks = TaskServiceClient::new(channel);
    let request = pb::SubmitRequest { task: Some(task()), ..Default::default() };
    let task_id = tasks.submit(request).await.unwrap().into_inner().task_id;

    let stop = Arc::new(AtomicBool::new(false));
    let (before, ()) = tokio::join!(others(port, &task_id, &stop), async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        stop.store(true, Ordering::Relaxed);
    });
    let memory_before = memory(&server);

    stop.store(false, Ordering::Relaxed);
    let abuses = async {
        const CALM: End = End::Away(11);
        let mut ends = Vec::new();
        macro_rules! abuse {
            ($abuse:ident, $($allowed:pat_param)|+) => {{
                let mut at_once = JoinSet::new();
                for _ in 0..4 {
                    at_once.spawn($abuse(port));
                }
                for end in at_once.join_all().await {
                    ends.push((stringify!($abuse), matches!(end, $($allowed)|+), end));
                }
            }};
        }
        abuse!(rapid_reset, CALM | End::Closed);
        abuse!(continuation_flood, CALM | End::Closed);
        abuse!(empty_continuation_flood, CALM | End::Closed);
        abuse!(ping_flood, _);
        abuse!(settings_flood, _);
        abuse!(empty_data_flood, _);
        abuse!(window_flood, _);
        // Who takes nothing costs what is kept for it, until it does not answer pings.
        abuse!(zero_window, End::Closed | End::Away(_));
        abuse!(huge_headers, _);
        abuse!(slow_preface, End::Closed | End::Away(_));
        abuse!(slow_headers, End::Closed | End::Away(_));
        stop.store(true, Ordering::Relaxed);
        ends
    };
    let (during, ends) = tokio::join!(others(port, &task_id, &stop), abuses);
    let memory_after = memory(&server);
    for (abuse, is_expected, end) in &ends {
        println!("{abuse}: {end:?}");
        assert!(is_expected, "{abuse} ended with {end:?}");
    }
    println!(
        "other clients: p99 {:?} of {} calls before, {:?} of {} during; memory {memory_before} MiB \
         before, {memory_after} MiB after",
        p99(&before),
        before.len(),
        p99(&during),
        during.len()
    );
    // This machine is the abuser as well, and takes its share of the processor.
    let bound = (p99(&before) * 30).max(Duration::from_millis(300));
    assert!(p99(&during) <= bound, "others noticed");
    assert!(memory_after <= memory_before + 64, "memory grew");
}

/// Streams that were reset with an error, in order.
fn resets(mut heard: &[u8], error: u32) -> Vec<u32> {
    let mut streams = Vec::new();
    while let Some((head, rest)) = heard.split_at_checked(9) {
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let Some((payload, rest)) = rest.split_at_checked(length) else { break };
        if head[3] == RST_STREAM && payload == error.to_be_bytes() {
            streams.push(u32::from_be_bytes(head[5..9].try_into().unwrap()));
        }
        heard = rest;
    }
    streams
}

#[tokio::test]
async fn streams_past_the_limit_of_a_connection_are_refused_to_who_opens_them_all_the_same() {
    const REFUSED: u32 = 7;
    let test = TestServer::start_with(&[("limits__streams_per_connection", "4")]).await;
    let mut socket = begin(test.replica.app.local_addr().port(), &[]).await;
    // Streams that go on: of workers who have not said a word yet.
    let open = call("/bellringer.v1.WorkerService/Work");
    for n in 0..54 {
        socket.write_all(&frame(HEADERS, END_HEADERS, stream(n), &open)).await.unwrap();
    }
    let mut heard = Vec::new();
    let until = Instant::now() + ABUSE;
    while resets(&heard, REFUSED).len() < 50 && Instant::now() < until {
        timeout(ABUSE, socket.read_buf(&mut heard)).await.expect("refusals").unwrap();
    }
    let expected: Vec<u32> = (4..54).map(stream).collect();
    assert_eq!(resets(&heard, REFUSED), expected);
    test.submit(task()).await;
}
