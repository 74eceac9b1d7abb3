-- history/delete_brief: deletes up to $6 tasks with ids from $2 on, before $3, that came to their end in the
-- transactions from $4 on, before $5, and were kept long enough. $1 now; retention in milliseconds by lane:
-- $7 lane, $8 succeeded, $9 failed, $10 cancelled, $11 expired; $12 idempotency_ms: a task is kept as long as
-- its idempotency key.
with clock as materialized (
    select coalesce($1::timestamptz, now()) as now
),
kept as materialized (
    select * from unnest($7::int4[], $8::int8[], $9::int8[], $10::int8[], $11::int8[])
        as u (lane, succeeded, failed, cancelled, expired)
),
old as materialized (
    select r.id
    from result r
    join kept k on k.lane = r.lane
    where r.id >= $2 and r.id < $3 and r.xid >= $4 and r.xid < $5
      and r.finished_at <= (select now from clock) - interval '1 ms' * case r.state
              when 5 then k.succeeded when 6 then k.failed
              when 7 then k.cancelled else k.expired end
      and r.xid < (select m.xid from statistic_mark m)
      and not exists (select from idempotency_key y
                      where y.task = r.id
                        and y.created_at > (select now from clock) - $12::int8 * interval '1 ms')
    limit $6
),
gone as (
    delete from result where id = any (array(select id from old)) and id >= $2 and id < $3
    returning id
),
tasks as (
    delete from task where id = any (array(select id from old)) and id >= $2 and id < $3
),
attempts as (
    delete from attempt where id = any (array(select id from old)) and id >= $2 and id < $3
),
reports as (
    delete from progress where id = any (array(select id from old))
),
keys as (
    delete from idempotency_key where task = any (array(select id from old))
)
select (select count(*) from gone) as gone
