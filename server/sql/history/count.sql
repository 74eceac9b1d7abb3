-- history/count: how many tasks of a partition were kept long enough, and how many are to stay.
-- $1 suffix, $2 now; retention in milliseconds by lane: $3 lane, $4 succeeded, $5 failed, $6 cancelled,
-- $7 expired; $8 idempotency_ms.
select count(*) filter (where is_gone) as gone, count(*) filter (where not is_gone) as kept
from history_sort($1, coalesce($2::timestamptz, now()), $3::int4[], $4::int8[], $5::int8[], $6::int8[],
                  $7::int8[], $8::int8)
