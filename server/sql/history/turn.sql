-- history/turn: takes or keeps the turn to look after the partitions, for $2 milliseconds; no row if another
-- replica has it. By the real time. $1 replica.
update history_turn
set replica = $1, expires_at = now() + $2::int8 * interval '1 ms'
where replica = $1 or expires_at < now()
returning replica
