-- tasks/get: tasks by id, in any order; ids of other namespaces are not found.
-- $1 namespace, $2 ids, $3 whether with payload and result.
select id, lane, priority, created_at, run_at,
       case when $3 then payload end as payload, content_type,
       expire_at, attempt_timeout_ms, total_timeout_ms, retry, labels, unique_key, idempotency_key,
       traceparent, retry_of, state, attempt, tries, started_at, finished_at, due_at,
       is_cancelling, worker, case when $3 then result end as result, result_content_type, error,
       progress_seq, progress_current, progress_total, progress_message, progress_reported_at
from task_now
where namespace = $1 and id = any ($2::uuid[])
