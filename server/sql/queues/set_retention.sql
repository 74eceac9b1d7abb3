-- queues/set_retention: sets how long finished tasks of a queue are kept, in milliseconds; null: the
-- server's setting. $1 namespace, $2 name, $3 succeeded, $4 failed, $5 cancelled, $6 expired.
insert into queue (namespace, name, keep_succeeded_ms, keep_failed_ms, keep_cancelled_ms,
                   keep_expired_ms)
values ($1, $2, $3, $4, $5, $6)
on conflict (namespace, name) do update
set keep_succeeded_ms = excluded.keep_succeeded_ms, keep_failed_ms = excluded.keep_failed_ms,
    keep_cancelled_ms = excluded.keep_cancelled_ms, keep_expired_ms = excluded.keep_expired_ms
