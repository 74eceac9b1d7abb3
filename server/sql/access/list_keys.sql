-- access/list_keys: API keys of a namespace, newest first.
-- $1 namespace, $2 $3 made before this time and id; null: the newest, $4 with those that have ended, $5 limit.
select id, namespace, name, roles, queues, hash, created_by, created_at, expires_at, last_used_at,
       revoked_at
from api_key
where namespace = $1
  and ($2::timestamptz is null or (created_at, id) < ($2, $3::text))
  and ($4 or revoked_at is null and (expires_at is null or expires_at > now()))
order by created_at desc, id desc
limit $5::int8
