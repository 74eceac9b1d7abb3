-- access/keys: API keys by id, also those that have ended. $1 ids.
select id, namespace, name, roles, queues, hash, created_by, created_at, expires_at, last_used_at,
       revoked_at
from api_key
where id = any ($1::text[])
