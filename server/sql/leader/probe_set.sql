-- leader/probe_set: marks this session and takes a lock, for leader/probe_get.
-- $1 mark, $2 class, $3 object.
select set_config('bellringer.probe', $1, false), pg_try_advisory_lock($2, $3) as locked
