-- tasks/unique_holder: the task that holds a unique key, locked against giving it back.
-- $1 namespace, $2 key.
select task from unique_key where namespace = $1 and key = $2 for update
