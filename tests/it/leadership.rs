//! Three replicas fire schedules while leaders are killed, frozen and cut off: every time is accounted
//! for exactly once, and somebody fires again within the bounds.
//!
//! `BELLRINGER_CHAOS_SECONDS` makes the run longer; it ends by itself.

use std::process::{Command, Stdio};
use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::admin_service_client::AdminServiceClient;
use bellringer_api::v1::schedule_service_client::ScheduleServiceClient;
use bellringer_server::private_postgres::{Data, Options, PrivatePostgres, Speed};
use rustix::process::Signal;
use sqlx::{Connection as _, PgConnection};
use tokio::time::{Instant, sleep};
use tonic_health::pb::health_check_response::ServingStatus;

use crate::support::process::{Process, address, eventually, free_port, health, serve};

const SCHEDULES: i64 = 200;

/// A fault, and within which time somebody has to fire again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Terminate,
    Kill,
    Freeze,
    CutOff,
    RestartPostgres,
}

impl Fault {
    const ALL: [Self; 5] =
        [Self::Kill, Self::CutOff, Self::Freeze, Self::Terminate, Self::RestartPostgres];

    /// G-13.
    fn bound(self) -> Duration {
        Duration::from_secs(match self {
            Self::Terminate => 2,
            Self::Kill | Self::CutOff => 3,
            Self::Freeze => 12,
            // Counted from when it accepts connections again.
            Self::RestartPostgres => 5,
        })
    }
}

fn postgres_options(folder: &std::path::Path) -> Options {
    Options {
        bin_dir: None,
        data: Data::Kept(folder.to_owned()),
        speed: Speed::Throwaway,
        port: None,
        install: false,
    }
}

async fn start_postgres(folder: &std::path::Path, port: Option<u16>) -> PrivatePostgres {
    let options = Options { port, ..postgres_options(folder) };
    tokio::task::spawn_blocking(move || PrivatePostgres::start(&options).unwrap()).await.unwrap()
}

async fn replica(url: &str, name: &str, port: u16) -> Process {
    serve(url, port, &[("BELLRINGER__SERVER__NAME", name), ("BELLRINGER__LOG__LEVEL", "warn")])
        .await
}

