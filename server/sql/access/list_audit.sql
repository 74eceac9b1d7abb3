-- access/list_audit: what was done, newest first. $1 namespace; null: every one, and what is about the service,
-- $2 before this id; null: the newest, $3 principal; null: any, $4 method; null: any, $5 limit.
select id, at, principal, source, namespace, method, object, decision
from audit_event
where ($1::text is null or namespace = $1)
  and ($2::int8 is null or id < $2)
  and ($3::text is null or principal = $3)
  and ($4::text is null or method = $4)
order by id desc
limit $5::int8
