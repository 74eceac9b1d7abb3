-- upkeep/promote: moves up to $2 scheduled and retrying tasks that are due to ready, oldest first.
-- $1 now, $3 from where on, as of upkeep/look.
with clock as materialized (
    select coalesce($1::timestamptz, now()) as now
),
due as (
    delete from scheduled
    where ctid = any (array(
        select ctid from scheduled
        where due_at >= $3 and due_at <= (select now from clock)
        order by due_at
        limit $2
        for update skip locked))
    returning *
),
moved as (
    insert into ready (lane, priority, run_at, id, namespace, attempt, tries, flags, timeout_ms,
                       expire_at, give_up_at)
    select lane, priority, run_at, id, namespace, attempt, tries, flags, timeout_ms,
           expire_at, give_up_at
    from due
)
select id, lane, attempt, run_at from due
