-- schedules/next_due: how long until the next schedule has to be looked at; no row if there is none.
-- $1 now.
select greatest(ceil(extract(epoch from
           min(s.due_at) - coalesce($1::timestamptz, clock_timestamp())) * 1000), 0)::int8 as wait_ms
from schedule s
where s.due_at is not null
having min(s.due_at) is not null
