-- upkeep/overdue_running: attempts past their deadline, or past the grace of a cancel.
-- $1 now, $2 grace_ms, $3 limit, $4 from where on, as of upkeep/look.
(
    select id, namespace, session, attempt, false as is_cancelled
    from inflight
    where deadline_at >= $4 and deadline_at <= coalesce($1::timestamptz, now())
    order by deadline_at
    limit $3
)
union all
(
    select id, namespace, session, attempt, true
    from inflight
    where cancel_requested_at >= $4 - $2::int8 * interval '1 ms'
      and cancel_requested_at <= coalesce($1::timestamptz, now()) - $2::int8 * interval '1 ms'
    order by cancel_requested_at
    limit $3
)
