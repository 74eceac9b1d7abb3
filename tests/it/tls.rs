//! TLS: who gets in, and what becomes of connections when certificates change.

use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::admin_service_client::AdminServiceClient;
use bellringer_api::v1::task_service_client::TaskServiceClient;
use bellringer_server::app::App;
use rcgen::ExtendedKeyUsagePurpose;
use tokio::task::JoinSet;
use tonic::transport::Channel;

use crate::support::access::end_of;
use crate::support::make::task;
use crate::support::postgres::fresh_database;
use crate::support::process::eventually;
use crate::support::server::config;
use crate::support::tls::{Authority, Certified, Secret, connect};

fn pair(certified: &Certified) -> [(&str, &str); 2] {
    [("tls.crt", &certified.cert), ("tls.key", &certified.key)]
}

async fn start(secret: &Secret, more: &[(&str, &str)]) -> anyhow::Result<App> {
    let (cert, key) = (secret.path("tls.crt"), secret.path("tls.key"));
    let mut settings = vec![
        ("tls__cert_file", cert.as_str()),
        ("tls__key_file", key.as_str()),
        ("tls__reload_interval", "100ms"),
    ];
    settings.extend(more);
    App::start(&config(&fresh_database().await, &settings)).await
}

/// Whether calls over a connection are answered.
async fn serves(channel: Result<Channel, tonic::transport::Error>) -> bool {
    let Ok(channel) = channel else { return false };
    let request = pb::GetClusterRequest::default();
    AdminServiceClient::new(channel).get_cluster(request).await.is_ok()
}

#[tokio::test]
async fn a_server_with_a_certificate_serves_those_who_trust_it_and_nobody_without_tls() {
    let (authority, other) = (Authority::new("one"), Authority::new("two"));
    let secret = Secret::new(&pair(&authority.server()));
    let app = start(&secret, &[]).await.unwrap();
    let address = app.local_addr();
    assert!(serves(connect(address, &authority, None).await).await);
    assert!(!serves(connect(address, &other, None).await).await);
    let plain = Channel::from_shared(format!("http://{address}")).unwrap();
    assert!(!serves(plain.connect().await).await);
}

