-- schedules/crowded: unfinished tasks, oldest first, that overlap CANCEL_RUNNING has to cancel.
-- $1 limit.
select n.name as namespace, s.name, c.task
from schedule s
join namespace n on n.id = s.namespace
cross join lateral (
    select u.task
    from (select r.task, row_number() over (order by r.nominal desc, r.task desc) as rank
          from schedule_run r
          where r.schedule = s.id and not exists (select from result f where f.id = r.task)) u
    where u.rank > (s.policies ->> 'max_running')::int8
) c
where s.policies ->> 'overlap' = 'cancel_running'
  and not exists (select from inflight i
                  where i.id = c.task and i.cancel_requested_at is not null)
limit $1
