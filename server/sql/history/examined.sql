-- history/examined: says that a partition was looked at, and how many tasks it keeps.
-- $1 suffix, $2 now, $3 tasks.
update history set examined_at = coalesce($2::timestamptz, now()), tasks = $3 where suffix = $1
