-- schedules/unfinished: the unfinished tasks of a schedule, oldest first.
-- $1 schedule, $2 limit.
select r.task
from schedule_run r
where r.schedule = $1 and not exists (select from result f where f.id = r.task)
order by r.nominal, r.task
limit $2
