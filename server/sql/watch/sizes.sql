-- watch/sizes: how many bytes the contents of tasks have, which are not read for that. $1 namespace, $2 ids.
select t.id,
       coalesce(octet_length(t.payload), 0)::int8
           + coalesce((select octet_length(r.result) from result r where r.id = t.id), 0)
           + coalesce((select sum(coalesce(octet_length(a.late_result), 0) + coalesce(pg_column_size(a.error), 0)
                                  + coalesce(pg_column_size(a.late_error), 0))
                       from attempt a where a.id = t.id), 0)::int8 as bytes
from task t
where t.namespace = $1 and t.id = any ($2::uuid[])
