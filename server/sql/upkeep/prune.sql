-- upkeep/prune: looks at up to $4 finished tasks from id $2 on and deletes those kept long enough.
-- $1 now; $3 the id up to which any task can be old enough; retention in milliseconds by lane: $5 lane,
-- $6 succeeded, $7 failed, $8 cancelled, $9 expired; $10 idempotency_ms: a task is kept as long as
-- its idempotency key.
with clock as materialized (
    select coalesce($1::timestamptz, now()) as now
),
seen as materialized (
    select id, lane, state, finished_at
    from result
    where id > $2 and id <= $3
    order by id
    limit $4
),
kept as materialized (
    select * from unnest($5::int4[], $6::int8[], $7::int8[], $8::int8[], $9::int8[])
        as u (lane, succeeded, failed, cancelled, expired)
),
young as materialized (
    select task from idempotency_key
    where task = any (array(select id from seen))
      and created_at > (select now from clock) - $10::int8 * interval '1 ms'
),
old as materialized (
    select s.id
    from seen s
    join kept k on k.lane = s.lane
    where s.finished_at <= (select now from clock) - interval '1 ms' * case s.state
              when 5 then k.succeeded when 6 then k.failed
              when 7 then k.cancelled else k.expired end
      and not exists (select from young y where y.task = s.id)
),
gone as (
    delete from result where id = any (array(select id from old)) returning id
),
tasks as (
    delete from task where id = any (array(select id from old))
),
attempts as (
    delete from attempt where id = any (array(select id from old))
),
reports as (
    delete from progress where id = any (array(select id from old))
),
keys as (
    delete from idempotency_key where task = any (array(select id from old))
)
select (select count(*) from seen) as seen, (select count(*) from gone) as gone,
       (select id from seen order by id desc limit 1) as last_id
