-- statistics/turn: begins a roll-up, of up to $1 transactions: locks the mark until the transaction ends; no row
-- if another replica is at it. Everything below `last` is in sight of every statement that follows.
select m.xid as first,
       least(m.xid + $1::int8, pg_snapshot_xmin(pg_current_snapshot())::text::int8) as last,
       pg_snapshot_xmin(pg_current_snapshot())::text::int8 as horizon,
       pg_snapshot_xmax(pg_current_snapshot())::text::int8 as newest,
       exists (select from fire where task is not null) as has_fires
from statistic_mark m
for update skip locked
