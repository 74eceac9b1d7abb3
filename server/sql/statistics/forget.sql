-- statistics/forget: deletes up to $3 rows of unit $1 before $2; answers with how many.
with gone as (
    delete from statistic
    where ctid = any (array(select s.ctid from statistic s where s.unit = $1 and s.at < $2 limit $3))
    returning 1
)
select count(*) as deleted from gone
