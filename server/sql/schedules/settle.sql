-- schedules/settle: forgets tasks that have ended and keeps what it means for their schedules.
-- $1 now, $2 epoch, $3 holder; one array element a schedule: $4 id, $5 failures before, $6 failures,
-- $7 note if it is to be paused; one a task: $8 schedule, $9 task.
with term as materialized (
    select l.epoch
    from leadership l
    where l.name = 'scheduler' and l.epoch = $2 and l.holder = $3
    for share
),
judged as (
    update schedule s
    set failures = g.failures,
        version = s.version + (g.note is not null and s.state = 1)::int,
        state = case when g.note is not null and s.state = 1 then 2 else s.state end,
        due_at = case when g.note is not null and s.state = 1 then null else s.due_at end,
        paused_at = case when g.note is not null and s.state = 1
                         then coalesce($1::timestamptz, clock_timestamp()) else s.paused_at end,
        pause_note = case when g.note is not null and s.state = 1 then g.note else s.pause_note end
    from term t
    cross join unnest($4::uuid[], $5::int4[], $6::int4[], $7::text[])
        as g (id, before, failures, note)
    where s.id = g.id and s.failures = g.before and (g.failures <> g.before or g.note is not null)
),
gone as (
    delete from schedule_run r
    using term t, unnest($8::uuid[], $9::uuid[]) as g (schedule, task)
    where r.schedule = g.schedule and r.task = g.task
    returning r.task
)
select (select count(*) from term) as led, (select count(*) from gone) as moved
