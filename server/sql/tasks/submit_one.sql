-- tasks/submit_one: as tasks/submit, for a task that comes alone and starts as soon as it can. It takes values
-- instead of arrays, because walking twenty arrays costs more than the task itself.
-- $1 now (null: when the statement began); $2 id, $3 namespace, $4 lane, $5 priority, $6 payload, $7 content_type,
-- $8 expire_at, $9 attempt_timeout_ms, $10 total_timeout_ms, $11 retry, $12 labels, $13 unique_key, $14
-- idempotency_key, $15 traceparent, $16 retry_of, $17 flags (null: 0), $18 $19 session and worker name of the free
-- worker (null: none).
with placed as materialized (
    select a.now, a.now + $10::int8 * interval '1 ms' as give_up_at, coalesce($17::int2, 0::int2) as flags,
           case when $18::uuid is null or $8::timestamptz <= a.now
                then false
                else not (select l.is_paused from lane l where l.id = $4::int4) end as is_leased
    from (select coalesce($1::timestamptz, statement_timestamp()) as now) a
),
written as (
    insert into task (id, namespace, lane, priority, created_at, run_at, payload, content_type,
                      expire_at, attempt_timeout_ms, total_timeout_ms, retry, labels, unique_key,
                      idempotency_key, traceparent, retry_of)
    select $2::uuid, $3::int4, $4::int4, $5::int2, now, now, $6::bytea, $7::text,
           $8::timestamptz, $9::int8, $10::int8, $11::jsonb, $12::jsonb, $13::text,
           $14::text, $15::text, $16::uuid
    from placed
),
waiting as (
    insert into ready (lane, priority, run_at, id, namespace, attempt, tries,
                       flags, timeout_ms, expire_at, give_up_at)
    select $4::int4, $5::int2, now, $2::uuid, $3::int4, 0, 0,
           flags, $9::int8, $8::timestamptz, give_up_at
    from placed
    where not is_leased
)
insert into inflight (id, namespace, lane, priority, run_at, session, worker, attempt, tries,
                      flags, started_at, timeout_ms, deadline_at, give_up_at)
select $2::uuid, $3::int4, $4::int4, $5::int2, now, $18::uuid, $19::text, 1, 1, flags, now,
       $9::int8, least(now + $9::int8 * interval '1 ms', give_up_at), give_up_at
from placed
where is_leased
returning id, started_at, deadline_at
