-- tasks/unique_point: hands a unique key to another task.
-- $1 namespace, $2 key, $3 task.
insert into unique_key (namespace, key, task) values ($1, $2, $3)
on conflict (namespace, key) do update set task = excluded.task
