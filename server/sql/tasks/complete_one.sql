-- tasks/complete_one: as tasks/complete, for an attempt that comes alone.
-- $1 now, $2 id, $3 namespace, $4 session, $5 attempt, $6 result, $7 content_type. The delete is the fence.
with gone as (
    delete from inflight i
    where i.id = $2 and i.namespace = $3 and i.session = $4 and i.attempt = $5
    returning i.id, i.namespace, i.lane, i.attempt, i.tries, i.run_at, i.started_at, i.worker, i.flags
),
keys as (
    delete from unique_key
    where task = (select id from gone where flags & 1 = 1)
)
insert into result (id, namespace, lane, state, attempt, tries, run_at, started_at, finished_at, worker,
                    result, content_type)
select id, namespace, lane, 5, attempt, tries, run_at, started_at, coalesce($1::timestamptz, now()), worker,
       $6::bytea, $7::text
from gone
returning id, lane, attempt, state, finished_at - started_at as ran
