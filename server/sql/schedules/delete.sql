-- schedules/delete: removes a schedule and its ledger. No row: there is none, or it has changed.
-- $1 namespace, $2 name, $3 version or null.
with gone as (
    delete from schedule s
    where s.namespace = $1 and s.name = $2 and ($3::int8 is null or s.version = $3)
    returning s.id
),
fires as (delete from fire f using gone g where f.schedule = g.id),
ranges as (delete from fire_range r using gone g where r.schedule = g.id),
runs as (delete from schedule_run r using gone g where r.schedule = g.id)
select id from gone
