-- sessions/open: starts a worker's session. $1 now, $2 id, $3 namespace, $4 worker, $5 queues, $6 kinds,
-- $7 versions, $8 replica, $9 lease_ms.
insert into worker_session (id, namespace, worker, queues, kinds, versions, replica, connected_at,
                            seen_at, expires_at)
select $2, $3, $4, $5, $6, $7, $8, now, now, now + $9::int8 * interval '1 ms'
from (select coalesce($1::timestamptz, now()) as now) clock
