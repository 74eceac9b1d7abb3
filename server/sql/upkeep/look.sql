-- upkeep/look: what there is to do: how long until the next scheduled or retrying task is due, in
-- milliseconds, null if there is none; and whether anything ran out of time: a session that was not heard of,
-- an attempt, a waiting task. $1 now, $2 grace of a cancel in ms.
with clock as materialized (
    select coalesce($1::timestamptz, now()) as now
)
select (select (extract(epoch from s.due_at - c.now) * 1000)::int8
        from scheduled s
        order by s.due_at
        limit 1) as wait_ms,
       exists (select from worker_session where expires_at < c.now)
       or exists (select from inflight where deadline_at <= c.now)
       or exists (select from inflight
                  where cancel_requested_at <= c.now - $2::int8 * interval '1 ms')
       or exists (select from ready
                  where least(expire_at, give_up_at) <= c.now
                    and (expire_at is not null or give_up_at is not null))
       or exists (select from scheduled
                  where least(expire_at, give_up_at) <= c.now
                    and (expire_at is not null or give_up_at is not null)) as is_overdue
from clock c
