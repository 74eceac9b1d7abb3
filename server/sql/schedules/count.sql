-- schedules/count: how many schedules a namespace has, counted up to $2.
-- $1 namespace, $2 limit.
select count(*) as count
from (select 1 from schedule where namespace = $1 limit $2) s
