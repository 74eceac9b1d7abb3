-- schedules/put: makes a schedule, or changes the one with this id if it has still this version; what
-- came of times until now is kept by the ranges. No row: somebody else was faster, or the namespace has as many
-- schedules as it may have.
-- $1 now, $2 id, $3 namespace, $4 name, $5 version before (0: new), $6 state, $7 times, $8 policies,
-- $9 on_failure, $10 on_recovery, $11 labels, $12 description, $13 start_within_ms, $14 lane,
-- $15 priority, $16 payload, $17 content_type, $18 attempt_timeout_ms, $19 total_timeout_ms, $20 retry,
-- $21 task_labels, $22 traceparent, $23 next_fire_at, $24 due_at, $25 cursor before; one array element a
-- range of times that will never fire: $26 first, $27 last, $28 count, $29 reason; $30 most schedules.
with put as (
    insert into schedule as s (
        id, namespace, name, version, state, times, policies, on_failure, on_recovery, labels,
        description, start_within_ms, lane, priority, payload, content_type, attempt_timeout_ms,
        total_timeout_ms, retry, task_labels, traceparent, created_at, updated_at, next_fire_at,
        due_at)
    select $2, $3, $4, 1, $6::int2, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
           $20, $21, $22, n.now, n.now, $23, $24
    from (select coalesce($1::timestamptz, now()) as now) n
    where $5::int8 = 0
      and (select count(*) from (select from schedule where namespace = $3 limit $30) s) < $30::int8
    on conflict do nothing
    returning id
),
changed as (
    update schedule s
    set version = s.version + 1, state = $6::int2, times = $7, policies = $8, on_failure = $9,
        on_recovery = $10, labels = $11, description = $12, start_within_ms = $13, lane = $14,
        priority = $15, payload = $16, content_type = $17, attempt_timeout_ms = $18,
        total_timeout_ms = $19, retry = $20, task_labels = $21, traceparent = $22,
        updated_at = coalesce($1::timestamptz, now()), next_fire_at = $23, due_at = $24
    where s.id = $2 and s.version = $5 and s.next_fire_at is not distinct from $25::timestamptz
    returning s.id
),
span as (
    insert into fire_range (schedule, first, last, count, reason, recorded_at, epoch)
    select c.id, r.first, r.last, r.count, r.reason, coalesce($1::timestamptz, now()), 0
    from changed c
    cross join unnest($26::timestamptz[], $27::timestamptz[], $28::int8[], $29::int2[])
        as r (first, last, count, reason)
    on conflict do nothing
)
select id from put
union all
select id from changed
