-- watch/horizon: which transactions have ended, so that nothing that they wrote is still to come into sight: those
-- before `newest` that are not `running`; and which history of which database the numbers belong to.
select pg_snapshot_xmax(pg_current_snapshot())::text::int8 as newest,
       array(select x.xid::text::int8 from pg_snapshot_xip(pg_current_snapshot()) as x (xid) order by 1) as running,
       (select id::text from cluster) || '/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)
           as incarnation
