-- traces/ended: what the spans of attempts that have ended are made of, of tasks with a trace context.
-- One array element an attempt: $1 id, $2 number of the attempt; 0: the task ended while it waited. Each is
-- looked up by itself: a join could read all that was ever kept.
select u.id, u.number, t.traceparent, t.created_at, t.run_at, t.lane,
       coalesce(a.outcome, case when r.attempt = u.number and r.state = 5 then 1::int2 end)
           as outcome,
       coalesce(a.started_at, case when r.attempt = u.number then r.started_at end) as started_at,
       coalesce(a.finished_at, case when r.attempt = u.number then r.finished_at end)
           as finished_at,
       coalesce(a.worker, r.worker, '') as worker,
       coalesce(a.error, r.error) as error,
       b.finished_at as previous_end,
       r.state, r.tries, r.finished_at as ended_at
from unnest($1::uuid[], $2::int4[]) as u (id, number)
cross join lateral (
    select traceparent, created_at, run_at, lane
    from task where id = u.id and traceparent is not null offset 0
) t
left join lateral (
    select state, attempt, tries, started_at, finished_at, worker, error
    from result where id = u.id and (u.number = 0 or attempt = u.number) offset 0
) r on true
left join lateral (
    select outcome, started_at, finished_at, worker, error
    from attempt where id = u.id and number = u.number offset 0
) a on true
left join lateral (
    select finished_at
    from attempt
    where id = u.id and number = case when u.number = 0 then r.attempt else u.number - 1 end
    offset 0
) b on true
