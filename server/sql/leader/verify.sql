-- leader/verify: what a session must be to lead with.
select pg_is_in_recovery() as is_standby,
       current_setting('transaction_read_only') = 'on' as is_read_only,
       current_setting('idle_session_timeout') as idle_session_timeout,
       current_setting('statement_timeout') as statement_timeout,
       current_setting('lock_timeout') as lock_timeout,
       current_setting('idle_in_transaction_session_timeout') as idle_in_transaction_session_timeout,
       current_setting('synchronous_commit') as synchronous_commit,
       current_setting('fsync') as fsync,
       pg_backend_pid() as pid,
       (select id::text from cluster) || '/' || current_schema() as lock_name
