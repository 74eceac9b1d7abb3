-- queues/align: lets the lanes of a queue be paused as it is. In the transaction that has changed the queue and holds
-- its row: a lane that was made meanwhile is seen then, or waits and sees the queue. $1 namespace, $2 queue.
update lane l set is_paused = q.paused_at is not null
from queue q
where l.namespace = $1 and l.queue = $2 and q.namespace = l.namespace and q.name = l.queue
returning l.id
