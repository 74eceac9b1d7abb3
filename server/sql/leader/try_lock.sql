-- leader/try_lock: a candidate's poll. If the lock is somebody else's: whose, which may be a session that
-- never opened a term, and the last sign of life.
-- $1 class, $2 object.
with tried as materialized (
    select pg_try_advisory_lock($1::int4, $2::int4) as granted
)
select t.granted, h.pid, h.backend_start, s.tick
from tried t
cross join leadership_seen s
left join lateral (
    select a.pid, a.backend_start
    from pg_locks k
    join pg_stat_activity a on a.pid = k.pid
    where not t.granted
      and k.locktype = 'advisory' and k.granted and k.objsubid = 2
      and k.classid = $1::int8::oid and k.objid = ($2::int8 & 4294967295)::oid
      and k.database = (select d.oid from pg_database d where d.datname = current_database())
    limit 1
) h on true
where s.name = 'scheduler'
