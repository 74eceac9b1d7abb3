-- tasks/late: keeps what a worker reported after its attempt had ended; the first such report stays.
-- $1 now, $2 id, $3 namespace, $4 session, $5 attempt, $6 outcome, $7 result, $8 content_type,
-- $9 error.
update attempt
set late_outcome      = $6,
    late_at           = coalesce($1::timestamptz, now()),
    late_result       = $7,
    late_content_type = $8,
    late_error        = $9
where id = $2 and namespace = $3 and session = $4 and number = $5 and late_outcome is null
