-- schedules/came: how many times of schedules were recorded since a time.
-- $1 since.
select ((select count(*) from fire f where f.recorded_at >= $1)
        + (select coalesce(sum(r.count), 0) from fire_range r where r.recorded_at >= $1))::int8 as came
