-- schedules/recorded: what the ledger says of times by themselves.
-- $1 schedule, $2 from, $3 to.
select f.nominal, f.outcome, f.reason
from fire f
where f.schedule = $1 and f.nominal >= $2 and f.nominal < $3
order by f.nominal
