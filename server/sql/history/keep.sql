-- history/keep: copies what has to be kept of partitions into new tables; answers with the number of the oldest
-- transaction that may have changed something since. $1 suffix of the new tables, $2 suffixes of the
-- partitions, $3 now; retention in milliseconds by lane: $4 lane, $5 succeeded, $6 failed, $7 cancelled,
-- $8 expired; $9 idempotency_ms.
select history_keep($1, $2::text[], coalesce($3::timestamptz, now()), $4::int4[], $5::int8[], $6::int8[],
                    $7::int8[], $8::int8[], $9::int8) as horizon
