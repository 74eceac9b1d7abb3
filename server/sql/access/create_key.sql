-- access/create_key: makes an API key, unless its namespace has as many as it may have.
-- $1 id, $2 namespace, $3 name, $4 roles, $5 queues, $6 hash, $7 created_by, $8 expires_after_ms, $9 most.
insert into api_key (id, namespace, name, roles, queues, hash, created_by, expires_at)
select $1, $2, $3, $4::text[], $5::text[], $6, $7, now() + $8::int8 * interval '1 ms'
where (select count(*) from api_key
       where namespace = $2 and revoked_at is null and (expires_at is null or expires_at > now())) < $9::int8
returning id, namespace, name, roles, queues, hash, created_by, created_at, expires_at, last_used_at,
          revoked_at
