//! Messages that were garbled on the way: every method of every service is sent good requests with bytes changed,
//! taken out and put in, and bytes that never were a request. Each answer is one that the method may give.
//!
//! `BELLRINGER_GARBLED_CALLS` is how many calls each method gets, 60 by default; `BELLRINGER_GARBLED_SEED` begins a
//! run elsewhere, or again where another one began, as it was printed.

use std::time::Duration;

use bellringer_api::FILE_DESCRIPTOR_SET;
use bellringer_api::v1 as pb;
use prost_reflect::prost::Message as _;
use prost_reflect::{DescriptorPool, MethodDescriptor};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tonic::client::Grpc;
use tonic::{Code, Request, Status};
use tonic_health::pb::health_check_response::ServingStatus;

use crate::hostile::{RawCodec, base, ids, is_allowed};
use crate::support::make::task;
use crate::support::process::health;
use crate::support::{TestServer, Worker};

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}

/// What a good message became on the way.
fn garbled(good: &[u8], dice: &mut StdRng) -> Vec<u8> {
    if dice.random_ratio(1, 10) {
        return (0..dice.random_range(0..200)).map(|_| dice.random()).collect();
    }
    let mut bytes = good.to_vec();
    for _ in 0..dice.random_range(1..6) {
        let place = dice.random_range(0..=bytes.len());
        match dice.random_range(0..8) {
            0 => bytes.truncate(place),
            1 | 2 => bytes.insert(place, dice.random()),
            _ if place == bytes.len() => {}
            3 | 4 => drop(bytes.remove(place)),
            5 => bytes[place] = dice.random(),
            _ => bytes[place] ^= 1 << dice.random_range(0..8),
        }
    }
    bytes
}

/// Sends messages as they are, and hears the answer out, unless it goes on and on.
async fn send(
    test: &TestServer,
    method: &MethodDescriptor,
    sent: Vec<Vec<u8>>,
) -> Result<(), Status> {
    let mut grpc = Grpc::new(test.replica.channel.clone());
    grpc.ready().await.unwrap();
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let mut request = Request::new(tokio_stream::iter(sent));
    request.set_timeout(Duration::from_secs(5));
    let answers = grpc.streaming(request, path.parse().unwrap(), RawCodec).await?;
    let mut answers = answers.into_inner();
    let is_watch = method.is_server_streaming() && !method.is_client_streaming();
    while answers.message().await?.is_some() && !is_watch {}
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbled_messages_are_taken_or_refused_by_every_method() {
    let calls = setting("BELLRINGER_GARBLED_CALLS", 60);
    let seed = setting("BELLRINGER_GARBLED_SEED", 1);
    println!("BELLRINGER_GARBLED_SEED={seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    let test = TestServer::start().await;
    let id = test.submit(task()).await;
    let session = test.lease(1).await.session_token;
    let ids = ids("garbled", &id, &session);
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    let ours = pool.services().filter(|service| service.package_name() == "bellringer.v1");
    let (mut count, mut refused, mut wrong) = (0, 0, Vec::new());
    for method in ours.flat_map(|service| service.methods().collect::<Vec<_>>()) {
        let good = match method.is_client_streaming() {
            false => base(&method, &ids).encode_to_vec(),
            true => {
                let running = vec![pb::AttemptRef { task_id: id.clone(), attempt: 1 }];
                let hello = pb::Hello { running, credit: 1, ..Default::default() };
                let message = Some(pb::work_request::Message::Hello(hello));
                pb::WorkRequest { message }.encode_to_vec()
            }
        };
        for _ in 0..calls {
            count += 1;
            let garbled = garbled(&good, &mut dice);
            let mut sent = vec![garbled.clone()];
            if method.is_client_streaming() && dice.random() {
                sent.insert(0, good.clone());
            }
            let Err(status) = send(&test, &method, sent).await else { continue };
            refused += 1;
            // A wait that was made a long one ends at the deadline.
            let is_over = matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled);
            if !is_over && !is_allowed(&status) {
                wrong.push(format!("{} {garbled:02x?}: {status:?}", method.full_name()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(refused > count / 5, "only {refused} of {count} were refused");
    println!("{count} garbled messages, {refused} refused");
    // And the server is as well as before.
    let address = format!("http://{}", test.replica.app.local_addr());
    assert_eq!(health(&address, "").await, Some(ServingStatus::Serving));
    let queue = "well".to_owned();
    let healthy = test.submit(pb::TaskSpec { queue: queue.clone(), ..task() }).await;
    let hello = pb::Hello { credit: 1, queues: vec![queue], ..Default::default() };
    let mut worker = Worker::hello(&test.replica, hello).await;
    let assigned = worker.task().await;
    assert_eq!(assigned.task_id, healthy);
    worker.succeed(&assigned, "well").await;
}
