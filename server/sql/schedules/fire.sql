-- schedules/fire: writes down what became of times and submits the tasks of those that fired, as one
-- statement of the leader. Guards: the term (epoch and holder, locked against the next term), the
-- schedule's version, state and cursor, the ledger's primary key, and the time itself.
-- $1 now, $2 epoch, $3 holder; one array element a schedule: $4 id, $5 version, $6 state, $7 cursor,
-- $8 latest due time, $9 next time, $10 when to look again, $11 next state; one an entry: $12 schedule,
-- $13 nominal, $14 due_at, $15 outcome, $16 reason, $17 rule, $18 task; one a range: $19 schedule,
-- $20 first, $21 last, $22 count, $23 reason; one an entry again: $24 trace context, null for the
-- schedule's.
with term as materialized (
    select l.epoch
    from leadership l
    where l.name = 'scheduler' and l.epoch = $2 and l.holder = $3
    for share
),
due as materialized (
    select s.id, s.namespace, s.name, s.version, s.lane, s.priority, s.payload, s.content_type,
           s.attempt_timeout_ms, s.total_timeout_ms, s.retry, s.task_labels, s.traceparent,
           s.start_within_ms, s.state as was, g.next_fire_at, g.due_at, g.state, t.epoch,
           coalesce($1::timestamptz, clock_timestamp()) as now
    from term t
    cross join unnest($4::uuid[], $5::int8[], $6::int2[], $7::timestamptz[], $8::timestamptz[],
                      $9::timestamptz[], $10::timestamptz[], $11::int2[])
        as g (id, version, was, cursor, latest, next_fire_at, due_at, state)
    join schedule s on s.id = g.id
    where s.version = g.version and s.state = g.was
      and s.next_fire_at is not distinct from g.cursor
      and (g.latest is null or g.latest <= coalesce($1::timestamptz, clock_timestamp()))
    for update of s skip locked
),
entry as (
    insert into fire (schedule, nominal, due_at, outcome, reason, rule, cause, task, recorded_at,
                      epoch, version)
    select d.id, e.nominal, e.due_at, e.outcome, e.reason, e.rule, 0, e.task, d.now,
           d.epoch, d.version
    from unnest($12::uuid[], $13::timestamptz[], $14::timestamptz[], $15::int2[], $16::int2[],
                $17::int2[], $18::uuid[])
        as e (schedule, nominal, due_at, outcome, reason, rule, task)
    join due d on d.id = e.schedule
    on conflict do nothing
    returning schedule, nominal, outcome, task
),
span as (
    insert into fire_range (schedule, first, last, count, reason, recorded_at, epoch)
    select d.id, r.first, r.last, r.count, r.reason, d.now, d.epoch
    from unnest($19::uuid[], $20::timestamptz[], $21::timestamptz[], $22::int8[], $23::int2[])
        as r (schedule, first, last, count, reason)
    join due d on d.id = r.schedule
    on conflict do nothing
),
made as (
    insert into task (id, namespace, lane, priority, created_at, run_at, payload, content_type,
                      expire_at, attempt_timeout_ms, total_timeout_ms, retry, labels, traceparent)
    select e.task, d.namespace, d.lane, d.priority, d.now, d.now, d.payload, d.content_type,
           e.nominal + d.start_within_ms * interval '1 ms', d.attempt_timeout_ms,
           d.total_timeout_ms, d.retry,
           d.task_labels || jsonb_build_object('bellringer.schedule', d.name, 'bellringer.fire',
               to_char(e.nominal at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')),
           coalesce(c.traceparent, d.traceparent)
    from entry e
    join due d on d.id = e.schedule
    join unnest($18::uuid[], $24::text[]) as c (task, traceparent) on c.task = e.task
    where e.outcome = 1
),
queued as (
    insert into ready (lane, priority, run_at, id, namespace, attempt, tries, flags, timeout_ms,
                       expire_at, give_up_at)
    select d.lane, d.priority, d.now, e.task, d.namespace, 0, 0, 0, d.attempt_timeout_ms,
           e.nominal + d.start_within_ms * interval '1 ms',
           d.now + d.total_timeout_ms * interval '1 ms'
    from entry e
    join due d on d.id = e.schedule
    where e.outcome = 1
    returning id, lane
),
running as (
    insert into schedule_run (schedule, nominal, task)
    select schedule, nominal, task from entry where outcome = 1
),
moved as (
    update schedule s
    set next_fire_at = d.next_fire_at, due_at = d.due_at, state = d.state,
        fires = s.fires
            + (select count(*) from entry e where e.schedule = s.id and e.outcome in (1, 3)),
        last_fire_at = coalesce(l.nominal, s.last_fire_at),
        last_task = coalesce(l.task, s.last_task),
        paused_at = case when d.state = 2 then s.paused_at end,
        paused_until = case when d.state = 2 then s.paused_until end,
        pause_note = case when d.state = 2 then s.pause_note else '' end
    from due d
    left join lateral (
        select e.nominal, e.task from entry e
        where e.schedule = d.id and e.outcome = 1
        order by e.nominal desc limit 1
    ) l on true
    where s.id = d.id
    returning s.id
)
select (select count(*) from term) as led,
       (select count(*) from moved) as moved,
       (select coalesce(array_agg(q.id), '{}') from queued q) as tasks,
       (select coalesce(array_agg(q.lane), '{}') from queued q) as lanes,
       (select coalesce(array_agg(m.id), '{}') from moved m) as schedules
