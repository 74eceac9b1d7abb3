-- sessions/close: ends a session. $1 id, $2 namespace.
delete from worker_session where id = $1 and namespace = $2
