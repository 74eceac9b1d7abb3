-- tasks/complete_and_claim: ends attempts that succeeded, and leases ready tasks to whoever has room, in one
-- statement and commit. What ended and is not returned was not held any more.
-- $1 now; one array element an attempt that ended, or an empty array where all are null: $2 id, $3 namespace,
-- $4 session, $5 attempt, $6 result, $7 content_type; then as tasks/claim: $8 $9 $10 pairs of lane and
-- priority with a lower bound for run_at, $11 limit, $12 $13 session and worker name of each slot ($11 of them).
with clock as materialized (
    select coalesce($1::timestamptz, now()) as now
),
gone as (
    delete from inflight i
    using (select unnest($2::uuid[]) as id, unnest($3::int4[]) as namespace, unnest($4::uuid[]) as session,
                  unnest($5::int4[]) as attempt, unnest($6::bytea[]) as result,
                  unnest($7::text[]) as content_type) u
    where i.id = any ($2::uuid[]) and i.id = u.id and i.namespace = u.namespace
      and i.session = u.session and i.attempt = u.attempt
    returning i.id, i.namespace, i.lane, i.attempt, i.tries, i.run_at, i.started_at, i.worker, i.flags,
              u.result, u.content_type
),
keys as (
    delete from unique_key
    where task = any (array(select id from gone where flags & 1 = 1))
),
done as (
    insert into result (id, namespace, lane, state, attempt, tries, run_at, started_at, finished_at, worker,
                        result, content_type)
    select id, namespace, lane, 5, attempt, tries, run_at, started_at, (select now from clock), worker,
           result, content_type
    from gone
    returning id, lane, attempt, state, finished_at - started_at as ran
),
picked as materialized (
    select array(
        select c.tid
        from unnest($8::int4[], $9::int2[], $10::timestamptz[]) as w (lane, priority, mark)
        cross join lateral (
            select r.ctid as tid, r.run_at, r.id
            from ready r
            where r.lane = w.lane and r.priority = w.priority and r.run_at >= w.mark
              and (r.expire_at is null or r.expire_at > (select now from clock))
              and (r.give_up_at is null or r.give_up_at > (select now from clock))
            order by r.run_at, r.id
            limit $11
            for update of r skip locked
        ) c
        where not (select l.is_paused from lane l where l.id = w.lane)
        -- Nothing sorts here on purpose: the pairs come in the order of the arrays, the first ones fill
        -- the limit, and rows of later pairs are then never locked.
        limit $11
    ) as tids
),
taken as (
    delete from ready r
    -- Each row with its slot: the arrays are walked side by side, which copies nothing. Rows are found by their
    -- places, whatever the statistics say.
    using (select unnest(tids) as tid, generate_series(1, $11) as slot, unnest($12::uuid[]) as session,
                  unnest($13::text[]) as worker
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
select 3::int2 as state, null::interval as ran, n.id, n.lane, n.slot, n.priority, n.run_at, n.attempt, n.tries,
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
union all
select state, ran, id, lane, null::int4, null::int2, null::timestamptz, attempt, null::int4,
       null::timestamptz, null::timestamptz, null::bytea, null::text, null::jsonb, null::jsonb, null::text,
       null::timestamptz, null::int4, null::float8, null::float8, null::text, null::timestamptz, null::bytea
from done
