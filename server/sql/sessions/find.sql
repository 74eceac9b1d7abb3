-- sessions/find: a session that has not ended. $1 id, $2 namespace.
select worker, queues, kinds, versions from worker_session where id = $1 and namespace = $2
