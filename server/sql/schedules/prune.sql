-- schedules/prune: deletes old entries of the ledger; held back ones stay.
-- $1 older than this, $2 limit.
with old as (
    delete from fire f
    where f.ctid = any (array(
        select o.ctid from fire o where o.recorded_at < $1 and o.outcome <> 3 limit $2))
    returning 1
),
spans as (
    delete from fire_range r where r.recorded_at < $1
    returning 1
)
select (select count(*) from old) as gone, (select count(*) from spans) as ranges
