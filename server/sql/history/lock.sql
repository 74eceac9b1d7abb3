-- history/lock: whether this session, until it ends or gives it back, is the only one that looks after the partitions.
select pg_try_advisory_lock(hashtext('bellringer history'), 1) as is_alone
