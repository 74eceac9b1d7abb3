//! A replica behind a pooler in transaction mode: it serves, and does not lead.

use std::process::{Command, Stdio};

use bellringer_api::v1 as pb;
use bellringer_api::v1::admin_service_client::AdminServiceClient;
use bellringer_api::v1::schedule_service_client::ScheduleServiceClient;
use bellringer_server::private_postgres::PrivatePostgres;
use sqlx::{Connection as _, PgConnection};
use tokio::time::Instant;
use tonic_health::pb::health_check_response::ServingStatus;

use crate::support::process::{
    Process, address, eventually, free_port, health, http_get, program, serve,
};
use crate::support::replicas::{connect, fires_again, leader, start_postgres};

/// PgBouncer in front of a database, in transaction mode.
struct Pooler {
    _process: Process,
    _folder: tempfile::TempDir,
    url: String,
}

/// `None` if PgBouncer is not installed.
async fn pooler(database: &PrivatePostgres) -> Option<Pooler> {
    let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/opt/homebrew/bin/pgbouncer"]
        .into_iter()
        .find(|path| std::path::Path::new(path).exists())?;
    let loopback = database.loopback_url();
    let login = loopback.trim_start_matches("postgres://").split('@').next().unwrap();
    let (user, password) = login.split_once(':').unwrap();
    let server = loopback.rsplit(':').next().unwrap().split('/').next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let config = format!(
        "[databases]\nbellringer = host=127.0.0.1 port={server} user={user} password={password}\n\
         [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
         auth_type = any\npool_mode = transaction\ndefault_pool_size = 10\n\
         ignore_startup_parameters = extra_float_digits,options,timezone\n",
    );
    let file = folder.path().join("pgbouncer.ini");
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new(program);
    // It refuses to run as root.
    if rustix::process::geteuid().is_root() {
        use std::os::unix::fs::PermissionsExt as _;
        for path in [folder.path(), file.as_path()] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        command.args(["-u", "nobody"]);
    }
    command.arg(&file).stdout(Stdio::null());
    let process = Process::start(&mut command);
    let url = format!("postgres://{user}@127.0.0.1:{port}/bellringer?sslmode=disable");
    eventually("PgBouncer answers", || async { PgConnection::connect(&url).await.is_ok() }).await;
    Some(Pooler { _process: process, _folder: folder, url })
}

#[tokio::test]
async fn a_replica_behind_a_transaction_pooler_refuses_to_lead_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let postgres = start_postgres(&folder.path().join("data"), None).await;
    let database = postgres.url("bellringer");
    bellringer_server::store::migrate(&database).await.unwrap();
    let Some(pooler) = pooler(&postgres).await else {
        eprintln!("SKIPPED: PgBouncer is not installed");
        tokio::task::spawn_blocking(move || postgres.stop()).await.unwrap();
        return;
    };
    let port = free_port();
    let settings = [("BELLRINGER__SERVER__NAME", "pooled")];
    // The pools go to the database itself, as they need settings of their own; the leader's session
    // is the one that goes through the pooler.
    let mut settings = settings.to_vec();
    settings.push(("BELLRINGER__STORE__DIRECT_URL", pooler.url.as_str()));
    let metrics = format!("127.0.0.1:{}", free_port());
    settings.push(("BELLRINGER__SERVER__METRICS_LISTEN", metrics.as_str()));
    let server = serve(&database, port, &settings).await;
    let cluster = || async {
        let mut admin = AdminServiceClient::connect(address(port)).await.unwrap();
        admin.get_cluster(pb::GetClusterRequest {}).await.unwrap().into_inner()
    };
    eventually("it says that it cannot lead", || async {
        cluster().await.replicas.iter().any(|replica| {
            replica.role() == pb::ReplicaRole::Refused && replica.role_note.contains("pooler")
        })
    })
    .await;
    assert_eq!(cluster().await.leader_id, "");
    eventually("its health says so", || async {
        health(&address(port), "leadership").await == Some(ServingStatus::NotServing)
    })
    .await;
    assert_eq!(health(&address(port), "").await, Some(ServingStatus::Serving));
    let told = http_get(&metrics, "/metrics").await;
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    assert!(told.contains("\nbellringer_leader_refused 1\n"), "{told}");
    assert!(http_get(&metrics, "/").await.starts_with("HTTP/1.1 404"));
    // It serves everything else.
    make_schedules_once(port).await;
    let other = free_port();
    let healthy = serve(&database, other, &[("BELLRINGER__SERVER__NAME", "direct")]).await;
    let mut direct = connect(&database).await;
    fires_again(&mut direct, 0, Instant::now()).await;
    assert_eq!(leader(&mut direct).await.unwrap().0, "direct");
    drop((pooler, server, healthy));
    tokio::task::spawn_blocking(move || postgres.stop()).await.unwrap();
}

#[tokio::test]
async fn a_server_whose_pools_would_go_through_a_transaction_pooler_says_so_and_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let postgres = start_postgres(&folder.path().join("data"), None).await;
    let database = postgres.url("bellringer");
    bellringer_server::store::migrate(&database).await.unwrap();
    if let Some(pooler) = pooler(&postgres).await {
        let refused = Command::new(program("bellringer"))
            .args(["serve", "--listen", "127.0.0.1:0", "--database-url", &pooler.url])
            .output()
            .unwrap();
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && said.contains("lends sessions"), "{said}");
    } else {
        eprintln!("SKIPPED: PgBouncer is not installed");
    }
    tokio::task::spawn_blocking(move || postgres.stop()).await.unwrap();
}

async fn make_schedules_once(port: u16) {
    let mut client = ScheduleServiceClient::connect(address(port)).await.unwrap();
    let cron = pb::CronTrigger { expression: "* * * * * *".to_owned(), ..Default::default() };
    let trigger = pb::Trigger { trigger: Some(pb::trigger::Trigger::Cron(cron)) };
    let spec = pb::ScheduleSpec {
        times: Some(pb::ScheduleTimes { triggers: vec![trigger], ..Default::default() }),
        task: Some(pb::TaskSpec { kind: "ring".to_owned(), ..Default::default() }),
        ..Default::default()
    };
    let request =
        pb::ScheduleRequest { name: "a".to_owned(), spec: Some(spec), ..Default::default() };
    client.schedule(request).await.unwrap();
}
