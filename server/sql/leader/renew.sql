-- leader/renew: whether this session still leads, and a sign of life for the lock breaker.
-- $1 pid, $2 class, $3 object, $4 epoch, $5 holder.
with seen as (
    update leadership_seen s
    set epoch = $4, tick = s.tick + 1, renewed_at = clock_timestamp()
    where s.name = 'scheduler'
)
select pg_backend_pid() = $1
       and exists (
           select from pg_locks k
           where k.locktype = 'advisory' and k.granted and k.objsubid = 2
             and k.classid = $2::int8::oid and k.objid = ($3::int8 & 4294967295)::oid
             and k.database = (select d.oid from pg_database d where d.datname = current_database())
             and k.pid = pg_backend_pid())
       and exists (
           select from leadership l where l.name = 'scheduler' and l.epoch = $4 and l.holder = $5)
       and not pg_is_in_recovery() as mine,
       clock_timestamp() as now
