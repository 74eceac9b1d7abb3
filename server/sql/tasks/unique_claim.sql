-- tasks/unique_claim: takes unique keys; returns those that were free.
-- One array element a key: $1 namespace, $2 key, $3 task.
insert into unique_key (namespace, key, task)
select namespace, key, task
from unnest($1::int4[], $2::text[], $3::uuid[]) as u (namespace, key, task)
order by namespace, key
on conflict (namespace, key) do nothing
returning task
