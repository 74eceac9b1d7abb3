-- tasks/settle: ends attempts in any way, with the verdict that the domain came to. What is not
-- returned was not held any more. A cancel that was asked for since the verdict turns "again" into
-- "cancelled".
-- $1 now; one array element an attempt: $2 id, $3 namespace, $4 session, $5 attempt, $6 outcome,
-- $7 final state (null: again), $8 due_at, $9 state while it waits, $10 whether it counts as a try,
-- $11 error, $12 result, $13 content_type; then $14, what the clock said by which $8 was reckoned: due times go by the
-- database's.
with clock as materialized (
    select coalesce($1::timestamptz, now()) as now
),
input as materialized (
    select u.id, u.namespace, u.session, u.attempt, u.outcome, u.state,
           u.due_at + ((select now from clock) - $14::timestamptz) as due_at,
           u.waiting, u.counts, u.error, u.result, u.content_type
    from unnest($2::uuid[], $3::int4[], $4::uuid[], $5::int4[], $6::int2[], $7::int2[],
                $8::timestamptz[], $9::int2[], $10::bool[], $11::jsonb[], $12::bytea[],
                $13::text[])
        as u (id, namespace, session, attempt, outcome, state, due_at, waiting, counts, error,
              result, content_type)
),
gone as (
    delete from inflight i
    using input u
    where i.id = any ($2::uuid[]) and i.id = u.id and i.namespace = u.namespace
      and i.session = u.session and i.attempt = u.attempt
    returning i.id, i.namespace, i.lane, i.priority, i.run_at, i.session, i.worker, i.attempt,
              case when u.counts then i.tries else i.tries - 1 end as tries,
              i.flags, i.started_at, i.timeout_ms, i.give_up_at, i.cancel_reason,
              case when i.cancel_requested_at is not null then coalesce(u.state, 7::int2) else u.state end
                  as state,
              u.outcome, u.due_at, u.waiting, u.error, u.result, u.content_type
),
history as (
    insert into attempt (id, number, namespace, outcome, session, worker, started_at, finished_at,
                         error)
    select id, attempt, namespace, outcome, session, worker, started_at, (select now from clock),
           error
    from gone
    where outcome <> 1
),
finals as (
    insert into result (id, namespace, lane, state, attempt, tries, run_at, started_at, finished_at,
                        worker, result, content_type, error)
    select id, namespace, lane, state, attempt, tries, run_at, started_at, (select now from clock),
           worker, result, content_type,
           case when state = 7
                then jsonb_build_object('type', 'CANCELLED', 'message', coalesce(cancel_reason, ''))
                else error end
    from gone
    where state is not null
),
keys as (
    delete from unique_key
    where task = any (array(select id from gone where state is not null and flags & 1 = 1))
),
later as (
    insert into scheduled (id, due_at, state, lane, priority, run_at, namespace, attempt, tries,
                           flags, timeout_ms, give_up_at)
    select id, due_at, waiting, lane, priority, run_at, namespace, attempt, tries,
           flags, timeout_ms, give_up_at
    from gone
    where state is null and due_at > (select now from clock)
),
soon as (
    insert into ready (lane, priority, run_at, id, namespace, attempt, tries, flags, timeout_ms,
                       give_up_at)
    select lane, priority, run_at, id, namespace, attempt, tries, flags, timeout_ms, give_up_at
    from gone
    where state is null and due_at <= (select now from clock)
)
select id, lane, attempt, run_at, outcome, (select now from clock) - started_at as ran,
       coalesce(state, case when due_at > (select now from clock) then waiting else 2::int2 end)
           as state
from gone
