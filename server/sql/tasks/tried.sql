-- tasks/tried: what a verdict on these running attempts depends on.
-- $1 ids, $2 now.
select coalesce($2::timestamptz, now()) as at, i.id, i.attempt, i.tries, i.give_up_at, i.cancel_requested_at is not null as is_cancelling,
       t.retry
from inflight i
cross join lateral (select retry from task where id = i.id offset 0) t
where i.id = any ($1::uuid[])
