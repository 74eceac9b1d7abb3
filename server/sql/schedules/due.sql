-- schedules/due: schedules that the leader has to look at, longest overdue first.
-- $1 now, $2 limit.
select s.id, s.version, s.state, s.times, s.policies, s.next_fire_at, s.paused_until, s.fires,
       coalesce($1::timestamptz, clock_timestamp()) as now,
       -- Counted only where the overlap policy asks, and not beyond its largest limit.
       case when s.policies ->> 'overlap' in ('allow', 'cancel_running') then 0
            else (select count(*)
                  from (select from schedule_run r
                        where r.schedule = s.id
                          and not exists (select from result f where f.id = r.task)
                        limit 1000) u)
       end as running,
       (select count(*) from fire h where h.schedule = s.id and h.outcome = 3) as held_back
from schedule s
where s.due_at <= coalesce($1::timestamptz, clock_timestamp())
order by s.due_at
limit $2
