//! Long streams move to replicas that come later, since connections age: clients behind a headless Service, each
//! of which takes the replicas in turn.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::task_service_client::TaskServiceClient;
use bellringer_api::v1::work_request::Message;
use bellringer_api::v1::work_response::Message as Answer;
use bellringer_api::v1::worker_service_client::WorkerServiceClient;
use bellringer_server::app::App;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::support::make::task;
use crate::support::postgres::fresh_database;
use crate::support::server::config;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Half of them watch, half of them are workers.
const STREAMS: usize = 40;

/// What a lookup of the headless Service's name answers: each replica that is ready.
type Addresses = Arc<Mutex<Vec<SocketAddr>>>;

/// On which replica each client has its stream; `None` between two.
type Places = watch::Sender<Vec<Option<SocketAddr>>>;

async fn start(database: &str) -> App {
    let settings = [("server__connection_age", "2s"), ("server__connection_age_grace", "2s")];
    App::start(&config(database, &settings)).await.unwrap()
}

/// Opens its stream again and again, each time on the next of the replicas.
async fn client(number: usize, task_id: String, addresses: Addresses, places: Arc<Places>) {
    for turn in number.. {
        let address = {
            let known = addresses.lock().unwrap();
            known[turn % known.len()]
        };
        let channel = Channel::from_shared(format!("http://{address}")).unwrap();
        let channel = channel.connect().await.unwrap();
        let is_here = |here: bool| {
            places.send_modify(|places| places[number] = here.then_some(address));
        };
        let ended = match number % 2 {
            0 => watches(channel, &task_id, is_here).await,
            _ => works(channel, is_here).await,
        };
        assert_eq!(ended.code(), Code::Unavailable, "{ended:?}");
    }
}

/// Watches a task until the stream ends.
async fn watches(channel: Channel, task_id: &str, is_here: impl Fn(bool)) -> Status {
    let task_ids = vec![task_id.to_owned()];
    let request = pb::WatchTasksRequest { task_ids, ..Default::default() };
    let mut events = TaskServiceClient::new(channel).watch(request).await.unwrap().into_inner();
    loop {
        match events.message().await {
            Ok(event) => {
                event.expect("it ended without saying why");
                is_here(true);
            }
            Err(ended) => {
                is_here(false);
                return ended;
            }
        }
    }
}

/// Is a worker until it is told to go elsewhere.
async fn works(channel: Channel, is_here: impl Fn(bool)) -> Status {
    let (requests, receiver) = mpsc::channel(1);
    let hello = pb::Hello { queues: vec!["idle".to_owned()], credit: 1, ..Default::default() };
    requests.send(pb::WorkRequest { message: Some(Message::Hello(hello)) }).await.unwrap();
    let answers = WorkerServiceClient::new(channel).work(ReceiverStream::new(receiver)).await;
    let mut answers = answers.unwrap().into_inner();
    loop {
        match answers.message().await {
            Ok(Some(answer)) => is_here(!matches!(answer.message, Some(Answer::Drain(_)))),
            Ok(None) => panic!("it ended without saying why"),
            Err(ended) => {
                is_here(false);
                return ended;
            }
        }
    }
}

#[tokio::test]
async fn a_third_replica_gets_its_share_of_the_streams_when_connections_have_aged() {
    let database = fresh_database().await;
    let (one, two) = (start(&database).await, start(&database).await);
    let addresses: Addresses = Arc::new(Mutex::new(vec![one.local_addr(), two.local_addr()]));
    let channel = Channel::from_shared(format!("http://{}", one.local_addr())).unwrap();
    let channel = channel.connect().await.unwrap();
    let request = pb::SubmitRequest { task: Some(task()), ..Default::default() };
    let task_id = TaskServiceClient::new(channel).submit(request).await.unwrap();
    let task_id = task_id.into_inner().task_id;

    let (places, mut seen) = watch::channel(vec![None; STREAMS]);
    let places = Arc::new(places);
    let mut clients = JoinSet::new();
    for number in 0..STREAMS {
        clients.spawn(client(number, task_id.clone(), addresses.clone(), places.clone()));
    }
    let mut until =
        async |what: &str, holds: &(dyn Fn(&Vec<Option<SocketAddr>>) -> bool + Sync)| {
            let seen = tokio::time::timeout(PATIENCE, seen.wait_for(holds));
            tokio::select! {
                seen = seen => seen.unwrap_or_else(|_| panic!("{what}: not in time")).unwrap().clone(),
                ended = clients.join_next() => panic!("a client ended: {ended:?}"),
            }
        };
    let share = |places: &[Option<SocketAddr>], of: &App| {
        places.iter().filter(|place| **place == Some(of.local_addr())).count()
    };
    until("all streams are open", &|places| places.iter().all(Option::is_some)).await;

    let third = start(&database).await;
    addresses.lock().unwrap().push(third.local_addr());
    // Most streams are open at that moment: it is a share of all of them, not of what is left.
    let places = until("the third has its share", &|places| {
        let open = places.iter().flatten().count();
        open * 10 >= STREAMS * 8 && share(places, &third) * 5 >= STREAMS
    })
    .await;
    for (name, app) in [("one", &one), ("two", &two), ("three", &third)] {
        println!("{name}: {} of {STREAMS} streams", share(&places, app));
        assert_eq!(app.connections().cut.get(), 0, "nothing had to be cut");
    }
}
