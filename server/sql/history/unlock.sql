-- history/unlock: gives back what history/lock has taken.
select pg_advisory_unlock_all()
