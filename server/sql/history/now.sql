-- history/now: the time. $1 now.
select coalesce($1::timestamptz, now()) as now
