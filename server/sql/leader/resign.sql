-- leader/resign: ends the own term. Another one is not touched.
-- $1 epoch, $2 holder.
with resigned as (
    update leadership l
    set holder = null
    where l.name = 'scheduler' and l.epoch = $1 and l.holder = $2
    returning l.epoch, l.replica
)
insert into leadership_log (epoch, replica, event)
select epoch, coalesce(replica, ''), 'resigned' from resigned
