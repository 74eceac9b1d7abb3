-- history/replace: takes partitions away, and puts one in their place. $1 suffixes, $2 suffix of the new one
-- (null: none), $3 horizon as of history/keep.
select history_replace($1::text[], $2::text, $3::int8)
