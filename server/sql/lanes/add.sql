-- lanes/add: makes a lane known, and its queue. $1 namespace, $2 queue, $3 kind, $4 version.
with q as (
    insert into queue (namespace, name) values ($1, $2)
    on conflict (namespace, name) do nothing
)
insert into lane (namespace, queue, kind, version, is_paused)
values ($1, $2, $3, $4,
        coalesce((select paused_at is not null from queue where namespace = $1 and name = $2), false))
on conflict on constraint lane_name do nothing
