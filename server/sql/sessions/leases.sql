-- sessions/leases: what a session holds. $1 id.
select id, namespace, attempt, cancel_requested_at is not null as is_cancelling
from inflight where session = $1
