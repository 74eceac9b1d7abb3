-- tasks/list_unfinished: unfinished tasks that match, newest first. Starts from the small tables that
-- hold unfinished tasks, so that it never walks the finished ones.
-- $1 namespace, $2 lanes (null: all), $3 whether with payload and result, $4 labels (null: any),
-- $5 states (only unfinished ones), $6 from this id on, $7 before this id (both bounds by the time in the id),
-- $8 limit.
with live as materialized (
    select id from ready
    where namespace = $1 and ($2::int4[] is null or lane = any ($2)) and id >= $6 and id < $7 and (2 = any ($5))
    union all
    select id from scheduled
    where namespace = $1 and ($2::int4[] is null or lane = any ($2)) and id >= $6 and id < $7 and (state = any ($5))
    union all
    select id from inflight
    where namespace = $1 and ($2::int4[] is null or lane = any ($2)) and id >= $6 and id < $7 and (3 = any ($5))
)
select id, lane, priority, created_at, run_at,
       case when $3 then payload end as payload, content_type,
       expire_at, attempt_timeout_ms, total_timeout_ms, retry, labels, unique_key, idempotency_key,
       traceparent, retry_of, state, attempt, tries, started_at, finished_at, due_at,
       is_cancelling, worker, case when $3 then result end as result, result_content_type, error,
       progress_seq, progress_current, progress_total, progress_message, progress_reported_at
from task_now
where namespace = $1
  and id = any (array(select id from live order by id desc limit case when $4::jsonb is null then $8::int8 end))
  and ($4::jsonb is null or labels @> $4)
  and ($5::int2[] is null or state = any ($5))
order by id desc
limit $8
