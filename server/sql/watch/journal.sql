-- watch/journal: tasks that came to their end since a horizon, in any order, and in which transaction.
-- $1 namespace (null: all), $2 horizon, $3 lanes (null: all), $4 limit.
select id, lane, xid
from result
where xid >= $2 and ($1::int4 is null or namespace = $1) and ($3::int4[] is null or lane = any ($3))
limit $4
