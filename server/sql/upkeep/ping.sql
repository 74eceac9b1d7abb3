-- upkeep/ping: whether the database answers and takes writes.
select not pg_is_in_recovery() as is_primary
