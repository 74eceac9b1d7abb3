-- observe/audit: what must never be, and is; each counted up to 1,000. $1 now.
with clock as materialized (
    select coalesce($1::timestamptz, now()) as now
),
orphan as materialized (
    select i.id, i.attempt
    from inflight i
    where i.started_at < (select now from clock) - interval '60 s'
      and not exists (select from worker_session w where w.id = i.session)
    limit 1000
)
select (select count(*) from (
            select from schedule s
            where s.state = 1 and s.due_at < (select now from clock) - interval '30 s'
            limit 1000) o) as overdue_schedules,
       (select count(*) from (
            select from worker_session w
            join inflight i on i.session = w.id
            where w.expires_at < (select now from clock) - interval '60 s'
            limit 1000) e) as expired_leases,
       (select coalesce(array_agg(id), '{}') from orphan) as orphans,
       (select coalesce(array_agg(attempt), '{}') from orphan) as orphan_attempts,
       (select count(*) from (
            select from inflight i where exists (select from result r where r.id = i.id)
            limit 1000) f) as finished_but_leased,
       (select count(*) from (
            select from (select epoch, replica from leadership_log
                         where event = 'opened' order by id desc limit 100) g
            group by epoch having count(*) > 1) t) as terms_of_two
