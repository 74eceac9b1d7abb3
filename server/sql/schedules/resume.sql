-- schedules/resume: ends a pause; times that came meanwhile are a range. No row: it has changed.
-- $1 now, $2 id, $3 version, $4 state, $5 next_fire_at, $6 due_at; one array element a range: $7 first,
-- $8 last, $9 count, $10 reason.
with changed as (
    update schedule s
    set version = s.version + 1, state = $4::int2, next_fire_at = $5, due_at = $6,
        paused_at = null, paused_until = null, pause_note = '', failures = 0,
        updated_at = coalesce($1::timestamptz, now())
    where s.id = $2 and s.version = $3 and s.state = 2
    returning s.id
),
span as (
    insert into fire_range (schedule, first, last, count, reason, recorded_at, epoch)
    select c.id, r.first, r.last, r.count, r.reason, coalesce($1::timestamptz, now()), 0
    from changed c
    cross join unnest($7::timestamptz[], $8::timestamptz[], $9::int8[], $10::int2[])
        as r (first, last, count, reason)
    on conflict do nothing
)
select id from changed
