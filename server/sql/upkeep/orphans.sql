-- upkeep/orphans: attempts whose session has ended. $1 limit.
select i.id, i.namespace, i.session, i.attempt
from inflight i
where not exists (select from worker_session s where s.id = i.session)
limit $1
