-- statistics/ended: counts what ended in the transactions from $1 on, before $2, at times from $3 on, before $4,
-- of lanes $5 (null: all), by minute, lane, schedule, how it ended, and size of wait and run. $6 whether to
-- look for schedules. A size is the power of 1.1 in microseconds, rounded down.
with event as (
    select r.id, r.lane, r.finished_at as at, r.state, 0::int2 as outcome,
           case when r.state = 5 and r.attempt = 1 then r.started_at - r.run_at end as wait,
           case when r.state = 5 then r.finished_at - r.started_at end as run
    from result r
    where r.xid >= $1 and r.xid < $2
    union all
    select a.id, t.lane, a.finished_at, 0::int2, a.outcome,
           case when a.number = 1 then a.started_at - t.run_at end,
           a.finished_at - a.started_at
    from attempt a
    cross join lateral (select lane, run_at from task where id = a.id offset 0) t
    where a.xid >= $1 and a.xid < $2
),
measured as (
    select e.lane, e.at, e.state, e.outcome,
           case when $6 then (select f.schedule from fire f where f.task = e.id limit 1) end as schedule,
           case when e.wait is not null then greatest((date_part('epoch', e.wait) * 1e6)::int8, 0) end as wait_us,
           case when e.run is not null then greatest((date_part('epoch', e.run) * 1e6)::int8, 0) end as run_us
    from event e
    where e.at >= $3 and e.at < $4 and ($5::int4[] is null or e.lane = any ($5))
)
select date_trunc('minute', at) as minute, lane, schedule, state, outcome,
       case when wait_us is not null then floor(ln(greatest(wait_us, 1)::float8) / ln(1.1::float8))::int4 end as wait_size,
       case when run_us is not null then floor(ln(greatest(run_us, 1)::float8) / ln(1.1::float8))::int4 end as run_size,
       count(*) as count, coalesce(sum(wait_us), 0)::int8 as wait_us, coalesce(sum(run_us), 0)::int8 as run_us,
       max(at) as last_at
from measured
group by 1, 2, 3, 4, 5, 6, 7
