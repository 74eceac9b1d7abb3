-- tasks/ended: how attempts that are no longer held have ended, to recognise a repeated report.
-- One array element an attempt: $1 id, $2 namespace, $3 attempt.
select u.id, u.attempt, f.state, f.result, f.content_type, a.outcome, a.error,
       a.id is not null as has_record
from unnest($1::uuid[], $2::int4[], $3::int4[]) as u (id, namespace, attempt)
left join result f on f.id = u.id and f.namespace = u.namespace and f.attempt = u.attempt
left join attempt a on a.id = u.id and a.namespace = u.namespace and a.number = u.attempt
