-- queues/pause: pauses a queue, which is made if need be; its lanes follow by queues/align. A pause that holds is
-- kept, with the new note. $1 now, $2 namespace, $3 name, $4 note.
insert into queue (namespace, name, paused_at, pause_note)
values ($2, $3, coalesce($1::timestamptz, now()), $4)
on conflict (namespace, name) do update
set paused_at = coalesce(queue.paused_at, excluded.paused_at), pause_note = excluded.pause_note