#[tokio::test]
async fn only_certificates_for_clients_that_the_authority_signed_get_in() {
    let (authority, clients) = (Authority::new("servers"), Authority::new("clients"));
    let server = authority.server();
    let ca = clients.pem();
    let files = [pair(&server).as_slice(), &[("ca.crt", &ca)]].concat();
    let secret = Secret::new(&files);
    let ca = secret.path("ca.crt");

    let for_clients = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let names = || vec!["worker.example".to_owned()];
    let expired = clients.sign(names(), |params| {
        params.extended_key_usages.clone_from(&for_clients);
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    });
    let not_yet = clients.sign(names(), |params| {
        params.extended_key_usages.clone_from(&for_clients);
        params.not_before = rcgen::date_time_ymd(2199, 1, 1);
    });
    let of_a_server = clients.sign(names(), |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    let of_no_use = clients.sign(names(), |_| {});
    let (good, foreign) = (clients.client(), Authority::new("others").client());
    let of_the_servers_authority = authority.client();

    let required = start(&secret, &[("tls__client_ca_file", ca.as_str())]).await.unwrap();
    let optional = [("tls__client_ca_file", ca.as_str()), ("tls__client_certificates", "optional")];
    let optional = start(&secret, &optional).await.unwrap();
    for (what, identity, by_required, by_optional) in [
        ("a good one", Some(&good), true, true),
        ("none", None, false, true),
        ("one that is out of date", Some(&expired), false, false),
        ("one that is not valid yet", Some(&not_yet), false, false),
        ("one for servers", Some(&of_a_server), false, false),
        ("one that says nothing of its use", Some(&of_no_use), false, false),
        ("one of another authority", Some(&foreign), false, false),
        ("one of the server's authority", Some(&of_the_servers_authority), false, false),
    ] {
        for (app, expected) in [(&required, by_required), (&optional, by_optional)] {
            let channel = connect(app.local_addr(), &authority, identity).await;
            assert_eq!(serves(channel).await, expected, "{what}");
        }
    }
}

/// Streams that are open while the certificate changes.
const STREAMS: usize = 100;

#[tokio::test]
async fn a_new_certificate_counts_for_new_connections_while_a_hundred_streams_stay_open() {
    let (before, after) = (Authority::new("before"), Authority::new("after"));
    let mut secret = Secret::new(&pair(&before.server()));
    let app = start(&secret, &[]).await.unwrap();
    let address = app.local_addr();

    let channel = connect(address, &before, None).await.unwrap();
    let mut tasks = TaskServiceClient::new(channel.clone());
    let submit = pb::SubmitRequest { task: Some(task()), ..Default::default() };
    let task_id = tasks.submit(submit).await.unwrap().into_inner().task_id;
    let mut streams = Vec::new();
    for n in 0..STREAMS {
        // Some over connections of their own.
        let channel = match n % 10 {
            0 => connect(address, &before, None).await.unwrap(),
            _ => channel.clone(),
        };
        let task_ids = vec![task_id.clone()];
        let request = pb::WatchTasksRequest { task_ids, ..Default::default() };
        let watch = TaskServiceClient::new(channel).watch(request).await.unwrap();
        streams.push(watch.into_inner());
    }

    secret.replace(&pair(&after.server()));
    eventually("new connections get the new certificate", || async {
        serves(connect(address, &after, None).await).await
    })
    .await;
    assert!(!serves(connect(address, &before, None).await).await, "the old one is gone");

    let cancel = pb::CancelTaskRequest { task_id, ..Default::default() };
    tasks.cancel(cancel).await.unwrap();
    let mut ends = JoinSet::new();
    for mut stream in streams {
        ends.spawn(async move {
            while let Some(event) = stream.message().await.unwrap() {
                if event.task.is_some_and(|task| task.state() == pb::TaskState::Cancelled) {
                    return;
                }
            }
            panic!("a stream ended early");
        });
    }
    let heard = tokio::time::timeout(Duration::from_secs(20), ends.join_all()).await;
    assert_eq!(heard.expect("not every stream went on").len(), STREAMS);
}

#[tokio::test]
async fn g_19_connections_whose_certificate_the_new_authority_did_not_sign_are_asked_to_end() {
    let servers = Authority::new("servers");
    let (before, after) = (Authority::new("before"), Authority::new("after"));
    let own = servers.server();
    let both = before.pem() + &after.pem();
    let mut secret = Secret::new(&[pair(&own).as_slice(), &[("ca.crt", &both)]].concat());
    let ca = secret.path("ca.crt");
    let app = start(&secret, &[("tls__client_ca_file", ca.as_str())]).await.unwrap();
    let address = app.local_addr();
    let mut watches = Vec::new();
    for authority in [&before, &after] {
        let channel = connect(address, &servers, Some(&authority.client())).await.unwrap();
        let filter = Some(pb::TaskFilter::default());
        let request = pb::WatchTasksRequest { filter, ..Default::default() };
        let mut tasks = TaskServiceClient::new(channel);
        let watch = tasks.watch(request).await.unwrap().into_inner();
        watches.push((tasks, watch));
    }
    let new = after.pem();
    secret.replace(&[pair(&own).as_slice(), &[("ca.crt", &new)]].concat());

    let (_old, mut ends) = watches.remove(0);
    let ended =
        tokio::time::timeout(Duration::from_secs(20), end_of(&mut ends)).await.expect("an end");
    assert_eq!(ended.code(), tonic::Code::Unavailable, "{ended:?}");
    assert!(!serves(connect(address, &servers, Some(&before.client())).await).await);
    // Who is still vouched for notices nothing.
    let (mut tasks, mut stays) = watches.remove(0);
    let submit = pb::SubmitRequest { task: Some(task()), ..Default::default() };
    tasks.submit(submit).await.unwrap();
    let told = async {
        while stays.message().await.unwrap().expect("the watch goes on").task.is_none() {}
    };
    tokio::time::timeout(Duration::from_secs(20), told).await.expect("news");
}

#[tokio::test]
async fn a_new_certificate_that_cannot_be_used_leaves_the_old_one_in_use() {
    let (authority, other) = (Authority::new("one"), Authority::new("two"));
    let (good, another) = (authority.server(), other.server());
    let mut secret = Secret::new(&pair(&good));
    let app = start(&secret, &[]).await.unwrap();
    for (failures, (what, cert, key)) in (1..).zip([
        ("a certificate with another's key", another.cert.as_str(), good.key.as_str()),
        ("no PEM at all", "none", good.key.as_str()),
        ("half a file", &another.cert[..100], another.key.as_str()),
        ("nothing", "", ""),
    ]) {
        secret.replace(&[("tls.crt", cert), ("tls.key", key)]);
        eventually("the failure is counted", || {
            std::future::ready(app.connections().failed_reloads.get() >= failures)
        })
        .await;
        assert!(serves(connect(app.local_addr(), &authority, None).await).await, "{what}");
    }
    assert_eq!(app.connections().reloads.get(), 0);
    secret.replace(&pair(&another));
    eventually("the next good one is taken", || async {
        serves(connect(app.local_addr(), &other, None).await).await
    })
    .await;
}

#[tokio::test]
async fn g_23_without_a_certificate_that_can_be_used_the_server_does_not_start() {
    let authority = Authority::new("one");
    let (good, another) = (authority.server(), authority.server());
    for (what, cert, key, told) in [
        ("another's key", good.cert.as_str(), another.key.as_str(), "do not fit together"),
        ("no certificate", "none", good.key.as_str(), "tls.cert_file"),
        ("no key", good.cert.as_str(), "canary", "tls.key_file"),
        ("a certificate as key", good.cert.as_str(), good.cert.as_str(), "tls.key_file"),
    ] {
        let secret = Secret::new(&[("tls.crt", cert), ("tls.key", key)]);
        let error = format!("{:#}", start(&secret, &[]).await.unwrap_err());
        assert!(error.contains(told) && !error.contains("canary"), "{what}: {error}");
    }
    let secret = Secret::new(&pair(&good));
    for (ca, told) in [("/does/not/exist", "cannot read"), ("/dev/null", "no certificate in it")] {
        let error = start(&secret, &[("tls__client_ca_file", ca)]).await.unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains("tls.client_ca_file") && error.contains(told), "{error}");
    }
}
