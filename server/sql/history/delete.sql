-- history/delete: looks at up to $4 finished tasks with ids from $2 on, before $3, in their order, and deletes
-- those kept long enough. $1 now; retention in milliseconds by lane: $5 lane, $6 succeeded, $7 failed,
-- $8 cancelled, $9 expired; $10 idempotency_ms: a task is kept as long as its idempotency key.
with clock as materialized (
    select coalesce($1::timestamptz, now()) as now
),
kept as materialized (
    select * from unnest($5::int4[], $6::int8[], $7::int8[], $8::int8[], $9::int8[])
        as u (lane, succeeded, failed, cancelled, expired)
),
seen as materialized (
    select id, lane, state, finished_at, xid
    from result
    where id >= $2 and id < $3
    order by id
    limit $4
),
old as materialized (
    select r.id
    from seen r
    join kept k on k.lane = r.lane
    where r.finished_at <= (select now from clock) - interval '1 ms' * case r.state
              when 5 then k.succeeded when 6 then k.failed
              when 7 then k.cancelled else k.expired end
      and r.xid < (select m.xid from statistic_mark m)
      and not exists (select from idempotency_key y
                      where y.task = r.id
                        and y.created_at > (select now from clock) - $10::int8 * interval '1 ms')
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
select (select count(*) from gone) as gone, (select id from seen order by id desc limit 1) as last_id
