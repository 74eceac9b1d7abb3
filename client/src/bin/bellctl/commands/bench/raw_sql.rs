//! The limit: the narrowest schema that keeps a life cycle durable and its result readable, driven in
//! batches over some connections that submit and as many that lease and complete.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::try_join_all;
use rand::Rng as _;
use sqlx::{PgConnection, Row, raw_sql};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::database::{Database, failed};
use super::numbers::{Spread, shares};
use crate::failure::Failure;

const SCHEMA: &str = "
drop schema if exists bellringer_bench cascade;
create schema bellringer_bench;
set search_path to bellringer_bench;
create table task (id uuid primary key, queue int4 not null, priority int2 not null,
    run_at timestamptz not null, created_at timestamptz not null default now(),
    max_attempts int2 not null, payload bytea not null);
create table ready (queue int4 not null, priority int2 not null, attempt int2 not null default 0,
    run_at timestamptz not null, id uuid not null);
create index on ready (queue, priority, run_at, id);
create table inflight (id uuid primary key, worker int8 not null, queue int4 not null,
    priority int2 not null, attempt int2 not null, leased_at timestamptz not null default now());
create table result (id uuid primary key, state int2 not null, attempt int2 not null,
    finished_at timestamptz not null default now(), result bytea);
alter table task alter payload set storage external;
alter table result alter result set storage external;
alter table ready set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
    autovacuum_vacuum_cost_delay = 0);
alter table inflight set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
    autovacuum_vacuum_cost_delay = 0);";

const SETTINGS: &str = "
set search_path to bellringer_bench; set enable_seqscan = off; set enable_nestloop = off;
set enable_mergejoin = off; set plan_cache_mode = force_generic_plan; set jit = off;";

const SUBMIT: &str = "
with u as materialized (select * from unnest($1::uuid[], $2::bytea[]) u (id, d)),
     a as (insert into task (id, queue, priority, run_at, max_attempts, payload)
           select id, 1, 5, now(), 5, d from u)
insert into ready (queue, priority, run_at, id) select 1, 5, now(), id from u";

const LEASE: &str = "
with l as (delete from ready where ctid = any (array(
         select ctid from ready where queue = 1 and priority = 5 and run_at <= now()
         order by queue, priority, run_at, id limit $1 for update skip locked))
       returning id, queue, priority, (attempt + 1)::int2 as attempt),
     i as (insert into inflight (id, worker, queue, priority, attempt)
           select id, 7, queue, priority, attempt from l)
select l.id, x.payload, l.attempt
from l cross join lateral (select payload from task where task.id = l.id offset 0) x";

const COMPLETE: &str = "
with d as (delete from inflight where id = any ($1::uuid[]) and worker = 7 returning id, attempt)
insert into result (id, state, attempt, result)
select d.id, 2, d.attempt, u.r from unnest($1::uuid[], $2::bytea[]) u (id, r) join d on d.id = u.id";

const DROP: &str = "drop schema if exists bellringer_bench cascade";

/// A schema of its own in the server's database, and the connections.
pub(super) struct RawSql {
    submitters: Vec<PgConnection>,
    workers: Vec<PgConnection>,
    batch: u32,
    payload: Vec<u8>,
}

impl RawSql {
    /// Makes the schema, and `each` connections of both kinds; it is to be dropped with [`clean_up`].
    ///
    /// # Errors
    /// The database cannot be reached, or does not let us.
    pub(super) async fn open(
        database: &Database,
        each: u32,
        batch: u32,
        payload: u32,
    ) -> Result<Self, Failure> {
        raw_sql(SCHEMA).execute(&mut database.connect().await?).await.map_err(failed)?;
        let (mut submitters, mut workers) = (Vec::new(), Vec::new());
        for _ in 0..each {
            for connections in [&mut submitters, &mut workers] {
                let mut connection = database.connect().await?;
                raw_sql(SETTINGS).execute(&mut connection).await.map_err(failed)?;
                connections.push(connection);
            }
        }
        let mut bytes = vec![0; usize::try_from(payload).unwrap_or_default()];
        rand::rng().fill_bytes(&mut bytes);
        Ok(Self { submitters, workers, batch, payload: bytes })
    }

