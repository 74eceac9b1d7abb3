-- tasks/report_progress: keeps the last progress and checkpoint of attempts that are still held;
-- answers with their tasks and lanes.
-- $1 now; one array element an attempt: $2 id, $3 namespace, $4 session, $5 attempt, $6 whether with
-- progress, $7 current, $8 total, $9 message, $10 checkpoint (null: leave it).
with input as materialized (
    select * from unnest($2::uuid[], $3::int4[], $4::uuid[], $5::int4[], $6::bool[], $7::float8[],
                         $8::float8[], $9::text[], $10::bytea[])
        as u (id, namespace, session, attempt, has_progress, current, total, message, checkpoint)
),
held as (
    select u.*, i.lane
    from inflight i
    join input u on i.id = u.id and i.namespace = u.namespace and i.session = u.session
        and i.attempt = u.attempt
    where i.id = any ($2::uuid[])
),
written as (
    insert into progress as p (id, namespace, seq, current, total, message, reported_at, checkpoint)
    select id, namespace, 1, current, total, message,
           case when has_progress then coalesce($1::timestamptz, now()) end, checkpoint
    from held
    on conflict (id) do update
    set seq         = p.seq + 1,
        current     = case when excluded.reported_at is null then p.current else excluded.current end,
        total       = case when excluded.reported_at is null then p.total else excluded.total end,
        message     = case when excluded.reported_at is null then p.message else excluded.message end,
        reported_at = coalesce(excluded.reported_at, p.reported_at),
        checkpoint  = coalesce(excluded.checkpoint, p.checkpoint)
    returning id
)
select h.id, h.lane from held h join written w on w.id = h.id
