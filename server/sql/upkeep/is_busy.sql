-- upkeep/is_busy: whether a worker that is connected has something to do: a task of its queues that is
-- ready, or one that runs.
select exists (select from inflight)
       or exists (select from ready r
                  join lane l on l.id = r.lane and not l.is_paused
                  join worker_session w on w.namespace = l.namespace and l.queue = any (w.queues)
                      and (w.kinds = '{}' or l.kind = any (w.kinds))) as is_busy
