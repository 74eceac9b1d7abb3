-- cluster/set_clock: keeps how far the clock of a development server was moved forward.
-- $1 milliseconds.
update cluster set clock_advanced_ms = $1 returning id
