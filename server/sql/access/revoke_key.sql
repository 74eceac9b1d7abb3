-- access/revoke_key: ends an API key; one that has ended stays as it is. $1 namespace, $2 id.
update api_key
set revoked_at = coalesce(revoked_at, now())
where namespace = $1 and id = $2
returning id, namespace, name, roles, queues, hash, created_by, created_at, expires_at, last_used_at,
          revoked_at
