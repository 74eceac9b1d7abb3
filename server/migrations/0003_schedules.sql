-- Schedules, and the ledger of their times. One row of `fire` for each nominal time, by its primary
-- key at most one: with the fenced row of `leadership` the second guard against a double fire.

set local lock_timeout = '5s';

-- How far a development server's clock was moved forward; 0 on any other.
alter table cluster add column clock_advanced_ms int8 not null default 0;

alter table replica add column version text not null default '';
-- 0 not known, 1 leader, 2 standby, 3 cannot lead.
alter table replica add column role int2 not null default 0;
alter table replica add column role_note text not null default '';

create table schedule (
    id                 uuid not null,
    namespace          int4 not null,
    name               text not null,
    -- Rises with every change by a caller; the leader fires only what it read.
    version            int8 not null,
    -- 1 active, 2 paused, 3 finished.
    state              int2 not null,
    -- bellringer_schedule::Spec, as it was written.
    times              jsonb not null,
    -- domain::schedule::Policies.
    policies           jsonb not null,
    -- store::schedules::StoredTask.
    on_failure         jsonb,
    on_recovery        jsonb,
    labels             jsonb not null,
    description        text not null,
    start_within_ms    int8,
    -- The task that it makes.
    lane               int4 not null,
    priority           int2 not null,
    payload            bytea not null,
    content_type       text,
    attempt_timeout_ms int8,
    total_timeout_ms   int8,
    retry              jsonb,
    -- Without the labels that are added.
    task_labels        jsonb not null,
    traceparent        text,
    created_at         timestamptz not null,
    updated_at         timestamptz not null,
    -- The first nominal time without a record.
    next_fire_at       timestamptz,
    -- When the leader has to look: the next time with jitter, or the end of a pause.
    due_at             timestamptz,
    last_fire_at       timestamptz,
    last_task          uuid,
    fires              int8 not null default 0,
    -- Tasks in a row that failed or expired.
    failures           int4 not null default 0,
    paused_at          timestamptz,
    paused_until       timestamptz,
    pause_note         text not null default '',
    constraint schedule_pkey primary key (id),
    constraint schedule_name unique (namespace, name)
);
alter table schedule alter payload set storage external;
-- Serves schedules/due.
create index schedule_due on schedule (due_at) where due_at is not null;
-- Serves schedules/crowded: only schedules with this policy have an entry.
create index schedule_cancelling on schedule (id) where policies ->> 'overlap' = 'cancel_running';

create table fire (
    schedule    uuid not null,
    nominal     timestamptz not null,
    due_at      timestamptz not null,
    -- 1 fired, 2 skipped, 3 held back.
    outcome     int2 not null,
    reason      int2,
    -- bellringer_schedule::Rule.
    rule        int2 not null,
    -- 0 its time came, 1 trigger, 2 backfill.
    cause       int2 not null,
    task        uuid,
    recorded_at timestamptz not null,
    -- Term of the leader; 0: a caller.
    epoch       int8 not null,
    -- Version of the schedule.
    version     int8 not null,
    constraint fire_pkey primary key (schedule, nominal)
);
-- Serves schedules/held and the count of what is held back.
create index fire_held on fire (schedule, nominal) where outcome = 3;
-- Serves schedules/prune.
create index fire_recorded on fire using brin (recorded_at) with (autosummarize = on);

-- Skipped times in a row. A row of `fire` within a range is the truth about its time.
create table fire_range (
    schedule    uuid not null,
    first       timestamptz not null,
    last        timestamptz not null,
    count       int8 not null,
    reason      int2 not null,
    recorded_at timestamptz not null,
    epoch       int8 not null,
    constraint fire_range_pkey primary key (schedule, first)
);

-- Tasks of schedules whose end nobody has looked at yet.
create table schedule_run (
    schedule uuid not null,
    nominal  timestamptz not null,
    task     uuid not null,
    constraint schedule_run_pkey primary key (schedule, task)
);

alter table schedule set (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_cost_delay = 0);
alter table schedule_run set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0);
