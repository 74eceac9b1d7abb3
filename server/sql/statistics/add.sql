-- statistics/add: adds what was rolled up to what is there, and moves the mark; answers with 1 if the mark stood
-- at $2. $1 rows as JSON, $2 the mark, $3 the next one.
with moved as (
    update statistic_mark set xid = $3 where xid = $2 returning xid
),
added as (
    insert into statistic as s (unit, at, lane, schedule, succeeded, failed, cancelled, expired, tries_failed,
                                tries_cancelled, tries_snoozed, tries_released, tries_lease_expired, wait_us,
                                run_us, waits, runs, last_at, last_state)
    select r.unit, r.at, r.lane, r.schedule, r.succeeded, r.failed, r.cancelled, r.expired, r.tries_failed,
           r.tries_cancelled, r.tries_snoozed, r.tries_released, r.tries_lease_expired, r.wait_us, r.run_us,
           r.waits, r.runs, r.last_at, r.last_state
    from jsonb_to_recordset($1)
        as r (unit int2, at timestamptz, lane int4, schedule uuid, succeeded int8, failed int8, cancelled int8,
              expired int8, tries_failed int8, tries_cancelled int8, tries_snoozed int8, tries_released int8,
              tries_lease_expired int8, wait_us int8, run_us int8, waits int8[], runs int8[],
              last_at timestamptz, last_state int2)
    where exists (select from moved)
    on conflict (unit, at, lane, schedule) do update
    set succeeded = s.succeeded + excluded.succeeded, failed = s.failed + excluded.failed,
        cancelled = s.cancelled + excluded.cancelled, expired = s.expired + excluded.expired,
        tries_failed = s.tries_failed + excluded.tries_failed,
        tries_cancelled = s.tries_cancelled + excluded.tries_cancelled,
        tries_snoozed = s.tries_snoozed + excluded.tries_snoozed,
        tries_released = s.tries_released + excluded.tries_released,
        tries_lease_expired = s.tries_lease_expired + excluded.tries_lease_expired,
        wait_us = s.wait_us + excluded.wait_us, run_us = s.run_us + excluded.run_us,
        waits = statistic_sum(s.waits, excluded.waits), runs = statistic_sum(s.runs, excluded.runs),
        last_at = greatest(s.last_at, excluded.last_at),
        last_state = case when s.last_at is null or excluded.last_at >= s.last_at then excluded.last_state
                          else s.last_state end
)
select count(*) as moved from moved
