-- sessions/resume: ends an old session and moves the attempts that its worker is still running to a
-- new one, which the caller has opened in the same transaction. The new id is the fence: whatever
-- another replica still does for the old session comes to nothing. Returns one row an attempt of the
-- old session, with whether it was moved; nothing at all if the session had ended.
-- $1 old id, $2 namespace, $3 new id, $4 worker, $5 $6 task and number of the attempts being run.
with old as (
    delete from worker_session where id = $1 and namespace = $2 returning id
),
running as materialized (
    select * from unnest($5::uuid[], $6::int4[]) as u (id, attempt)
),
moved as (
    update inflight i
    set session = $3, worker = $4
    from running u
    where i.id = any ($5::uuid[]) and i.id = u.id and i.attempt = u.attempt
      and i.namespace = $2 and i.session = (select id from old)
    returning i.id, i.attempt, i.cancel_requested_at is not null as is_cancelling
)
select null::uuid as id, 0 as attempt, true as is_moved, false as is_cancelling from old
union all
select id, attempt, true, is_cancelling from moved
union all
select i.id, i.attempt, false, false
from inflight i
where i.session = (select id from old)
  and not exists (select from running u where u.id = i.id and u.attempt = i.attempt)
