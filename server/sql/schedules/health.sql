-- schedules/health: what is needed to judge the ends of tasks of these schedules.
-- $1 ids.
select s.id, s.version, s.state, n.name as namespace, s.name, s.policies, s.on_failure, s.on_recovery,
       s.failures
from schedule s
join namespace n on n.id = s.namespace
where s.id = any ($1::uuid[])