async fn make_schedules(port: u16) {
    let mut client = ScheduleServiceClient::connect(address(port)).await.unwrap();
    for n in 0..SCHEDULES {
        let cron = pb::CronTrigger { expression: "* * * * * *".to_owned(), ..Default::default() };
        let trigger = pb::Trigger { trigger: Some(pb::trigger::Trigger::Cron(cron)) };
        let spec = pb::ScheduleSpec {
            times: Some(pb::ScheduleTimes { triggers: vec![trigger], ..Default::default() }),
            task: Some(pb::TaskSpec { kind: "ring".to_owned(), ..Default::default() }),
            policies: Some(pb::SchedulePolicies {
                overlap: pb::OverlapPolicy::Allow.into(),
                misfire: pb::MisfirePolicy::FireAll.into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let request =
            pb::ScheduleRequest { name: format!("s{n}"), spec: Some(spec), ..Default::default() };
        client.schedule(request).await.unwrap();
    }
}

/// Name of the leader and number of its term, if a term is open.
async fn leader(database: &mut PgConnection) -> Option<(String, i64)> {
    let row: (Option<String>, i64) = sqlx::query_as(
        "select case when holder is not null then replica end, epoch from leadership",
    )
    .fetch_one(database)
    .await
    .unwrap();
    row.0.map(|name| (name, row.1))
}

async fn connect(url: &str) -> PgConnection {
    loop {
        if let Ok(connection) = PgConnection::connect(url).await {
            return connection;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until a later term has fired; how long that took.
async fn fires_again(database: &mut PgConnection, epoch: i64, since: Instant) -> Duration {
    loop {
        let fired: bool = sqlx::query_scalar("select exists (select from fire where epoch > $1)")
            .bind(epoch)
            .fetch_one(&mut *database)
            .await
            .unwrap();
        if fired {
            return since.elapsed();
        }
        assert!(since.elapsed() < Duration::from_secs(40), "nobody fires after term {epoch}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// G-9, G-10, G-11, G-12, G-13.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g9_g10_g13_under_faults_each_time_is_accounted_for_once_and_somebody_fires_again() {
    let seconds = std::env::var("BELLRINGER_CHAOS_SECONDS").ok().and_then(|s| s.parse().ok());
    let length = Duration::from_secs(seconds.unwrap_or(20));
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let pg_port = free_port();
    let mut postgres = Some(start_postgres(&data, Some(pg_port)).await);
    let url = postgres.as_ref().unwrap().url("bellringer");
    bellringer_server::store::migrate(&url).await.unwrap();
    let ports = [free_port(), free_port(), free_port()];
    let mut replicas = Vec::new();
    for (n, port) in ports.iter().enumerate() {
        replicas.push(replica(&url, &format!("r{n}"), *port).await);
    }
    make_schedules(ports[0]).await;
    let mut database = connect(&url).await;
    fires_again(&mut database, 0, Instant::now()).await;

    let begin = Instant::now();
    let mut table = Vec::new();
    for round in 0.. {
        if begin.elapsed() > length && round >= Fault::ALL.len() {
            break;
        }
        sleep(Duration::from_millis(rand::random_range(500..1_500))).await;
        let fault = Fault::ALL[round % Fault::ALL.len()];
        let (name, epoch) = loop {
            if let Some(found) = leader(&mut database).await {
                break found;
            }
            sleep(Duration::from_millis(20)).await;
        };
        let victim = replicas_index(&name);
        let mut since = Instant::now();
        match fault {
            Fault::Terminate => replicas[victim].signal(Signal::TERM),
            Fault::Kill => replicas[victim].signal(Signal::KILL),
            Fault::Freeze => replicas[victim].signal(Signal::STOP),
            Fault::CutOff => {
                sqlx::query(
                    "select pg_terminate_backend(pid) from pg_stat_activity
                     where application_name = 'bellringer-leader/' || $1",
                )
                .bind(&name)
                .execute(&mut database)
                .await
                .unwrap();
            }
            Fault::RestartPostgres => {
                let stopping = postgres.take().unwrap();
                tokio::task::spawn_blocking(move || stopping.stop()).await.unwrap();
                postgres = Some(start_postgres(&data, Some(pg_port)).await);
                database = connect(&url).await;
                since = Instant::now();
            }
        }
        let took = fires_again(&mut database, epoch, since).await;
        table.push((fault, took));
        match fault {
            Fault::Terminate => {
                assert_eq!(replicas[victim].exit_code().await, Some(0));
                replicas[victim] = replica(&url, &name, ports[victim]).await;
            }
            Fault::Kill => replicas[victim] = replica(&url, &name, ports[victim]).await,
            Fault::Freeze => {
                replicas[victim].signal(Signal::CONT);
                let port = ports[victim];
                eventually("the frozen replica knows that it leads no more", || async move {
                    let Ok(mut admin) = AdminServiceClient::connect(address(port)).await else {
                        return false;
                    };
                    admin.get_cluster(pb::GetClusterRequest {}).await.is_ok()
                })
                .await;
            }
            Fault::CutOff | Fault::RestartPostgres => {}
        }
    }
    // Until everything up to now is accounted for.
    sleep(Duration::from_secs(2)).await;
    let until: i64 = sqlx::query_scalar("select extract(epoch from now())::int8 - 1")
        .fetch_one(&mut database)
        .await
        .unwrap();
    eventually("all times were looked at", async || {
        let mut database = connect(&url).await;
        let behind: i64 = sqlx::query_scalar(
            "select count(*) from schedule where next_fire_at <= to_timestamp($1)",
        )
        .bind(until)
        .fetch_one(&mut database)
        .await
        .unwrap();
        behind == 0
    })
    .await;

    println!("\nfault             fires again after   bound");
    for (fault, took) in &table {
        println!(
            "{:<17} {:>8.2} s {:>12} s",
            format!("{fault:?}"),
            took.as_secs_f64(),
            fault.bound().as_secs()
        );
    }
    let (missing, fired, skipped, terms): (i64, i64, i64, i64) = sqlx::query_as(
        "with wanted as (
            select s.id, t as nominal
            from schedule s,
                 generate_series(date_trunc('second', s.created_at) + interval '1 s',
                                 to_timestamp($1), interval '1 s') t)
         select (select count(*) from wanted w
                 where not exists (select from fire f
                                   where f.schedule = w.id and f.nominal = w.nominal)
                   and not exists (select from fire_range r
                                   where r.schedule = w.id and w.nominal between r.first and r.last)),
                (select count(*) from fire where outcome = 1),
                (select count(*) from fire where outcome <> 1)
                    + (select coalesce(sum(count), 0) from fire_range)::int8,
                (select epoch from leadership)",
    )
    .bind(until)
    .fetch_one(&mut database)
    .await
    .unwrap();
    let (tasks, distinct): (i64, i64) = sqlx::query_as(
        "select count(*), count(distinct labels) from task where labels ? 'bellringer.fire'",
    )
    .fetch_one(&mut database)
    .await
    .unwrap();
    let early: i64 = sqlx::query_scalar("select count(*) from fire where recorded_at < due_at")
        .fetch_one(&mut database)
        .await
        .unwrap();
    println!(
        "{fired} fired, {skipped} skipped, {missing} missing, {} twice, {early} early, {terms} terms",
        tasks - distinct
    );
    assert_eq!((missing, early), (0, 0));
    assert_eq!((tasks, distinct), (fired, fired), "a task for each fire, and none twice");
    assert!(fired > SCHEDULES * 10, "the run shows something: {fired}");
    for (fault, took) in table {
        // Shared machines stall: twice the bound is a fault of ours in any case.
        assert!(took <= fault.bound() * 2, "{fault:?}: {took:?}");
    }
    drop(replicas);
    let stopping = postgres.take().unwrap();
    tokio::task::spawn_blocking(move || stopping.stop()).await.unwrap();
}

fn replicas_index(name: &str) -> usize {
    name.trim_start_matches('r').parse().unwrap()
}

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
    command.arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
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

/// The whole answer to a request.
async fn http_get(address: &str, path: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
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

/// Copies of one schedule, each with a single time, which `next` says as an expression over `n`.
async fn copies(database: &mut PgConnection, count: i64, next: &str) {
    let text = format!(
        "insert into schedule (id, namespace, name, version, state, times, policies, labels,
                               description, lane, priority, payload, task_labels, created_at,
                               updated_at, next_fire_at, due_at)
         select gen_random_uuid(), s.namespace, 'c' || n, 1, 1,
                jsonb_build_object('triggers', jsonb_build_array(jsonb_build_object('once',
                    jsonb_build_object('at', to_char(t.next at time zone 'UTC',
                        'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'))))),
                s.policies, '{{}}', '', s.lane, 5, '', '{{}}', now(), now(), t.next, t.next
         from schedule s, generate_series(1, $1) n, lateral (select {next} as next) t
         where s.name = 's0'"
    );
    sqlx::query(sqlx::AssertSqlSafe(text)).bind(count).execute(database).await.unwrap();
}

/// Lateness in seconds: median, 99 %, largest, and how many.
async fn lateness(database: &mut PgConnection) -> (f64, f64, f64, i64) {
    sqlx::query_as(
        "select coalesce(percentile_disc(0.5) within group (order by l), 0),
                coalesce(percentile_disc(0.99) within group (order by l), 0),
                coalesce(max(l), 0), count(*)
         from (select extract(epoch from f.recorded_at - f.due_at)::float8 as l
               from fire f join schedule s on s.id = f.schedule
               where f.outcome = 1 and s.name like 'c%') t",
    )
    .fetch_one(database)
    .await
    .unwrap()
}

/// CPU seconds that a process has used.
fn cpu_seconds(pid: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / 100.0
}

/// G-12, on a machine that does nothing else; prints what it saw. Linux only, for the CPU time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: run it by name, with --release, on a quiet machine"]
async fn lateness_of_many_schedules() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let options = Options { speed: Speed::Durable, ..postgres_options(&data) };
    let postgres = tokio::task::spawn_blocking(move || PrivatePostgres::start(&options).unwrap())
        .await
        .unwrap();
    let url = postgres.url("bellringer");
    bellringer_server::store::migrate(&url).await.unwrap();
    let port = free_port();
    let server = replica(&url, "r0", port).await;
    make_schedules(port).await;
    let mut database = connect(&url).await;
    fires_again(&mut database, 0, Instant::now()).await;
    let quiet = "update schedule set state = 3, due_at = null where name like 's%'";
    sqlx::query(quiet).execute(&mut database).await.unwrap();

    // Ten thousand in one second.
    let next = "date_trunc('second', now()) + interval '5 s'";
    copies(&mut database, 10_000, next).await;
    sleep(Duration::from_secs(12)).await;
    let (median, p99, most, count) = lateness(&mut database).await;
    println!(
        "10,000 due in one second: {count} fired, median {median:.3} s, p99 {p99:.3} s, largest {most:.3} s"
    );
    assert_eq!(count, 10_000);

    // A hundred thousand saved, and nothing due.
    sqlx::query("delete from schedule where name like 'c%'").execute(&mut database).await.unwrap();
    sqlx::query("truncate fire, schedule_run, task, ready").execute(&mut database).await.unwrap();
    let next = "timestamptz '2030-01-01' + n * interval '1 s'";
    copies(&mut database, 100_000, next).await;
    sqlx::query("analyze").execute(&mut database).await.unwrap();
    sleep(Duration::from_secs(5)).await;
    let pid = server.0.id();
    let before = cpu_seconds(pid);
    sleep(Duration::from_secs(20)).await;
    let idle = (cpu_seconds(pid) - before) / 20.0 * 100.0;
    println!("100,000 saved, none due: the server uses {idle:.2} % of a core");

    // And a thousand due each second, for half a minute.
    sqlx::query(
        "update schedule s
         set times = jsonb_build_object('triggers', jsonb_build_array(jsonb_build_object('interval',
                 jsonb_build_object('every', '100s', 'phase', (n % 100) || 's')))),
             version = 2, next_fire_at = t.next, due_at = t.next
         from (select id, row_number() over (order by id) as n from schedule
               where name like 'c%') k,
              (select extract(epoch from now())::int8 + 15 as begin) b,
              lateral (select to_timestamp(b.begin + (k.n + 100 - b.begin % 100) % 100) as next) t
         where s.id = k.id",
    )
    .execute(&mut database)
    .await
    .unwrap();
    sleep(Duration::from_secs(40)).await;
    let (median, p99, most, count) = lateness(&mut database).await;
    println!(
        "100,000 saved, 1,000 due each second: {count} fired, median {median:.3} s, p99 {p99:.3} s, largest {most:.3} s"
    );
    drop(server);
    tokio::task::spawn_blocking(move || postgres.stop()).await.unwrap();
}
