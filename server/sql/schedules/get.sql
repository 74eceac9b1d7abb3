-- schedules/get: one schedule by name.
-- $1 namespace, $2 name.
select s.id, s.version, s.state, n.name as namespace, s.name, s.times, s.policies, s.on_failure,
       s.on_recovery, s.labels, s.description, s.start_within_ms, l.queue, l.kind,
       l.version as handler_version, s.priority, s.payload, s.content_type, s.attempt_timeout_ms,
       s.total_timeout_ms, s.retry, s.task_labels, s.traceparent, s.created_at, s.updated_at,
       s.next_fire_at, s.last_fire_at, s.last_task, s.fires, s.failures, s.paused_at,
       s.paused_until, s.pause_note,
       (select count(*)
        from (select from schedule_run r
              where r.schedule = s.id and not exists (select from result f where f.id = r.task)
              limit 10000) u) as running,
       (select count(*) from fire h where h.schedule = s.id and h.outcome = 3) as held_back
from schedule s
join namespace n on n.id = s.namespace
join lane l on l.id = s.lane
where s.namespace = $1 and s.name = $2
