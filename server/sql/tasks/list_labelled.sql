-- tasks/list_labelled: as tasks/list, for labels and behind the second wall, where only the function may look into
-- the index of labels. It finds the page; what is shown of it goes through the wall as everything else.
-- $1 namespace, $2 lanes (null: all), $3 whether with payload and result, $4 labels, $5 states (null: any),
-- $6 from this id on, $7 before this id (both bounds by the time in the id), $8 limit.
select id, lane, priority, created_at, run_at,
       case when $3 then payload end as payload, content_type,
       expire_at, attempt_timeout_ms, total_timeout_ms, retry, labels, unique_key, idempotency_key,
       traceparent, retry_of, state, attempt, tries, started_at, finished_at, due_at,
       is_cancelling, worker, case when $3 then result end as result, result_content_type, error,
       progress_seq, progress_current, progress_total, progress_message, progress_reported_at
from task_now
where namespace = $1
  and id = any (array(select wall_labelled($2, $4, $5, $6, $7, $8)))
order by id desc
limit $8
