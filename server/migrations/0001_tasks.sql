-- Where a task's row is says what state it is in:
--   result → finished, else inflight → running, else scheduled → scheduled or retrying, else ready.
-- `task` and `result` are written once and never updated: the wide rows cost no second version, no
-- vacuum debt, and nothing under a long snapshot. The narrow rows of ready, scheduled and inflight
-- live for moments. No foreign keys, triggers or enums on these tables: each would be paid for by
-- every task. Namespaces are in every row.

set local lock_timeout = '5s';

-- Identifies this database; one row.
create table cluster (
    id uuid not null default gen_random_uuid()
);
insert into cluster default values;

create table namespace (
    id         int4 generated always as identity primary key,
    name       text not null,
    created_at timestamptz not null default now(),
    constraint namespace_name unique (name)
);

create table queue (
    namespace         int4 not null,
    name              text not null,
    paused_at         timestamptz,
    pause_note        text not null default '',
    -- Milliseconds; null: the server's setting.
    keep_succeeded_ms int8,
    keep_failed_ms    int8,
    keep_cancelled_ms int8,
    keep_expired_ms   int8,
    created_at        timestamptz not null default now(),
    constraint queue_pkey primary key (namespace, name)
);

-- (namespace, queue, kind, version) as one small number, so that a worker which runs some kinds of a
-- queue never has to step over the others at the head of an index.
create table lane (
    id         int4 generated always as identity primary key,
    namespace  int4 not null,
    queue      text not null,
    kind       text not null,
    version    text not null,
    -- Copy of queue.paused_at is not null, read by every claim.
    is_paused  bool not null default false,
    created_at timestamptz not null default now(),
    constraint lane_name unique (namespace, queue, kind, version)
);

create table task (
    id                 uuid not null,
    namespace          int4 not null,
    lane               int4 not null,
    priority           int2 not null,
    created_at         timestamptz not null,
    -- Earliest start, and for ever the task's place in `ready`.
    run_at             timestamptz not null,
    payload            bytea not null,
    -- null: JSON text, or no data if the payload is empty.
    content_type       text,
    expire_at          timestamptz,
    attempt_timeout_ms int8,
    total_timeout_ms   int8,
    -- domain::RetryPolicy; null: the default.
    retry              jsonb,
    labels             jsonb,
    unique_key         text,
    idempotency_key    text,
    traceparent        text,
    retry_of           uuid,
    constraint task_pkey primary key (id)
);
-- Payloads are compressed by the caller if at all; trying it here costs more than it saves.
alter table task alter payload set storage external;
-- Serves tasks/list by labels. Only labelled tasks have an entry.
create index task_labels on task using gin (labels jsonb_path_ops) where labels is not null;

create table ready (
    lane       int4 not null,
    priority   int2 not null,
    run_at     timestamptz not null,
    id         uuid not null,
    namespace  int4 not null,
    attempt    int4 not null,
    tries      int4 not null,
    -- Bit 0: holds a unique key.
    flags      int2 not null,
    timeout_ms int8,
    -- Not to be started after this; null once it was started.
    expire_at  timestamptz,
    -- The task as a whole ends at this.
    give_up_at timestamptz
);
-- Serves tasks/claim (equality on lane and priority, range on run_at), and finding one task's row by
-- the four values that `task` has.
create index ready_order on ready (lane, priority, run_at, id);
-- Serves upkeep/overdue_waiting. Only tasks with a limit have an entry.
create index ready_ends on ready (least(expire_at, give_up_at))
    where expire_at is not null or give_up_at is not null;

create table scheduled (
    id         uuid not null,
    due_at     timestamptz not null,
    -- 1 scheduled, 4 retrying.
    state      int2 not null,
    lane       int4 not null,
    priority   int2 not null,
    run_at     timestamptz not null,
    namespace  int4 not null,
    attempt    int4 not null,
    tries      int4 not null,
    flags      int2 not null,
    timeout_ms int8,
    expire_at  timestamptz,
    give_up_at timestamptz,
    constraint scheduled_pkey primary key (id)
);
-- Serves upkeep/promote.
create index scheduled_due on scheduled (due_at);
-- Serves upkeep/overdue_waiting.
create index scheduled_ends on scheduled (least(expire_at, give_up_at))
    where expire_at is not null or give_up_at is not null;

create table inflight (
    id                  uuid not null,
    namespace           int4 not null,
    lane                int4 not null,
    priority            int2 not null,
    run_at              timestamptz not null,
    session             uuid not null,
    worker              text not null,
    attempt             int4 not null,
    tries               int4 not null,
    flags               int2 not null,
    started_at          timestamptz not null,
    timeout_ms          int8,
    -- The attempt ends at this, by its own timeout or the task's.
    deadline_at         timestamptz,
    give_up_at          timestamptz,
    cancel_requested_at timestamptz,
    cancel_reason       text,
    constraint inflight_pkey primary key (id)
);
-- Serve upkeep/overdue_running. Only attempts with a limit, or being cancelled, have an entry.
create index inflight_deadline on inflight (deadline_at) where deadline_at is not null;
create index inflight_cancelled on inflight (cancel_requested_at)
    where cancel_requested_at is not null;

