-- watch/revisions: where tasks stand, without their contents. $1 ids.
select id, namespace, lane, state, attempt, is_cancelling, coalesce(progress_seq, 0) as progress_seq
from task_now
where id = any ($1::uuid[])
