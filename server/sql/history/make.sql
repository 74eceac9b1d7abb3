-- history/make: makes the partitions of the days from $1 (null: now) less a day to $2 days after it, unless they
-- are there; answers with how many were made.
select history_make(coalesce($1::timestamptz, now()) - interval '24 hours',
                    coalesce($1::timestamptz, now()) + $2::int4 * interval '24 hours') as made
