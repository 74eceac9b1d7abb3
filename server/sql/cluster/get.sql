-- cluster/get: what stands about the cluster.
-- $1 now.
select c.id, c.clock_advanced_ms, l.epoch, l.replica as leader, l.holder is not null as is_led,
       l.acquired_at, coalesce($1::timestamptz, now()) as now,
       (select count(*) from schedule s
        where s.state = 1
          and s.due_at < coalesce($1::timestamptz, now()) - interval '30 s') as overdue
from cluster c
cross join leadership l
where l.name = 'scheduler'
