-- schedules/held: the oldest times that are held back, of schedules with room for them.
-- $1 limit.
select s.id, s.version, h.nominal
from (select distinct f.schedule from fire f where f.outcome = 3) w
join schedule s on s.id = w.schedule and s.state in (1, 3)
cross join lateral (
    select count(*) as running from schedule_run r
    where r.schedule = s.id and not exists (select from result f where f.id = r.task)
) u
cross join lateral (
    select f.nominal from fire f
    where f.schedule = s.id and f.outcome = 3
    order by f.nominal
    limit greatest((s.policies ->> 'max_running')::int8 - u.running, 0)
) h
order by h.nominal
limit $1
