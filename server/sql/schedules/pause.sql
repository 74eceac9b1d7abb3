-- schedules/pause: stops firing. Answers with the id if the schedule is now paused.
-- $1 now, $2 namespace, $3 name, $4 note, $5 until.
update schedule s
set version = s.version + 1, state = 2, due_at = $5,
    paused_at = coalesce(s.paused_at, $1::timestamptz, now()), paused_until = $5, pause_note = $4,
    updated_at = coalesce($1::timestamptz, now())
where s.namespace = $2 and s.name = $3 and s.state <> 3
returning s.id
