-- tasks/cancel: ends waiting tasks, and marks running ones for their workers. Finished tasks are left
-- as they are. Returns what was changed: state 7 cancelled, 3 asked to stop.
-- $1 now, $2 namespace, $3 ids, $4 reason.
with wanted as materialized (
    select t.id, t.lane, t.priority, t.run_at
    from task t
    where t.id = any ($3::uuid[]) and t.namespace = $2
),
-- One look-up for each: a join could read the whole line.
from_ready as (
    delete from ready
    where ctid = any (array(
        select (select r.ctid from ready r
                where r.lane = w.lane and r.priority = w.priority and r.run_at = w.run_at and r.id = w.id)
        from wanted w))
      and id = any (array(select id from wanted))
    returning id, namespace, lane, attempt, tries, flags, run_at
),
from_scheduled as (
    delete from scheduled
    where id = any (array(select id from wanted))
    returning id, namespace, lane, attempt, tries, flags, run_at
),
gone as (
    select * from from_ready union all select * from from_scheduled
),
ended as (
    insert into result (id, namespace, lane, state, attempt, tries, run_at, finished_at, error)
    select id, namespace, lane, 7, attempt, tries, run_at, coalesce($1::timestamptz, now()),
           jsonb_build_object('type', 'CANCELLED', 'message', $4::text)
    from gone
    returning id, lane, attempt
),
keys as (
    delete from unique_key
    where task = any (array(select id from gone where flags & 1 = 1))
),
marked as (
    update inflight
    set cancel_requested_at = coalesce($1::timestamptz, now()),
        cancel_reason       = $4
    where id = any (array(select id from wanted)) and cancel_requested_at is null
    returning id, lane, attempt, session
)
select id, lane, attempt, 7::int2 as state, null::uuid as session from ended
union all
select id, lane, attempt, 3::int2, session from marked
