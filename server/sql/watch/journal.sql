-- watch/journal: tasks that came to their end in transactions that had not ended at a moment, in any order, and in
-- which transaction.
-- $1 namespace (null: all), $2 lanes (null: all), $3 limit, $4 the first transaction that had not begun then, $5 those
-- that ran; for the index, $6 a transaction near the first of them, and $7 those of $5 that are before $6.
select id, lane, xid
from result
where (xid >= $6 or xid = any ($7::int8[]))
  and case when xid < $4::int8 then xid = any ($5::int8[]) else true end
  and ($1::int4 is null or namespace = $1) and ($2::int4[] is null or lane = any ($2))
limit $3
