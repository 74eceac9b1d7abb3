-- tasks/ended: how attempts that are no longer held have ended, to recognise a repeated report.
-- One array element an attempt: $1 id, $2 namespace, $3 attempt. Each is looked up by itself: a join could read
-- all that was ever kept.
select u.id, u.attempt, f.state, f.result, f.content_type, a.outcome, a.error,
       a.id is not null as has_record
from unnest($1::uuid[], $2::int4[], $3::int4[]) as u (id, namespace, attempt)
left join lateral (
    select r.state, r.result, r.content_type
    from result r
    where r.id = u.id and r.namespace = u.namespace and r.attempt = u.attempt
    offset 0
) f on true
left join lateral (
    select t.id, t.outcome, t.error
    from attempt t
    where t.id = u.id and t.namespace = u.namespace and t.number = u.attempt
    offset 0
) a on true
