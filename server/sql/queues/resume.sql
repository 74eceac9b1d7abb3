-- queues/resume: ends the pause of a queue, and returns it if it exists; its lanes follow by queues/align.
-- $1 namespace, $2 name.
update queue set paused_at = null, pause_note = ''
where namespace = $1 and name = $2
returning name
