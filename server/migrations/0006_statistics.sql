-- What ended, counted by minute, hour and day, for a year after the tasks themselves were deleted. Nothing is
-- written here when a task ends: `result` and `attempt` are the record, in the completion's own transaction,
-- and whoever rolls up reads them by `xid` from where the last one stopped.

set local lock_timeout = '5s';

create table statistic (
    -- 1 minute, 2 hour, 3 day.
    unit          int2 not null,
    -- Start of the unit, by UTC.
    at            timestamptz not null,
    lane          int4 not null,
    -- Which schedule made the tasks; all zeros: none did.
    schedule      uuid not null,
    -- Tasks by how they ended.
    succeeded     int8 not null,
    failed        int8 not null,
    cancelled     int8 not null,
    expired       int8 not null,
    -- Attempts that ended otherwise than by the success of the task.
    tries_failed        int8 not null,
    tries_cancelled     int8 not null,
    tries_snoozed       int8 not null,
    tries_released      int8 not null,
    tries_lease_expired int8 not null,
    -- Sums of the waits for the first start, and of the times that attempts ran, in microseconds.
    wait_us       int8 not null,
    run_us        int8 not null,
    -- How many there were by size: domain::statistics::Spread.
    waits         int8[] not null,
    runs          int8[] not null,
    -- The end of the last task, and its state.
    last_at       timestamptz,
    last_state    int2,
    constraint statistic_pkey primary key (unit, at, lane, schedule)
);
-- The row of the hour and of the day is written again and again.
alter table statistic set (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);

-- Where the roll-up stands; one row. What ended in transactions below `xid` is in `statistic`, the rest is not.
create table statistic_mark (
    xid int8 not null
);
-- What ended before is not counted: earlier versions have not written down what waits are counted from.
insert into statistic_mark select pg_snapshot_xmin(pg_current_snapshot())::text::int8;

-- Adds counts by size.
create function statistic_sum(a int8[], b int8[]) returns int8[] language sql immutable parallel safe as $$
    select array(select coalesce(x, 0) + coalesce(y, 0)
                 from unnest(a, b) with ordinality as u (x, y, n)
                 order by n)
$$;

-- Serves statistics/ended: which schedule has made a task.
create index fire_task on fire (task) where task is not null;

-- As of 0004, and a task that is not counted yet was not kept long enough.
create or replace function history_sort(suffix text, at timestamptz, lanes int4[], succeeded int8[], failed int8[],
                                        cancelled int8[], expired int8[], idempotency_ms int8)
returns table (id uuid, is_gone bool)
language plpgsql stable security definer set search_path from current
set enable_seqscan = on set enable_hashjoin = on set enable_nestloop = off as $$
begin
    return query execute format(
        'select t.id,
                coalesce(r.finished_at <= $1 - interval ''1 ms'' * case r.state
                             when 5 then k.succeeded when 6 then k.failed
                             when 7 then k.cancelled else k.expired end, false)
                and i.task is null and r.xid < (select m.xid from statistic_mark m)
         from %1$I t
         left join %2$I r on r.id = t.id
         left join unnest($2, $3, $4, $5, $6) as k (lane, succeeded, failed, cancelled, expired)
             on k.lane = r.lane
         left join (select distinct y.task from idempotency_key y
                    where y.created_at > $1 - $7 * interval ''1 ms'') i on i.task = t.id',
        'task_' || suffix, 'result_' || suffix)
    using at, lanes, succeeded, failed, cancelled, expired, idempotency_ms;
end
$$;
