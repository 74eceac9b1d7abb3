//! Connections: how many there may be, how they begin and how they end.

use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::admin_service_client::AdminServiceClient;
use bellringer_api::v1::task_service_client::TaskServiceClient;
use bellringer_server::app::App;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tonic::Code;
use tonic::transport::Channel;
use tonic_health::pb::health_check_response::ServingStatus;

use crate::support::make::task;
use crate::support::postgres::fresh_database;
use crate::support::process::{address, eventually, free_port, health};
use crate::support::server::config;
use crate::support::tls::{Authority, Secret};
use crate::support::{Replica, Worker};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

async fn start(settings: &[(&str, &str)]) -> App {
    App::start(&config(&fresh_database().await, settings)).await.unwrap()
}

async fn channel(app: &App) -> Channel {
    let endpoint = Channel::from_shared(format!("http://{}", app.local_addr())).unwrap();
    endpoint.connect().await.unwrap()
}

/// Waits until the server closes a connection.
async fn closed(mut socket: TcpStream) {
    let mut heard = Vec::new();
    let read = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut heard)).await;
    // A reset is an end as well.
    read.expect("the connection stays open").ok();
}

#[tokio::test]
async fn a_connection_that_does_not_begin_in_time_is_closed() {
    let secret = {
        let server = Authority::new("one").server();
        Secret::new(&[("tls.crt", &server.cert), ("tls.key", &server.key)])
    };
    let (cert, key) = (secret.path("tls.crt"), secret.path("tls.key"));
    let quick = ("server__handshake_timeout", "1s");
    let plain = start(&[quick]).await;
    let tls = [quick, ("tls__cert_file", cert.as_str()), ("tls__key_file", key.as_str())];
    let tls = start(&tls).await;
    let preface: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    // Nothing, half of the preface, all of it and no more; the first bytes of a handshake.
    for (app, sent) in [
        (&plain, &b""[..]),
        (&plain, &preface[..12]),
        (&plain, preface),
        (&tls, b""),
        (&tls, &[22, 3, 1, 2, 0, 1, 0]),
    ] {
        let mut socket = TcpStream::connect(app.local_addr()).await.unwrap();
        socket.write_all(sent).await.unwrap();
        closed(socket).await;
    }
    assert_eq!(plain.connections().unopened.get(), 3);
    assert_eq!(tls.connections().unopened.get(), 2);
    // One that has begun may be silent.
    let channel = channel(&plain).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let request = pb::GetClusterRequest::default();
    AdminServiceClient::new(channel).get_cluster(request).await.unwrap();
    assert_eq!(plain.connections().accepted.get(), 4);
}

#[tokio::test]
async fn g_21_a_source_has_so_many_connections_and_no_more() {
    let app = start(&[("limits__connections_per_source", "3")]).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(channel(&app).await);
    }
    for _ in 0..50 {
        closed(TcpStream::connect(app.local_addr()).await.unwrap()).await;
    }
    assert_eq!(app.connections().refused.get(), 50);
    let request = pb::GetClusterRequest::default();
    AdminServiceClient::new(held[0].clone()).get_cluster(request).await.unwrap();
    held.pop();
    eventually("the place is free again", || std::future::ready(app.connections().open.get() == 2))
        .await;
    channel(&app).await;
}

/// A connection from an address of this machine, whatever it is.
async fn connect_from(source: [u8; 4], app: &App) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((source, 0).into()).unwrap();
    socket.connect(app.local_addr()).await.unwrap()
}

/// The number of open connections, as soon as it is that.
async fn open(app: &App, connections: i64) {
    let open = &app.connections().open;
    eventually("so many are open", || std::future::ready(open.get() == connections)).await;
}

#[tokio::test]
async fn g_21_there_are_so_many_connections_in_all_and_no_more_wherever_they_come_from() {
    let limits = [
        ("limits__connections", "4"),
        ("limits__connections_per_source", "3"),
        // Nobody says a word here.
        ("server__handshake_timeout", "60s"),
    ];
    let app = start(&limits).await;
    let channel = channel(&app).await;
    let mut held = Vec::new();
    for last in 2..=4 {
        held.push(connect_from([127, 0, 0, last], &app).await);
    }
    open(&app, 4).await;
    // A flood from everywhere.
    for last in 5..=64 {
        closed(connect_from([127, 0, 0, last], &app).await).await;
    }
    assert_eq!(app.connections().refused.get(), 60);
    let request = pb::GetClusterRequest::default();
    AdminServiceClient::new(channel.clone()).get_cluster(request).await.unwrap();
    held.pop();
    open(&app, 3).await;
    held.push(connect_from([127, 0, 0, 65], &app).await);
    open(&app, 4).await;
}

