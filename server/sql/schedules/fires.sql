-- schedules/fires: the ledger of a schedule, newest first.
-- $1 schedule, $2 from or null, $3 to or null, $4 outcomes or null, $5 before this time or null, $6 and,
-- at that very time, whether the range was told already, $7 limit.
select l.*
from (
    (select f.nominal, null::timestamptz as last, 1::int8 as count, f.due_at, f.outcome, f.reason,
            f.rule, f.cause, f.task, f.recorded_at, f.epoch
     from fire f
     where f.schedule = $1 and ($2::timestamptz is null or f.nominal >= $2)
       and ($3::timestamptz is null or f.nominal < $3)
       and ($4::int2[] is null or f.outcome = any ($4))
       and ($5::timestamptz is null or f.nominal < $5 or f.nominal = $5 and $6)
     order by f.nominal desc
     limit $7)
    union all
    (select r.first, r.last, r.count, r.first, 2::int2, r.reason, 1::int2, 0::int2, null,
            r.recorded_at, r.epoch
     from fire_range r
     where r.schedule = $1 and ($2::timestamptz is null or r.last >= $2)
       and ($3::timestamptz is null or r.first < $3)
       and ($4::int2[] is null or 2 = any ($4))
       and ($5::timestamptz is null or r.first < $5)
     order by r.first desc
     limit $7)
) l
order by l.nominal desc, l.last desc nulls last
limit $7
