-- watch/revisions: where tasks stand, without their contents, and in which transaction they came to their
-- end. $1 ids.
select id, namespace, lane, state, attempt, is_cancelling, coalesce(progress_seq, 0) as progress_seq,
       case when state >= 5 then (select r.xid from result r where r.id = t.id) end as ended
from task_now t
where id = any ($1::uuid[])
