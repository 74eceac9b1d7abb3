-- leader/try_lock: a candidate's poll. Tells who holds the lock if it does not get it.
-- $1 class, $2 object.
select pg_try_advisory_lock($1, $2) as granted, l.backend_pid, l.backend_start, s.tick, l.epoch,
       l.replica, l.holder is not null as is_held
from leadership l
join leadership_seen s on s.name = l.name
where l.name = 'scheduler'
