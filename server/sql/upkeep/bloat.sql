-- upkeep/bloat: what of the hot tables is dead and still there, and what keeps it: the oldest snapshot
-- that anybody holds in this database, as far as this role may see. Times in seconds.
with hot as (
    select s.relname::text as name, s.n_dead_tup as dead, s.n_live_tup as live,
           extract(epoch from clock_timestamp() - greatest(s.last_vacuum, s.last_autovacuum))::float8
               as vacuumed
    from pg_stat_user_tables s
    where s.relid = any (array['ready', 'scheduled', 'inflight', 'worker_session']::regclass[])
),
held as (
    select coalesce(max(extract(epoch from clock_timestamp() - a.xact_start)), 0)::float8 as seconds
    from pg_stat_activity a
    where a.backend_xmin is not null and a.pid <> pg_backend_pid() and a.backend_type = 'client backend'
      and a.datname = current_database()
),
kept as (
    select coalesce(max(age(x.xmin)), 0)::int8 as transactions
    from (select backend_xmin as xmin from pg_stat_activity where pid <> pg_backend_pid()
          union all select xmin from pg_replication_slots
          union all select catalog_xmin from pg_replication_slots
          union all select transaction from pg_prepared_xacts) x
)
select h.name, h.dead, h.live, h.vacuumed, s.seconds as snapshot_age, k.transactions as xmin_age
from hot h cross join held s cross join kept k
order by h.name
