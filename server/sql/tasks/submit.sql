-- tasks/submit: writes new tasks and puts each where it belongs: inflight, if a worker is free for it,
-- else ready, or scheduled if it starts later. Answers with those that were leased.
-- $1 now (null: when the statement began, which in a transaction with keys may have waited for others); then
-- one array element a task, or an empty array where all are null: $2 id, $3 namespace, $4 lane, $5 priority,
-- $6 run_at (null: now), $7 delay_ms (null: none), $8 payload, $9 content_type, $10 expire_at, $11
-- attempt_timeout_ms, $12 total_timeout_ms, $13 retry, $14 labels, $15 unique_key, $16 idempotency_key, $17
-- traceparent, $18 retry_of, $19 flags (null: 0), $20 $21 session and worker name of the free worker (null:
-- none).
with input as materialized (
    select u.id, u.namespace, u.lane, u.priority, a.now as created_at, x.run_at,
           u.payload, u.content_type, u.expire_at, u.attempt_timeout_ms, u.total_timeout_ms,
           u.retry, u.labels, u.unique_key, u.idempotency_key, u.traceparent, u.retry_of,
           coalesce(u.flags, 0::int2) as flags, u.session, u.worker,
           x.run_at + u.total_timeout_ms * interval '1 ms' as give_up_at,
           case when u.session is null or x.run_at > a.now or u.expire_at <= a.now
                then false
                else not (select l.is_paused from lane l where l.id = u.lane) end as is_leased
    from (select coalesce($1::timestamptz, statement_timestamp()) as now) a,
         -- The arrays are walked side by side, which copies nothing.
         (select unnest($2::uuid[]) as id, unnest($3::int4[]) as namespace, unnest($4::int4[]) as lane,
                 unnest($5::int2[]) as priority, unnest($6::timestamptz[]) as run_at,
                 unnest($7::int8[]) as delay_ms, unnest($8::bytea[]) as payload,
                 unnest($9::text[]) as content_type, unnest($10::timestamptz[]) as expire_at,
                 unnest($11::int8[]) as attempt_timeout_ms, unnest($12::int8[]) as total_timeout_ms,
                 unnest($13::jsonb[]) as retry, unnest($14::jsonb[]) as labels,
                 unnest($15::text[]) as unique_key, unnest($16::text[]) as idempotency_key,
                 unnest($17::text[]) as traceparent, unnest($18::uuid[]) as retry_of,
                 unnest($19::int2[]) as flags, unnest($20::uuid[]) as session,
                 unnest($21::text[]) as worker) u
         cross join lateral (
             select greatest(coalesce(u.run_at, a.now + u.delay_ms * interval '1 ms', a.now), a.now) as run_at
         ) x
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
    from input
    where run_at > created_at
),
waiting as (
    insert into ready (lane, priority, run_at, id, namespace, attempt, tries,
                       flags, timeout_ms, expire_at, give_up_at)
    select lane, priority, run_at, id, namespace, 0, 0,
           flags, attempt_timeout_ms, expire_at, give_up_at
    from input
    where run_at = created_at and not is_leased
)
insert into inflight (id, namespace, lane, priority, run_at, session, worker, attempt, tries,
                      flags, started_at, timeout_ms, deadline_at, give_up_at)
select id, namespace, lane, priority, run_at, session, worker, 1, 1, flags, created_at,
       attempt_timeout_ms,
       least(created_at + attempt_timeout_ms * interval '1 ms', give_up_at), give_up_at
from input
where is_leased
returning id, started_at, deadline_at
