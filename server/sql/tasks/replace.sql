-- tasks/replace: cancels a task that was never started, to make room for another one; returns it, or
-- nothing if it was started, is finished, or is being started right now.
-- $1 now, $2 namespace, $3 id.
with wanted as materialized (
    select id, lane, priority, run_at from task where id = $3 and namespace = $2
),
from_ready as (
    delete from ready
    where ctid = any (array(
        select (select r.ctid from ready r
                where r.lane = w.lane and r.priority = w.priority and r.run_at = w.run_at and r.id = w.id)
        from wanted w))
      and id = $3 and attempt = 0
    returning id, namespace, lane, run_at
),
from_scheduled as (
    delete from scheduled
    where id = any (array(select id from wanted)) and attempt = 0
    returning id, namespace, lane, run_at
)
insert into result (id, namespace, lane, state, attempt, tries, run_at, finished_at, error)
select id, namespace, lane, 7, 0, 0, run_at, coalesce($1::timestamptz, now()),
       jsonb_build_object('type', 'CANCELLED', 'message', 'replaced by a task with the same unique key')
from (select * from from_ready union all select * from from_scheduled) g
returning id, lane