#[tokio::test]
async fn an_old_connection_ends_with_its_streams_and_calls_go_on_over_a_new_one() {
    let app = start(&[("server__connection_age", "1s"), ("server__connection_age_grace", "5s")]);
    let app = app.await;
    let mut tasks = TaskServiceClient::new(channel(&app).await);
    let request = pb::SubmitRequest { task: Some(task()), ..Default::default() };
    let task_id = tasks.submit(request).await.unwrap().into_inner().task_id;
    let request = pb::WatchTasksRequest { task_ids: vec![task_id.clone()], ..Default::default() };
    let mut watch = tasks.watch(request).await.unwrap().into_inner();
    let mut resume_token = String::new();
    let ended = loop {
        match tokio::time::timeout(PATIENCE, watch.message()).await.expect("it goes on") {
            Ok(Some(event)) => resume_token = event.resume_token,
            Ok(None) => panic!("it ended without saying why"),
            Err(status) => break status,
        }
    };
    assert_eq!(ended.code(), Code::Unavailable, "{ended:?}");
    // Over the same channel, which has connected again.
    let cancel = pb::CancelTaskRequest { task_id: task_id.clone(), ..Default::default() };
    tasks.cancel(cancel).await.unwrap();
    let task_ids = vec![task_id];
    let request = pb::WatchTasksRequest { task_ids, resume_token, ..Default::default() };
    let mut watch = tasks.watch(request).await.unwrap().into_inner();
    let cancelled = async {
        while let Some(event) = watch.message().await.unwrap() {
            if event.task.is_some_and(|task| task.state() == pb::TaskState::Cancelled) {
                return;
            }
        }
        panic!("the end was missed");
    };
    tokio::time::timeout(PATIENCE, cancelled).await.unwrap();
    assert!(app.connections().accepted.get() >= 2);
    assert_eq!(app.connections().cut.get(), 0, "nothing had to be cut");
}

#[tokio::test]
async fn a_worker_on_an_old_connection_is_told_to_drain_and_takes_its_work_along() {
    let app = start(&[("server__connection_age", "1s"), ("server__connection_age_grace", "4s")]);
    let app = app.await;
    let mut tasks = TaskServiceClient::new(channel(&app).await);
    let request = pb::SubmitRequest { task: Some(task()), ..Default::default() };
    let task_id = tasks.submit(request).await.unwrap().into_inner().task_id;

    let replica = Replica { channel: channel(&app).await, app };
    let mut worker = Worker::connect(&replica, 1).await;
    let assigned = worker.task().await;
    assert_eq!(assigned.task_id, task_id);
    worker.drained().await;
    let ended = worker.ended().await;
    assert_eq!(ended.code(), Code::Unavailable, "{ended:?}");

    let again = Worker::hello(&replica, worker.resume(&[&assigned], 0)).await;
    assert!(again.welcome.resumed && again.welcome.lost.is_empty(), "{:?}", again.welcome);
}

#[tokio::test]
async fn the_port_for_probes_serves_health_without_tls_and_nothing_else() {
    let server = Authority::new("one").server();
    let secret = Secret::new(&[("tls.crt", &server.cert), ("tls.key", &server.key)]);
    let (cert, key) = (secret.path("tls.crt"), secret.path("tls.key"));
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let settings = [
        ("tls__cert_file", cert.as_str()),
        ("tls__key_file", key.as_str()),
        ("server__health_listen", listen.as_str()),
    ];
    let _app = start(&settings).await;
    for service in ["", "liveness", "bellringer.v1.TaskService"] {
        eventually("it serves", || async {
            health(&address(port), service).await == Some(ServingStatus::Serving)
        })
        .await;
    }
    let channel = Channel::from_shared(address(port)).unwrap().connect().await.unwrap();
    let request = pb::GetClusterRequest::default();
    let refused = AdminServiceClient::new(channel).get_cluster(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
}
