-- statistics/kept: what was rolled up. $1 unit, $2 from, $3 until before, $4 lanes, $5 schedule (null: all),
-- $6 limit.
select at, lane, schedule, succeeded, failed, cancelled, expired, tries_failed, tries_cancelled, tries_snoozed,
       tries_released, tries_lease_expired, wait_us, run_us, waits, runs, last_at, last_state
from statistic
where unit = $1 and at >= $2 and at < $3 and lane = any ($4::int4[]) and ($5::uuid is null or schedule = $5)
limit $6
