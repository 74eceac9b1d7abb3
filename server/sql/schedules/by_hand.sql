-- schedules/by_hand: writes down fires that a caller asked for and submits their tasks. A time that
-- was skipped becomes one that fired; one that fired, is held back or is excluded stays as it is.
-- $1 now, $2 schedule, $3 version, $4 cause, $5 idempotency key; one array element a fire: $6 nominal,
-- $7 due_at, $8 rule, $9 task, $10 trace context, null for the schedule's.
with chosen as materialized (
    select s.id, s.namespace, s.name, s.version, s.lane, s.priority, s.payload, s.content_type,
           s.attempt_timeout_ms, s.total_timeout_ms, s.retry, s.task_labels, s.traceparent,
           coalesce($1::timestamptz, clock_timestamp()) as now
    from schedule s
    where s.id = $2 and s.version = $3
    for update of s
),
entry as (
    insert into fire as f (schedule, nominal, due_at, outcome, reason, rule, cause, task,
                           recorded_at, epoch, version)
    select c.id, e.nominal, e.due_at, 1, null, e.rule, $4::int2, e.task, c.now, 0, c.version
    from chosen c
    cross join unnest($6::timestamptz[], $7::timestamptz[], $8::int2[], $9::uuid[])
        as e (nominal, due_at, rule, task)
    on conflict (schedule, nominal) do update
    set outcome = 1, reason = null, cause = excluded.cause, task = excluded.task,
        recorded_at = excluded.recorded_at, epoch = 0, version = excluded.version
    where f.outcome = 2 and f.reason <> 5
    returning f.nominal, f.task
),
made as (
    insert into task (id, namespace, lane, priority, created_at, run_at, payload, content_type,
                      attempt_timeout_ms, total_timeout_ms, retry, labels, traceparent,
                      idempotency_key)
    select e.task, c.namespace, c.lane, c.priority, c.now, c.now, c.payload, c.content_type,
           c.attempt_timeout_ms, c.total_timeout_ms, c.retry,
           c.task_labels || jsonb_build_object('bellringer.schedule', c.name, 'bellringer.fire',
               to_char(e.nominal at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')),
           coalesce(x.traceparent, c.traceparent), $5::text
    from entry e
    cross join chosen c
    join unnest($9::uuid[], $10::text[]) as x (task, traceparent) on x.task = e.task
),
queued as (
    insert into ready (lane, priority, run_at, id, namespace, attempt, tries, flags, timeout_ms,
                       expire_at, give_up_at)
    select c.lane, c.priority, c.now, e.task, c.namespace, 0, 0, 0, c.attempt_timeout_ms, null,
           c.now + c.total_timeout_ms * interval '1 ms'
    from entry e
    cross join chosen c
),
running as (
    insert into schedule_run (schedule, nominal, task)
    select c.id, e.nominal, e.task
    from entry e
    cross join chosen c
)
select e.nominal, e.task, c.now
from chosen c
left join entry e on true
