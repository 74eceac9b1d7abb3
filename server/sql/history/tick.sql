-- history/tick: notes the time, $1, with the transaction before which all others have ended by now, and forgets
-- what was noted more than three days ago; answers with the transaction that was noted last before each of
-- the times $2 (0: none). So that what came to its end before a time is found without an index on times.
with noted as (
    insert into history_tick (at, xid)
    values (coalesce($1::timestamptz, now()), pg_snapshot_xmin(pg_current_snapshot())::text::int8)
    on conflict (at) do nothing
),
old as (
    delete from history_tick where at < coalesce($1::timestamptz, now()) - interval '3 days'
)
select coalesce((select x.xid from history_tick x where x.at <= u.at order by x.at desc limit 1), 0) as xid
from unnest($2::timestamptz[]) with ordinality as u (at, n)
order by u.n
