-- tasks/claim_oldest: leases the ready tasks that have waited longest, whatever their priority. A
-- share of all claims goes this way, so that no priority starves. Fewer than there are come back if others are at the
-- oldest at the same time.
-- $1 now, $2 $3 $4 pairs of lane and priority with a lower bound for run_at, $5 limit, $6 $7 session
-- and worker name of each slot ($5 of them).
with clock as materialized (
    select coalesce($1::timestamptz, now()) as now
),
-- Which pairs they are of, and how many of each: found without locks, so that no row is locked that is then left
-- for others, whose marks would pass it.
shares as materialized (
    select o.lane, o.priority, o.mark, count(*) as most
    from (
        select w.lane, w.priority, w.mark
        from unnest($2::int4[], $3::int2[], $4::timestamptz[]) as w (lane, priority, mark)
        cross join lateral (
            select r.run_at, r.id
            from ready r
            where r.lane = w.lane and r.priority = w.priority and r.run_at >= w.mark
              and (r.expire_at is null or r.expire_at > (select now from clock))
              and (r.give_up_at is null or r.give_up_at > (select now from clock))
            order by r.run_at, r.id
            limit $5
        ) c
        where not (select l.is_paused from lane l where l.id = w.lane)
        order by c.run_at, c.id
        limit $5
    ) o
    group by o.lane, o.priority, o.mark
),
picked as materialized (
    select array(
        select c.tid
        from shares s
        cross join lateral (
            select r.ctid as tid
            from ready r
            where r.lane = s.lane and r.priority = s.priority and r.run_at >= s.mark
              and (r.expire_at is null or r.expire_at > (select now from clock))
              and (r.give_up_at is null or r.give_up_at > (select now from clock))
            order by r.run_at, r.id
            limit s.most
            for update of r skip locked
        ) c
    ) as tids
),
taken as (
    delete from ready r
    -- Each row with its slot: the arrays are walked side by side, which copies nothing. Rows are found by their
    -- places, whatever the statistics say.
    using (select unnest(tids) as tid, generate_series(1, $5) as slot, unnest($6::uuid[]) as session,
                  unnest($7::text[]) as worker
           from picked) p
    where r.ctid = any ((select tids from picked)::tid[]) and r.ctid = p.tid
    returning r.lane, r.priority, r.run_at, r.id, r.namespace, r.attempt + 1 as attempt, r.tries + 1 as tries,
              r.flags, r.timeout_ms, r.give_up_at, p.slot, p.session, p.worker,
              least((select now from clock) + r.timeout_ms * interval '1 ms', r.give_up_at) as deadline_at
),
held as (
    insert into inflight (id, namespace, lane, priority, run_at, session, worker, attempt, tries,
                          flags, started_at, timeout_ms, deadline_at, give_up_at)
    select id, namespace, lane, priority, run_at, session, worker, attempt, tries,
           flags, (select now from clock), timeout_ms, deadline_at, give_up_at
    from taken
)
select n.id, n.lane, n.slot, n.priority, n.run_at, n.attempt, n.tries,
       (select now from clock) as started_at, n.deadline_at,
       t.payload, t.content_type, t.retry, t.labels, t.traceparent, t.created_at,
       p.seq as progress_seq, p.current as progress_current, p.total as progress_total,
       p.message as progress_message, p.reported_at as progress_reported_at, p.checkpoint
from taken n
cross join lateral (
    select payload, content_type, retry, labels, traceparent, created_at
    from task where id = n.id offset 0
) t
left join lateral (
    select seq, current, total, message, reported_at, checkpoint
    from progress where id = n.id and n.attempt > 1 offset 0
) p on true
