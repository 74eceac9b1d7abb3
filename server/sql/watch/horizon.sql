-- watch/horizon: every transaction before this one has ended, so nothing that it wrote is still to come
-- into sight; and which history of which database the number belongs to.
select pg_snapshot_xmin(pg_current_snapshot())::text::int8 as horizon,
       pg_snapshot_xmax(pg_current_snapshot())::text::int8 as newest,
       (select id::text from cluster) || '/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)
           as incarnation
