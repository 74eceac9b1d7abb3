-- queues/resume: leases from a queue again; returns it if it exists. $1 namespace, $2 name.
with l as (
    update lane set is_paused = false where namespace = $1 and queue = $2
)
update queue set paused_at = null, pause_note = ''
where namespace = $1 and name = $2
returning name
