-- statistics/schedules: the names of schedules. $1 ids.
select id, name from schedule where id = any ($1::uuid[])
