-- history/make: makes the partitions of the days from $1 (null: now) less $2 milliseconds to $3 days after it, unless
-- they are there; answers with how many were made.
select history_make(coalesce($1::timestamptz, now()) - $2::int8 * interval '1 ms',
                    coalesce($1::timestamptz, now()) + $3::int4 * interval '24 hours') as made
