-- queues/pause: stops leasing from a queue, which is made if need be. A pause that holds is kept, with
-- the new note. $1 now, $2 namespace, $3 name, $4 note.
with q as (
    insert into queue (namespace, name, paused_at, pause_note)
    values ($2, $3, coalesce($1::timestamptz, now()), $4)
    on conflict (namespace, name) do update
    set paused_at = coalesce(queue.paused_at, excluded.paused_at), pause_note = excluded.pause_note
)
update lane set is_paused = true where namespace = $2 and queue = $3
