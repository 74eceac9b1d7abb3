//! The election itself, in this process, with a duty that only writes down that it was done. What the
//! leader does with schedules is in `chaos.rs`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bellringer_server::leader::{self, Duty, Lead, LeadError, Role, Settings, Status, Timings};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::support::postgres::fresh_database;
use crate::support::process::{eventually, free_port};
use crate::support::replicas::start_postgres;

/// Shared machines stall: a bound that is missed by this much is a fault of ours in any case.
const STALL: u32 = 3;

/// Writes a row for each pass, guarded as the leader's statements are.
#[derive(Default)]
struct Passes {
    /// Sends a statement of 1.5 s first.
    is_slow: AtomicBool,
}

impl Duty for Passes {
    async fn run(&self, lead: &Lead<'_>) -> Result<Option<Duration>, LeadError> {
        if self.is_slow.load(Ordering::Relaxed) {
            lead.query("select pg_sleep(1.5)", &[]).await?;
        }
        let written = lead
            .query(
                "with term as materialized (
                     select l.epoch, l.replica from leadership l
                     where l.epoch = $1 and l.holder = $2 for share)
                 insert into pass (epoch, replica) select epoch, replica from term returning id",
                &[&lead.epoch(), &lead.holder()],
            )
            .await?;
        if written.is_empty() { Err(lead.fenced()) } else { Ok(Some(Duration::from_millis(20))) }
    }
}

/// A candidate; resigns when it is stopped, and vanishes when it is dropped.
struct Candidate {
    status: watch::Receiver<Status>,
    stop: CancellationToken,
    running: JoinSet<anyhow::Result<()>>,
    duty: Arc<Passes>,
}

struct Shared(Arc<Passes>);

impl Duty for Shared {
    async fn run(&self, lead: &Lead<'_>) -> Result<Option<Duration>, LeadError> {
        self.0.run(lead).await
    }
}

impl Candidate {
    fn start(url: &str, name: &str, timings: Timings) -> Self {
        let (sender, status) = watch::channel(Status::default());
        let stop = CancellationToken::new();
        let duty = Arc::new(Passes::default());
        let (url, replica) = (url.to_owned(), name.to_owned());
        let settings = Settings { url, replica, timings, statements: Default::default() };
        let wake = Arc::new(Notify::new());
        let mut running = JoinSet::new();
        running.spawn(leader::run(settings, Shared(duty.clone()), wake, sender, stop.clone()));
        Self { status, stop, running, duty }
    }

    /// Waits for a status; fails with the last one.
    async fn is(&mut self, what: &str, mut holds: impl FnMut(&Status) -> bool) -> Status {
        let found = timeout(Duration::from_secs(60), self.status.wait_for(|now| holds(now)))
            .await
            .map(|status| status.unwrap().clone());
        found.unwrap_or_else(|_| panic!("{what}: {:?}", self.status.borrow()))
    }

    /// Waits until it leads; the number of the term.
    async fn leads(&mut self) -> i64 {
        let status = self.is("leads", |now| matches!(now.role, Role::Leader { .. })).await;
        let Role::Leader { epoch, .. } = status.role else { unreachable!() };
        epoch
    }

    async fn refuses(&mut self) -> String {
        let status = self.is("refuses", |now| matches!(now.role, Role::Refused { .. })).await;
        let Role::Refused { reason } = status.role else { unreachable!() };
        reason
    }

    async fn resign(mut self) {
        self.stop.cancel();
        self.running.join_next().await.unwrap().unwrap().unwrap();
    }
}

async fn database() -> (String, PgConnection) {
    let url = fresh_database().await;
    let database = prepared(&url).await;
    (url, database)
}

/// A connection to a database that has the table of the duty.
async fn prepared(url: &str) -> PgConnection {
    let mut database = PgConnection::connect(url).await.unwrap();
    let table = "create table pass (id int8 generated always as identity, epoch int8 not null,
                                    replica text not null)";
    run(&mut database, table).await;
    database
}

async fn run(database: &mut PgConnection, statement: &str) {
    sqlx::query(AssertSqlSafe(statement.to_owned())).execute(database).await.unwrap();
}

async fn number(database: &mut PgConnection, query: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_one(database).await.unwrap()
}

/// Ends the leader's session as an administrator does.
async fn end_session_of(database: &mut PgConnection, replica: &str) {
    let ended = number(
        database,
        &format!(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity
             where datname = current_database()
               and application_name = 'bellringer-leader/{replica}'"
        ),
    )
    .await;
    assert!(ended > 0, "{replica} has a session");
}

/// No term wrote after a later one had, and each belongs to one replica.
async fn nobody_wrote_out_of_turn(database: &mut PgConnection) {
    let wrong = number(
        database,
        "select (select count(*) from (select epoch, lag(epoch) over (order by id) as before
                                       from pass) p
                 where epoch < before)
              + (select count(*) from (select from pass group by epoch
                                       having count(distinct replica) > 1) p)",
    )
    .await;
    assert_eq!(wrong, 0);
}

