-- history/sweep: deletes idempotency keys and progress of tasks that are gone, with ids from $1 on, before $2,
-- $3 at most of each; answers with how many.
with keys as (
    delete from idempotency_key
    where ctid = any (array(
        select k.ctid from idempotency_key k
        where k.task >= $1 and k.task < $2 and not exists (select from task t where t.id = k.task)
        limit $3))
    returning 1
),
reports as (
    delete from progress
    where ctid = any (array(
        select p.ctid from progress p
        where p.id >= $1 and p.id < $2 and not exists (select from task t where t.id = p.id)
        limit $3))
    returning 1
)
select (select count(*) from keys) + (select count(*) from reports) as swept
