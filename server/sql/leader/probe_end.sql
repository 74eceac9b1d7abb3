-- leader/probe_end: gives the probe's lock back.
-- $1 class, $2 object.
select set_config('bellringer.probe', '', false), pg_advisory_unlock($1, $2)
