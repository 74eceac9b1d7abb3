-- observe/depths: unfinished tasks by lane and state, of the first $2 in each table; and for how long the
-- oldest ready one could have started. $1 now.
select lane, 2::int2 as state, count(*) as tasks,
       (extract(epoch from coalesce($1::timestamptz, now()) - min(run_at)) * 1000)::int8 as oldest_ms
from (select lane, run_at from ready limit $2) r
group by lane
union all
select lane, state, count(*), null
from (select lane, state from scheduled limit $2) s
group by lane, state
union all
select lane, 3::int2, count(*), null
from (select lane from inflight limit $2) i
group by lane
