-- tasks/keys_drop: gives idempotency keys back whose tasks were not submitted after all.
-- $1 tasks.
delete from idempotency_key where task = any ($1::uuid[])
