-- tasks/keys_read: who took these idempotency keys.
-- One array element a key: $1 namespace, $2 key.
select k.namespace, k.key, k.request_hash, k.task
from unnest($1::int4[], $2::text[]) as u (namespace, key)
cross join lateral (
    select * from idempotency_key i where i.namespace = u.namespace and i.key = u.key offset 0
) k