-- Append-only, and the journal of final states: `xid` lets a watch resume without an event table.
create table result (
    id           uuid not null,
    namespace    int4 not null,
    lane         int4 not null,
    -- 5 succeeded, 6 failed, 7 cancelled, 8 expired.
    state        int2 not null,
    attempt      int4 not null,
    tries        int4 not null,
    started_at   timestamptz,
    finished_at  timestamptz not null,
    xid          int8 not null default (pg_current_xact_id()::text::int8),
    worker       text,
    result       bytea,
    content_type text,
    error        jsonb,
    constraint result_pkey primary key (id)
);
alter table result alter result set storage external;
-- Serves watch/journal. A block range index costs nothing per row and suits a column that grows with
-- the table; pages not summarised yet are always read.
create index result_xid on result using brin (xid) with (pages_per_range = 16, autosummarize = on);

-- Attempts that ended otherwise than by the success of the task: that one stands in `result`.
create table attempt (
    id                uuid not null,
    number            int4 not null,
    namespace         int4 not null,
    outcome           int2 not null,
    session           uuid not null,
    worker            text not null,
    started_at        timestamptz not null,
    finished_at       timestamptz not null,
    error             jsonb,
    -- What the worker reported after the attempt had ended.
    late_outcome      int2,
    late_at           timestamptz,
    late_result       bytea,
    late_content_type text,
    late_error        jsonb,
    constraint attempt_pkey primary key (id, number)
);

-- Last progress and checkpoint of tasks that report them.
create table progress (
    id          uuid not null,
    namespace   int4 not null,
    -- Number of writes: a part of the task's revision.
    seq         int4 not null,
    current     float8,
    total       float8,
    message     text,
    reported_at timestamptz,
    checkpoint  bytea,
    constraint progress_pkey primary key (id)
);

create table unique_key (
    namespace int4 not null,
    key       text not null,
    task      uuid not null,
    constraint unique_key_pkey primary key (namespace, key)
);
-- Serves tasks/complete and tasks/settle, which give the key back.
create index unique_key_task on unique_key (task);

create table idempotency_key (
    namespace    int4 not null,
    key          text not null,
    request_hash bytea not null,
    task         uuid not null,
    created_at   timestamptz not null,
    constraint idempotency_key_pkey primary key (namespace, key)
);
-- Serves upkeep/prune.
create index idempotency_key_task on idempotency_key (task);

create table worker_session (
    id           uuid not null,
    namespace    int4 not null,
    worker       text not null,
    queues       text[] not null,
    kinds        text[] not null,
    versions     text[] not null,
    replica      uuid not null,
    connected_at timestamptz not null,
    seen_at      timestamptz not null,
    -- The leases of the session end at this.
    expires_at   timestamptz not null,
    constraint worker_session_pkey primary key (id)
);

create table replica (
    id          uuid not null,
    name        text not null,
    -- Whether somebody watches tasks there, so that others send it the ids of what changed.
    is_watching bool not null,
    started_at  timestamptz not null,
    seen_at     timestamptz not null,
    constraint replica_pkey primary key (id)
);

-- Queue-like tables are empty whenever autovacuum looks by percentage, so it goes by count.
alter table ready set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0);
alter table scheduled set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0);
alter table inflight set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0);
alter table worker_session set (autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 500);
alter table replica set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
alter table progress set (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);

-- Everything about a task in one row; one place that says what state it is in. Meant to be read by
-- id or by keyset on id with index look-ups only (the service's connections plan nothing else).
create view task_now as
select t.id, t.namespace, t.lane, t.priority, t.created_at, t.run_at, t.payload, t.content_type,
       t.expire_at, t.attempt_timeout_ms, t.total_timeout_ms, t.retry, t.labels, t.unique_key,
       t.idempotency_key, t.traceparent, t.retry_of,
       coalesce(f.state, case when i.id is not null then 3::int2 end, s.state, 2::int2) as state,
       coalesce(f.attempt, i.attempt, s.attempt, r.attempt, 0) as attempt,
       coalesce(f.tries, i.tries, s.tries, r.tries, 0) as tries,
       coalesce(f.started_at, i.started_at,
                (select a.started_at from attempt a
                 where a.id = t.id and a.number = coalesce(f.attempt, s.attempt, r.attempt)))
           as started_at,
       f.finished_at,
       s.due_at,
       i.cancel_requested_at is not null as is_cancelling,
       coalesce(f.worker, i.worker, '') as worker,
       f.result, f.content_type as result_content_type,
       case
           when f.id is not null then f.error
           when s.state = 4 then (select a.error from attempt a
                                  where a.id = t.id and a.number = s.attempt)
       end as error,
       p.seq as progress_seq, p.current as progress_current, p.total as progress_total,
       p.message as progress_message, p.reported_at as progress_reported_at
from task t
left join result f on f.id = t.id
left join inflight i on i.id = t.id
left join scheduled s on s.id = t.id
left join ready r on r.lane = t.lane and r.priority = t.priority and r.run_at = t.run_at
    and r.id = t.id
left join progress p on p.id = t.id;
