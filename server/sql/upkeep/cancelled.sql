-- upkeep/cancelled: attempts of these sessions for which a cancel was asked. $1 sessions.
select id, namespace, session, attempt
from inflight
where cancel_requested_at is not null and session = any ($1::uuid[])
