-- upkeep/next_due: how long until the next scheduled or retrying task is due, in milliseconds.
-- $1 now.
select (extract(epoch from due_at - coalesce($1::timestamptz, now())) * 1000)::int8 as wait_ms
from scheduled
order by due_at
limit 1