async fn passes_in(url: &str, epoch: i64) {
    eventually("the duty is done in the term", || async {
        let mut database = PgConnection::connect(url).await.unwrap();
        number(&mut database, &format!("select count(*) from pass where epoch = {epoch}")).await > 2
    })
    .await;
}

#[tokio::test]
async fn of_two_replicas_one_leads_and_the_other_stands_by() {
    let (url, mut database) = database().await;
    let mut first = Candidate::start(&url, "first", Timings::default());
    let epoch = first.leads().await;
    let mut second = Candidate::start(&url, "second", Timings::default());

    second.is("stands by", |now| now.role == Role::Standby).await;
    passes_in(&url, epoch).await;

    assert_eq!(second.status.borrow().terms, 0);
    assert_eq!(number(&mut database, "select count(distinct epoch) from pass").await, 1);
}

#[tokio::test]
async fn a_leader_whose_session_is_ended_is_followed_by_a_later_term() {
    let (url, mut database) = database().await;
    let mut first = Candidate::start(&url, "first", Timings::default());
    let mut epoch = first.leads().await;
    let mut second = Candidate::start(&url, "second", Timings::default());
    second.is("stands by", |now| now.role == Role::Standby).await;

    for _ in 0..3 {
        passes_in(&url, epoch).await;
        let ended = Instant::now();
        let is_first = matches!(first.status.borrow().role, Role::Leader { .. });
        end_session_of(&mut database, if is_first { "first" } else { "second" }).await;
        let later = |now: &Status| matches!(now.role, Role::Leader { epoch: e, .. } if e > epoch);
        let status = tokio::select! {
            status = first.is("leads", later) => status,
            status = second.is("leads", later) => status,
        };
        let Role::Leader { epoch: next, .. } = status.role else { unreachable!() };
        assert!(ended.elapsed() < Duration::from_secs(3) * STALL, "{:?}", ended.elapsed());
        epoch = next;
    }

    passes_in(&url, epoch).await;
    nobody_wrote_out_of_turn(&mut database).await;
    let (first, second) = (first.status.borrow(), second.status.borrow());
    assert_eq!((first.terms + second.terms, first.lost + second.lost), (4, 3));
}

#[tokio::test]
async fn a_leader_that_is_stopped_hands_over_at_once() {
    let (url, mut database) = database().await;
    // The poll alone would be too late.
    let patient = Timings { poll_every: Duration::from_secs(5), ..Timings::default() };
    let mut first = Candidate::start(&url, "first", Timings::default());
    let epoch = first.leads().await;
    passes_in(&url, epoch).await;
    let mut second = Candidate::start(&url, "second", patient);
    second.is("stands by", |now| now.role == Role::Standby).await;

    let stopped = Instant::now();
    first.resign().await;
    let next = second.leads().await;

    assert!(stopped.elapsed() < Duration::from_secs(2), "{:?}", stopped.elapsed());
    assert_eq!(next, epoch + 1);
    passes_in(&url, next).await;
    nobody_wrote_out_of_turn(&mut database).await;
    let resigned = "select count(*) from leadership_log where event = 'resigned'";
    assert_eq!(number(&mut database, resigned).await, 1);
}

#[tokio::test]
async fn a_duty_that_is_fenced_steps_down() {
    let (url, mut database) = database().await;
    let mut replica = Candidate::start(&url, "first", Timings::default());
    let epoch = replica.leads().await;
    passes_in(&url, epoch).await;

    run(&mut database, "update leadership set epoch = epoch + 1, holder = gen_random_uuid()").await;
    let status = replica
        .is(
            "leads again",
            |now| matches!(now.role, Role::Leader { epoch: e, .. } if e == epoch + 2),
        )
        .await;

    assert_eq!((status.terms, status.lost), (2, 1));
    nobody_wrote_out_of_turn(&mut database).await;
}

#[tokio::test]
async fn a_long_duty_and_renewals_do_not_starve_each_other() {
    let (url, mut database) = database().await;
    let mut replica = Candidate::start(&url, "first", Timings::default());
    let epoch = replica.leads().await;
    replica.duty.is_slow.store(true, Ordering::Relaxed);

    let passes = number(&mut database, "select count(*) from pass").await;
    let tick = number(&mut database, "select tick from leadership_seen").await;
    eventually("five slow passes and five renewals", || async {
        let mut database = PgConnection::connect(&url).await.unwrap();
        number(&mut database, "select count(*) from pass").await >= passes + 5
            && number(&mut database, "select tick from leadership_seen").await >= tick + 5
    })
    .await;

    assert_eq!(replica.leads().await, epoch, "it is one term");
}

/// The lock's object, as a leader takes it.
async fn object_of(url: &str, database: &mut PgConnection) -> i64 {
    let mut replica = Candidate::start(url, "before", Timings::default());
    replica.leads().await;
    let object = "select objid::int8 from pg_locks
                  where locktype = 'advisory' and classid = 1111837772 and objsubid = 2
                    and database = (select oid from pg_database
                                    where datname = current_database())";
    let object = number(database, object).await;
    replica.resign().await;
    object
}

