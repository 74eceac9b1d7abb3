-- schedules/runs: of up to $3 tasks of schedules after ($1, $2), those that have ended; and the last
-- one looked at. A task without a result that is gone too was deleted.
-- $1 schedule, $2 task, $3 limit.
with seen as materialized (
    select r.schedule, r.task, r.nominal
    from schedule_run r
    where (r.schedule, r.task) > ($1, $2)
    order by r.schedule, r.task
    limit $3
)
select v.schedule, v.task, v.nominal, f.state,
       f.id is not null or not exists (select from task t where t.id = v.task) as has_ended
from seen v
left join result f on f.id = v.task
order by v.schedule, v.task
