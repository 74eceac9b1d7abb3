-- leader/unlock: gives the lock back and tells the candidates.
-- $1 class, $2 object.
select pg_advisory_unlock($1, $2), pg_notify('bellringer_leader', '')
