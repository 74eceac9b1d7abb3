-- upkeep/overdue_waiting: ends up to $2 waiting tasks that were not started in time (expired), or that
-- ran out of their total time (failed). $1 now, $3 from where on, as of upkeep/look.
with clock as materialized (
    select coalesce($1::timestamptz, now()) as now
),
from_ready as (
    delete from ready
    where ctid = any (array(
        select ctid from ready
        where least(expire_at, give_up_at) >= $3 and least(expire_at, give_up_at) <= (select now from clock)
          and (expire_at is not null or give_up_at is not null)
        order by least(expire_at, give_up_at)
        limit $2
        for update skip locked))
    returning id, namespace, lane, attempt, tries, flags, run_at, expire_at
),
from_scheduled as (
    delete from scheduled
    where ctid = any (array(
        select ctid from scheduled
        where least(expire_at, give_up_at) >= $3 and least(expire_at, give_up_at) <= (select now from clock)
          and (expire_at is not null or give_up_at is not null)
        order by least(expire_at, give_up_at)
        limit $2
        for update skip locked))
    returning id, namespace, lane, attempt, tries, flags, run_at, expire_at
),
gone as (
    select *, coalesce(expire_at <= (select now from clock), false) as is_expired
    from (select * from from_ready union all select * from from_scheduled) g
),
keys as (
    delete from unique_key
    where task = any (array(select id from gone where flags & 1 = 1))
)
insert into result (id, namespace, lane, state, attempt, tries, run_at, finished_at, error)
select id, namespace, lane, case when is_expired then 8 else 6 end, attempt, tries, run_at,
       (select now from clock),
       case when is_expired
            then jsonb_build_object('type', 'EXPIRED', 'message', 'no attempt was started in time')
            else jsonb_build_object('type', 'TOTAL_TIMEOUT',
                                    'message', 'the task ran out of its total time') end
from gone
returning id, lane, attempt, state
