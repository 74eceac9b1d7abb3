-- upkeep/look: what there is to do: when the next scheduled or retrying task is due, null if there is none, and how long
-- that is, in milliseconds; and whether anything ran out of time: a session that was not heard of, an attempt, a waiting
-- task. $1 now, $2 grace of a cancel in ms; what was before these was done, and is not stepped over if it is dead: $3 due
-- times, $4 ends.
with clock as materialized (
    select coalesce($1::timestamptz, now()) as now
)
select c.now as looked_at, n.due_at, (extract(epoch from n.due_at - c.now) * 1000)::int8 as wait_ms,
       exists (select from worker_session where expires_at < c.now)
       or exists (select from inflight where deadline_at >= $4 and deadline_at <= c.now)
       or exists (select from inflight
                  where cancel_requested_at >= $4 - $2::int8 * interval '1 ms'
                    and cancel_requested_at <= c.now - $2::int8 * interval '1 ms')
       or exists (select from ready
                  where least(expire_at, give_up_at) >= $4 and least(expire_at, give_up_at) <= c.now
                    and (expire_at is not null or give_up_at is not null))
       or exists (select from scheduled
                  where least(expire_at, give_up_at) >= $4 and least(expire_at, give_up_at) <= c.now
                    and (expire_at is not null or give_up_at is not null)) as is_overdue
from clock c
left join lateral (
    select s.due_at from scheduled s where s.due_at >= $3 order by s.due_at limit 1
) n on true