    /// Submits while the workers lease and complete.
    ///
    /// # Errors
    /// Of the database.
    pub(super) async fn life_cycles(&mut self, tasks: u32) -> Result<(), Failure> {
        let submitting = submit_all(&mut self.submitters, tasks, self.batch, &self.payload);
        let draining = drain_all(&mut self.workers, tasks, self.batch);
        tokio::try_join!(submitting, draining)?;
        Ok(())
    }

    /// Submits alone.
    ///
    /// # Errors
    /// Of the database.
    pub(super) async fn preload(&mut self, tasks: u32) -> Result<(), Failure> {
        submit_all(&mut self.submitters, tasks, self.batch, &self.payload).await
    }

    /// How long one durable insert of one task takes, one after the other with a pause before each.
    ///
    /// # Errors
    /// Of the database.
    pub(super) async fn round_trips(
        &mut self,
        count: u32,
        pause: Duration,
    ) -> Result<Spread, Failure> {
        let mut micros = Vec::new();
        for _ in 0..count {
            if !pause.is_zero() {
                sleep(pause).await;
            }
            let begun = Instant::now();
            submit_all(&mut self.submitters, 1, 1, &self.payload).await?;
            micros.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
        }
        Ok(Spread::of(micros))
    }

    /// Leases and completes alone.
    ///
    /// # Errors
    /// Of the database.
    pub(super) async fn drain(&mut self, tasks: u32) -> Result<(), Failure> {
        drain_all(&mut self.workers, tasks, self.batch).await
    }
}

/// Drops the schema, if it is there.
///
/// # Errors
/// The database cannot be reached, or does not let us.
pub(super) async fn clean_up(database: &Database) -> Result<(), Failure> {
    let mut connection = database.connect().await?;
    raw_sql(DROP).execute(&mut connection).await.map_err(failed)?;
    Ok(())
}

async fn submit_all(
    connections: &mut [PgConnection],
    tasks: u32,
    batch: u32,
    payload: &[u8],
) -> Result<(), Failure> {
    let count = u32::try_from(connections.len()).unwrap_or(1);
    let each = connections.iter_mut().zip(shares(tasks, count));
    try_join_all(each.map(|(connection, share)| submit(connection, share, batch, payload))).await?;
    Ok(())
}

/// Until `tasks` are complete in all.
async fn drain_all(
    connections: &mut [PgConnection],
    tasks: u32,
    batch: u32,
) -> Result<(), Failure> {
    let left = AtomicU32::new(tasks);
    try_join_all(connections.iter_mut().map(|connection| drain(connection, &left, batch))).await?;
    Ok(())
}

async fn submit(
    connection: &mut PgConnection,
    tasks: u32,
    batch: u32,
    payload: &[u8],
) -> Result<(), Failure> {
    let mut left = tasks;
    while left > 0 {
        let count = left.min(batch);
        left -= count;
        let ids: Vec<Uuid> = (0..count).map(|_| Uuid::now_v7()).collect();
        let payloads: Vec<&[u8]> = ids.iter().map(|_| payload).collect();
        let submitted = sqlx::query(SUBMIT).bind(ids).bind(payloads);
        submitted.execute(&mut *connection).await.map_err(failed)?;
    }
    Ok(())
}

async fn drain(connection: &mut PgConnection, left: &AtomicU32, batch: u32) -> Result<(), Failure> {
    let limit = i32::try_from(batch).unwrap_or(i32::MAX);
    let result = [7_u8; 32];
    while left.load(Ordering::Relaxed) > 0 {
        let leased =
            sqlx::query(LEASE).bind(limit).fetch_all(&mut *connection).await.map_err(failed)?;
        if leased.is_empty() {
            sleep(Duration::from_millis(1)).await;
            continue;
        }
        let count = u32::try_from(leased.len()).unwrap_or(u32::MAX);
        let ids = leased
            .iter()
            .map(|row| row.try_get::<Uuid, _>("id"))
            .collect::<Result<Vec<_>, _>>()
            .map_err(failed)?;
        let results: Vec<&[u8]> = ids.iter().map(|_| result.as_slice()).collect();
        let done = sqlx::query(COMPLETE).bind(ids).bind(results);
        done.execute(&mut *connection).await.map_err(failed)?;
        left.fetch_sub(count, Ordering::Relaxed);
    }
    Ok(())
}
