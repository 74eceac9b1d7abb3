-- upkeep/end_sessions: ends sessions whose workers were not heard of any more. $1 now.
delete from worker_session
where expires_at < coalesce($1::timestamptz, now())
returning id
