-- sessions/beat: keeps sessions alive; those not returned have ended. $1 now, $2 ids, $3 lease_ms.
update worker_session
set seen_at    = coalesce($1::timestamptz, now()),
    expires_at = coalesce($1::timestamptz, now()) + $3::int8 * interval '1 ms'
where id = any ($2::uuid[])
returning id, expires_at
