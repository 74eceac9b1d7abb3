-- queues/purge: cancels up to $4 waiting tasks of lanes. $1 now, $2 namespace, $3 lanes.
with from_ready as (
    delete from ready
    where ctid = any (array(select ctid from ready where namespace = $2 and lane = any ($3::int4[])
                            limit $4 for update skip locked))
    returning id, namespace, lane, attempt, tries, flags, run_at
),
from_scheduled as (
    delete from scheduled
    where id = any (array(select id from scheduled where namespace = $2 and lane = any ($3::int4[])
                          limit $4 for update skip locked))
    returning id, namespace, lane, attempt, tries, flags, run_at
),
gone as (
    select * from from_ready union all select * from from_scheduled
),
keys as (
    delete from unique_key
    where task = any (array(select id from gone where flags & 1 = 1))
)
insert into result (id, namespace, lane, state, attempt, tries, run_at, finished_at, error)
select id, namespace, lane, 7, attempt, tries, run_at, coalesce($1::timestamptz, now()),
       jsonb_build_object('type', 'CANCELLED', 'message', 'the queue was purged')
from gone
returning id, lane, attempt, state
