-- watch/kept: how long ended tasks of queues are kept at least, in milliseconds, a row for each queue. $1 namespace,
-- $2 queue (null: all); the server's setting for those that succeeded, failed, were cancelled, expired: $3, $4, $5, $6.
select least(coalesce(keep_succeeded_ms, $3), coalesce(keep_failed_ms, $4), coalesce(keep_cancelled_ms, $5),
             coalesce(keep_expired_ms, $6)) as kept_ms
from queue
where namespace = $1 and ($2::text is null or name = $2)
