-- leader/open_term: begins a term. Waits only for fires of the term before.
-- $1 holder, $2 replica.
with opened as (
    update leadership l
    set epoch = l.epoch + 1, holder = $1, replica = $2, backend_pid = pg_backend_pid(),
        backend_start = (select a.backend_start from pg_stat_activity a
                         where a.pid = pg_backend_pid()),
        acquired_at = clock_timestamp()
    where l.name = 'scheduler'
    returning l.epoch
),
logged as (
    insert into leadership_log (epoch, replica, event)
    select epoch, $2, 'opened' from opened
    returning id
),
trimmed as (
    delete from leadership_log g where g.id < (select id from logged) - 10000
)
select epoch from opened
