-- leader/probe_get: run on a second connection. If it sees the mark of the first one, or can take its
-- lock, a pooler hands out database sessions, and locks mean nothing. The lock ends with the statement:
-- on a session that is not ours it would stay.
-- $1 class, $2 object.
select coalesce(current_setting('bellringer.probe', true), '') as mark,
       pg_try_advisory_xact_lock($1, $2) as locked
