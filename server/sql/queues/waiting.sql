-- queues/waiting: counts the waiting tasks of lanes. $1 namespace, $2 lanes.
select (select count(*) from ready where namespace = $1 and lane = any ($2::int4[]))
     + (select count(*) from scheduled where namespace = $1 and lane = any ($2::int4[])) as waiting
