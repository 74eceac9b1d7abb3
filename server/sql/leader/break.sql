-- leader/break: ends a session that holds the lock and gives no sign of life. Only the very session that
-- was seen, and only if it is one of ours.
-- $1 pid, $2 backend_start.
select pg_terminate_backend(a.pid) as ended
from pg_stat_activity a
where a.pid = $1 and a.backend_start = $2 and a.application_name like 'bellringer-leader/%'
