-- queues/list: queues by name, with what stands in each, counted up to $4.
-- $1 namespace, $2 after this name, $3 limit, $4 largest count, $5 now, $6 only this name (null: all).
select q.name, q.paused_at, q.pause_note, q.keep_succeeded_ms, q.keep_failed_ms,
       q.keep_cancelled_ms, q.keep_expired_ms, q.created_at, coalesce(l.kinds, '{}') as kinds,
       (select count(*) from (select from ready r where r.lane = any (l.ids) limit $4) n) as ready,
       (select count(*) from (select from scheduled s where s.lane = any (l.ids) limit $4) n)
           as scheduled,
       (select count(*) from (select from inflight i where i.lane = any (l.ids) limit $4) n)
           as running,
       (select (extract(epoch from coalesce($5::timestamptz, now()) - min(o.run_at)) * 1000)::int8
        from unnest(l.ids) as u (lane)
        cross join generate_series(0, 9) as p (priority)
        cross join lateral (
            select r.run_at from ready r
            where r.lane = u.lane and r.priority = p.priority
            order by r.run_at limit 1
        ) o) as oldest_ready_ms
from queue q
left join lateral (
    select array_agg(id) as ids, (array_agg(distinct kind order by kind))[1:100] as kinds
    from lane where lane.namespace = q.namespace and lane.queue = q.name
) l on true
where q.namespace = $1 and q.name > $2 and ($6::text is null or q.name = $6)
order by q.name
limit $3
