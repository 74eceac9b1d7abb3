-- tasks/complete: ends attempts that succeeded. What is not returned was not held any more.
-- $1 now; one array element an attempt, or an empty array where all are null: $2 id, $3 namespace,
-- $4 session, $5 attempt, $6 result, $7 content_type. The delete is the fence; ids are found through the primary
-- key whatever the statistics say.
with gone as (
    delete from inflight i
    using (select unnest($2::uuid[]) as id, unnest($3::int4[]) as namespace, unnest($4::uuid[]) as session,
                  unnest($5::int4[]) as attempt, unnest($6::bytea[]) as result,
                  unnest($7::text[]) as content_type) u
    where i.id = any ($2::uuid[]) and i.id = u.id and i.namespace = u.namespace
      and i.session = u.session and i.attempt = u.attempt
    returning i.id, i.namespace, i.lane, i.attempt, i.tries, i.run_at, i.started_at, i.worker, i.flags,
              u.result, u.content_type
),
keys as (
    delete from unique_key
    where task = any (array(select id from gone where flags & 1 = 1))
)
insert into result (id, namespace, lane, state, attempt, tries, run_at, started_at, finished_at, worker,
                    result, content_type)
select id, namespace, lane, 5, attempt, tries, run_at, started_at, coalesce($1::timestamptz, now()), worker,
       result, content_type
from gone
returning id, lane, attempt, state, finished_at - started_at as ran
