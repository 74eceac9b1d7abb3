-- schedules/look: what the leader has to do: how long until the next schedule is due, null if none will be;
-- whether there are tasks of schedules to look after, and times that are held back.
-- $1 now.
select (select greatest(ceil(extract(epoch from
                   min(s.due_at) - coalesce($1::timestamptz, clock_timestamp())) * 1000), 0)::int8
        from schedule s
        where s.due_at is not null
        having min(s.due_at) is not null) as wait_ms,
       exists (select from schedule_run) as has_runs,
       exists (select from fire f where f.outcome = 3) as has_held
