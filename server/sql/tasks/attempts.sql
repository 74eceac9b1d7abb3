-- tasks/attempts: the last $3 recorded attempts of each task, newest first.
-- $1 namespace, $2 ids.
select a.id, a.number, a.outcome, a.worker, a.started_at, a.finished_at, a.error,
       a.late_outcome, a.late_at, a.late_result, a.late_content_type, a.late_error
from unnest($2::uuid[]) as u (id)
cross join lateral (
    select * from attempt
    where attempt.id = u.id and attempt.namespace = $1
    order by number desc
    limit $3
) a
