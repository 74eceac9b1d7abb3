-- tasks/keys_claim: takes idempotency keys; returns those that were free.
-- $1 now; one array element a key: $2 namespace, $3 key, $4 request_hash, $5 task.
insert into idempotency_key (namespace, key, request_hash, task, created_at)
select namespace, key, request_hash, task, coalesce($1::timestamptz, now())
from unnest($2::int4[], $3::text[], $4::bytea[], $5::uuid[])
    as u (namespace, key, request_hash, task)
order by namespace, key
on conflict (namespace, key) do nothing
returning task
