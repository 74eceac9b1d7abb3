-- history/list: the partitions, oldest first.
select suffix, first, last, examined_at, tasks
from history
where is_attached
order by first