/// A session that takes the lock and then says nothing, for ever.
async fn silent(url: &str, name: &str, object: i64) -> PgConnection {
    let mut session = PgConnection::connect(url).await.unwrap();
    run(&mut session, &format!("set application_name = '{name}'")).await;
    run(&mut session, &format!("select pg_advisory_lock(1111837772, ({object})::bit(32)::int4)"))
        .await;
    session
}

fn impatient() -> Timings {
    Timings {
        break_after: Duration::from_millis(500),
        poll_every: Duration::from_millis(100),
        ..Timings::default()
    }
}

#[tokio::test]
async fn a_leader_without_a_sign_of_life_is_ended() {
    let (url, mut database) = database().await;
    let object = object_of(&url, &mut database).await;
    // It never came to open a term, and nothing ends it: this session has no time limit.
    let mut gone = silent(&url, "bellringer-leader/gone", object).await;

    let mut replica = Candidate::start(&url, "next", impatient());
    replica.leads().await;

    assert!(gone.ping().await.is_err(), "its session was ended");
}

#[tokio::test]
async fn a_session_of_another_program_is_left_alone() {
    let (url, mut database) = database().await;
    let object = object_of(&url, &mut database).await;
    let mut other = silent(&url, "somebody", object).await;

    let mut replica = Candidate::start(&url, "next", impatient());
    replica.is("stands by", |now| now.role == Role::Standby).await;
    // Each poll moves this; twelve of them take twice as long as it waits for a sign of life.
    let last_poll = "select coalesce(max(extract(epoch from query_start) * 1000), 0)::int8
                     from pg_stat_activity
                     where datname = current_database()
                       and application_name = 'bellringer-leader/next'";
    let mut polls = BTreeSet::new();
    let seen = async {
        while polls.len() < 12 {
            polls.insert(number(&mut database, last_poll).await);
        }
    };
    timeout(Duration::from_secs(60), seen).await.unwrap();

    other.ping().await.unwrap();
    assert_eq!(replica.status.borrow().terms, 0);
}

#[tokio::test]
async fn a_url_that_changes_the_life_of_the_session_is_refused() {
    let (url, _database) = database().await;
    let separator = if url.contains('?') { '&' } else { '?' };
    let changed = format!("{url}{separator}options=-c%20idle_session_timeout%3D0");

    let reason = Candidate::start(&changed, "first", Timings::default()).refuses().await;

    assert!(reason.contains("idle_session_timeout = 0 instead of 6s"), "{reason}");
}

#[tokio::test]
async fn the_leader_works_in_the_schema_of_the_url() {
    let (url, mut database) = database().await;
    let separator = if url.contains('?') { '&' } else { '?' };
    let tenant = format!("{url}{separator}options[search_path]=tenant");
    run(&mut database, "create schema tenant").await;
    bellringer_server::store::migrate(&tenant).await.unwrap();
    prepared(&tenant).await;

    let mut here = Candidate::start(&url, "here", Timings::default());
    let mut there = Candidate::start(&tenant, "there", Timings::default());

    // The lock is another one as well.
    assert_eq!((here.leads().await, there.leads().await), (1, 1));
    assert_eq!(number(&mut database, "select epoch from tenant.leadership").await, 1);
}

#[tokio::test]
async fn a_database_that_is_read_only_is_refused_until_it_can_be_written() {
    let (url, mut database) = database().await;
    let read_only = |value: &str| {
        format!(
            "do $$ begin execute format('alter database %I set default_transaction_read_only = {value}',
                                        current_database()); end $$"
        )
    };
    run(&mut database, &read_only("on")).await;
    let mut replica = Candidate::start(&url, "first", Timings::default());
    assert!(replica.refuses().await.contains("read only"));

    run(&mut database, "set default_transaction_read_only = off").await;
    run(&mut database, &read_only("off")).await;
    let since = Instant::now();
    replica.leads().await;

    assert!(since.elapsed() < Duration::from_secs(10), "as a standby that is promoted");
}

#[tokio::test]
async fn after_a_restart_of_postgres_a_new_term_begins() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let port = free_port();
    let postgres = start_postgres(&data, Some(port)).await;
    let url = postgres.url("bellringer");
    bellringer_server::store::migrate(&url).await.unwrap();
    prepared(&url).await;
    let mut replica = Candidate::start(&url, "first", Timings::default());
    let epoch = replica.leads().await;
    passes_in(&url, epoch).await;

    tokio::task::spawn_blocking(move || postgres.stop()).await.unwrap();
    replica.is("lost", |now| now.role == Role::Starting && now.lost == 1).await;
    let postgres = start_postgres(&data, Some(port)).await;
    let since = Instant::now();
    let next = replica.leads().await;

    assert!(since.elapsed() < Duration::from_secs(5) * STALL, "{:?}", since.elapsed());
    assert_eq!(next, epoch + 1);
    passes_in(&url, next).await;
    nobody_wrote_out_of_turn(&mut PgConnection::connect(&url).await.unwrap()).await;
    drop(replica);
    tokio::task::spawn_blocking(move || postgres.stop()).await.unwrap();
}
