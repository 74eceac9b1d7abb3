-- tasks/keys_point: lets an idempotency key stand for the task that held the unique key.
-- $1 namespace, $2 key, $3 task.
update idempotency_key set task = $3 where namespace = $1 and key = $2
