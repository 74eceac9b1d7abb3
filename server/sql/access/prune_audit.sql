-- access/prune_audit: deletes some of what was written down long ago. $1 kept_ms, $2 limit.
delete from audit_event
where id = any (array(select id from audit_event where at < now() - $1::int8 * interval '1 ms' limit $2::int8))
returning id
