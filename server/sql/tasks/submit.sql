-- tasks/submit: writes new tasks and puts each where it belongs: inflight, if a worker is free for it,
-- else ready, or scheduled if it starts later. Answers with those that were leased.
-- $1 now; then one array element a task, or an empty array where all are null: $2 id, $3 namespace,
-- $4 lane, $5 priority, $6 run_at (null: now), $7 delay_ms (null: none), $8 payload, $9 content_type,
-- $10 expire_at, $11 attempt_timeout_ms, $12 total_timeout_ms, $13 retry, $14 labels, $15 unique_key,
-- $16 idempotency_key, $17 traceparent, $18 retry_of, $19 flags (null: 0), $20 $21 session and worker
-- name of the free worker (null: none).
with input as materialized (
    select u.id, u.namespace, u.lane, u.priority, a.now as created_at,
           greatest(coalesce(u.run_at, a.now + u.delay_ms * interval '1 ms', a.now), a.now) as run_at,
           u.payload, u.content_type, u.expire_at, u.attempt_timeout_ms, u.total_timeout_ms,
           u.retry, u.labels, u.unique_key, u.idempotency_key, u.traceparent, u.retry_of,
           coalesce(u.flags, 0::int2) as flags, u.session, u.worker
    from (select coalesce($1::timestamptz, now()) as now) a,
         unnest($2::uuid[], $3::int4[], $4::int4[], $5::int2[], $6::timestamptz[], $7::int8[],
                $8::bytea[], $9::text[], $10::timestamptz[], $11::int8[], $12::int8[],
                $13::jsonb[], $14::jsonb[], $15::text[], $16::text[], $17::text[], $18::uuid[],
                $19::int2[], $20::uuid[], $21::text[])
             as u (id, namespace, lane, priority, run_at, delay_ms, payload, content_type,
                   expire_at, attempt_timeout_ms, total_timeout_ms, retry, labels, unique_key,
                   idempotency_key, traceparent, retry_of, flags, session, worker)
),
placed as materialized (
    select i.id, i.namespace, i.lane, i.priority, i.created_at, i.run_at, i.expire_at, i.flags,
           i.attempt_timeout_ms, i.session, i.worker,
           i.run_at + i.total_timeout_ms * interval '1 ms' as give_up_at,
           case when i.session is null or i.run_at > i.created_at or i.expire_at <= i.created_at
                then false
                else not (select l.is_paused from lane l where l.id = i.lane) end as is_leased
    from input i
),
written as (
    insert into task (id, namespace, lane, priority, created_at, run_at, payload, content_type,
                      expire_at, attempt_timeout_ms, total_timeout_ms, retry, labels, unique_key,
                      idempotency_key, traceparent, retry_of)
    select id, namespace, lane, priority, created_at, run_at, payload, content_type,
           expire_at, attempt_timeout_ms, total_timeout_ms, retry, labels, unique_key,
           idempotency_key, traceparent, retry_of
    from input
),
later as (
    insert into scheduled (id, due_at, state, lane, priority, run_at, namespace, attempt, tries,
                           flags, timeout_ms, expire_at, give_up_at)
    select id, run_at, 1, lane, priority, run_at, namespace, 0, 0,
           flags, attempt_timeout_ms, expire_at, give_up_at
    from placed
    where run_at > created_at
),
waiting as (
    insert into ready (lane, priority, run_at, id, namespace, attempt, tries,
                       flags, timeout_ms, expire_at, give_up_at)
    select lane, priority, run_at, id, namespace, 0, 0,
           flags, attempt_timeout_ms, expire_at, give_up_at
    from placed
    where run_at = created_at and not is_leased
)
insert into inflight (id, namespace, lane, priority, run_at, session, worker, attempt, tries,
                      flags, started_at, timeout_ms, deadline_at, give_up_at)
select id, namespace, lane, priority, run_at, session, worker, 1, 1, flags, created_at,
       attempt_timeout_ms,
       least(created_at + attempt_timeout_ms * interval '1 ms', give_up_at), give_up_at
from placed
where is_leased
returning id, started_at, deadline_at
