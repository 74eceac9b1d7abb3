-- lanes/add: makes a lane known, and its queue. $1 namespace, $2 queue, $3 kind, $4 version. Takes the row of the queue,
-- so that who pauses or resumes it meanwhile comes before or after.
with q as (
    insert into queue (namespace, name) values ($1, $2)
    on conflict (namespace, name) do update set name = excluded.name
    returning paused_at is not null as is_paused
)
insert into lane (namespace, queue, kind, version, is_paused)
select $1, $2, $3, $4, is_paused from q
on conflict on constraint lane_name do nothing
