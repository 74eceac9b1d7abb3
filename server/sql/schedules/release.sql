-- schedules/release: submits the tasks of times that were held back. Guarded as schedules/fire is.
-- $1 now, $2 epoch, $3 holder; one array element a time: $4 schedule, $5 version, $6 nominal, $7 task,
-- $8 trace context, null for the schedule's.
with term as materialized (
    select l.epoch
    from leadership l
    where l.name = 'scheduler' and l.epoch = $2 and l.holder = $3
    for share
),
held as materialized (
    select s.id, s.namespace, s.name, s.lane, s.priority, s.payload, s.content_type,
           s.attempt_timeout_ms, s.total_timeout_ms, s.retry, s.task_labels,
           coalesce(g.traceparent, s.traceparent) as traceparent,
           s.start_within_ms, t.epoch, g.nominal, g.task,
           coalesce($1::timestamptz, clock_timestamp()) as now
    from term t
    cross join unnest($4::uuid[], $5::int8[], $6::timestamptz[], $7::uuid[], $8::text[])
        as g (schedule, version, nominal, task, traceparent)
    join schedule s on s.id = g.schedule and s.version = g.version
    for update of s skip locked
),
entry as (
    update fire f
    set outcome = 1, task = h.task, recorded_at = h.now, epoch = h.epoch
    from held h
    where f.schedule = h.id and f.nominal = h.nominal and f.outcome = 3
    returning f.schedule, f.nominal, f.task
),
made as (
    insert into task (id, namespace, lane, priority, created_at, run_at, payload, content_type,
                      expire_at, attempt_timeout_ms, total_timeout_ms, retry, labels, traceparent)
    select h.task, h.namespace, h.lane, h.priority, h.now, h.now, h.payload, h.content_type,
           h.nominal + h.start_within_ms * interval '1 ms', h.attempt_timeout_ms,
           h.total_timeout_ms, h.retry,
           h.task_labels || jsonb_build_object('bellringer.schedule', h.name, 'bellringer.fire',
               to_char(h.nominal at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')),
           h.traceparent
    from entry e
    join held h on h.task = e.task
),
queued as (
    insert into ready (lane, priority, run_at, id, namespace, attempt, tries, flags, timeout_ms,
                       expire_at, give_up_at)
    select h.lane, h.priority, h.now, h.task, h.namespace, 0, 0, 0, h.attempt_timeout_ms,
           h.nominal + h.start_within_ms * interval '1 ms',
           h.now + h.total_timeout_ms * interval '1 ms'
    from entry e
    join held h on h.task = e.task
    returning id, lane
),
running as (
    insert into schedule_run (schedule, nominal, task)
    select schedule, nominal, task from entry
),
moved as (
    update schedule s
    set last_fire_at = greatest(e.nominal, s.last_fire_at), last_task = e.task
    from (select distinct on (schedule) schedule, nominal, task from entry
          order by schedule, nominal desc) e
    where s.id = e.schedule
)
select (select count(*) from term) as led,
       (select count(*) from entry) as moved,
       (select coalesce(array_agg(q.id), '{}') from queued q) as tasks,
       (select coalesce(array_agg(q.lane), '{}') from queued q) as lanes
