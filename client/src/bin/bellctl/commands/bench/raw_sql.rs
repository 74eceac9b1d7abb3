//! The limit: the narrowest schema that keeps a life cycle durable and its result readable, driven in
//! batches over one connection that submits and one that leases and completes.

use std::time::Duration;

use sqlx::{Connection, PgConnection, Row, raw_sql};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::failure::Failure;

const SCHEMA: &str = "
drop schema if exists bellringer_bench cascade;
create schema bellringer_bench;
set search_path to bellringer_bench;
create table task (id uuid primary key, queue int4 not null, priority int2 not null,
    run_at timestamptz not null, created_at timestamptz not null default now(), payload bytea not null);
create table ready (queue int4 not null, priority int2 not null, attempt int2 not null default 0,
    run_at timestamptz not null, id uuid not null);
create index on ready (queue, priority, run_at, id);
create table inflight (id uuid primary key, worker int8 not null, queue int4 not null,
    priority int2 not null, attempt int2 not null, leased_at timestamptz not null default now());
create table result (id uuid primary key, state int2 not null, attempt int2 not null,
    finished_at timestamptz not null default now(), result bytea);
alter table task alter payload set storage external;
alter table ready set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
    autovacuum_vacuum_cost_delay = 0);
alter table inflight set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
    autovacuum_vacuum_cost_delay = 0);";

const SETTINGS: &str = "
set search_path to bellringer_bench; set enable_seqscan = off; set enable_nestloop = off;
set enable_mergejoin = off; set plan_cache_mode = force_generic_plan; set jit = off;";

const SUBMIT: &str = "
with u as materialized (select * from unnest($1::uuid[], $2::bytea[]) u (id, d)),
     a as (insert into task (id, queue, priority, run_at, payload) select id, 1, 5, now(), d from u)
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

/// What raw SQL does, per second.
pub(super) struct Raw {
    pub(super) life_cycles: f64,
    pub(super) drain: f64,
}

/// Measures, and leaves nothing behind.
pub(super) async fn run(url: &str, tasks: u32, batch: u32, payload: u32) -> Result<Raw, Failure> {
    let mut admin = PgConnection::connect(url).await.map_err(failed)?;
    raw_sql(SCHEMA).execute(&mut admin).await.map_err(failed)?;
    let measured = measure(url, tasks, batch, payload).await;
    let drop = "drop schema if exists bellringer_bench cascade";
    raw_sql(drop).execute(&mut admin).await.map_err(failed)?;
    measured
}

async fn measure(url: &str, tasks: u32, batch: u32, payload: u32) -> Result<Raw, Failure> {
    let (mut submitter, mut worker) = (connect(url).await?, connect(url).await?);
    let begun = Instant::now();
    let submitting = submit(&mut submitter, tasks, batch, payload);
    let draining = drain(&mut worker, tasks, batch);
    let (submitted, drained) = tokio::join!(submitting, draining);
    submitted?;
    drained?;
    let life_cycles = f64::from(tasks) / begun.elapsed().as_secs_f64();
    submit(&mut submitter, tasks, batch, payload).await?;
    let begun = Instant::now();
    drain(&mut worker, tasks, batch).await?;
    Ok(Raw { life_cycles, drain: f64::from(tasks) / begun.elapsed().as_secs_f64() })
}

async fn connect(url: &str) -> Result<PgConnection, Failure> {
    let mut connection = PgConnection::connect(url).await.map_err(failed)?;
    raw_sql(SETTINGS).execute(&mut connection).await.map_err(failed)?;
    Ok(connection)
}

async fn submit(
    connection: &mut PgConnection,
    tasks: u32,
    batch: u32,
    payload: u32,
) -> Result<(), Failure> {
    let data: Vec<u8> = (0..payload).map(|_| rand::random()).collect();
    let mut left = tasks;
    while left > 0 {
        let count = left.min(batch);
        left -= count;
        let ids: Vec<Uuid> = (0..count).map(|_| Uuid::now_v7()).collect();
        let payloads: Vec<&[u8]> = ids.iter().map(|_| data.as_slice()).collect();
        sqlx::query(SUBMIT)
            .bind(ids)
            .bind(payloads)
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
    }
    Ok(())
}

async fn drain(connection: &mut PgConnection, tasks: u32, batch: u32) -> Result<(), Failure> {
    let limit = i32::try_from(batch).unwrap_or(i32::MAX);
    let result = [7_u8; 32];
    let mut left = usize::try_from(tasks).unwrap_or(usize::MAX);
    while left > 0 {
        let leased =
            sqlx::query(LEASE).bind(limit).fetch_all(&mut *connection).await.map_err(failed)?;
        if leased.is_empty() {
            sleep(Duration::from_millis(1)).await;
            continue;
        }
        left = left.saturating_sub(leased.len());
        let ids = leased
            .iter()
            .map(|row| row.try_get::<Uuid, _>("id"))
            .collect::<Result<Vec<_>, _>>()
            .map_err(failed)?;
        let results: Vec<&[u8]> = ids.iter().map(|_| result.as_slice()).collect();
        let done = sqlx::query(COMPLETE).bind(ids).bind(results);
        done.execute(&mut *connection).await.map_err(failed)?;
    }
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: sqlx::Error) -> Failure {
    Failure::usage(format!("raw SQL: {error}"))
        .next("check --database-url; its user must be allowed to create a schema")
}
