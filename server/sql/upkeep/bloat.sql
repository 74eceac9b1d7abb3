-- upkeep/bloat: what of the hot tables is dead and still there, and what keeps it: the oldest snapshot
-- that anybody holds in this database, as far as this role may see. Times in seconds. Who may vacuum: its
-- documentation, and from version 17 on who has MAINTAIN instead of the owner alone.
with hot as (
    select s.relname::text as name, s.n_dead_tup as dead, s.n_live_tup as live,
           extract(epoch from clock_timestamp() - greatest(s.last_vacuum, s.last_autovacuum))::float8
               as vacuumed,
           case when pg_has_role(d.datdba, 'usage') then true
                when current_setting('server_version_num')::int4 >= 170000
                    then has_table_privilege(s.relid, 'maintain')
                else pg_has_role(c.relowner, 'usage') end as may_vacuum
    from pg_stat_user_tables s
    join pg_class c on c.oid = s.relid
    cross join (select datdba from pg_database where datname = current_database()) d
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
select h.name, h.dead, h.live, h.vacuumed, h.may_vacuum, s.seconds as snapshot_age, k.transactions as xmin_age
from hot h cross join held s cross join kept k
order by h.name
