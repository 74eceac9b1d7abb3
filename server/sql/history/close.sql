-- history/close: lets no more tasks into a partition. $1 suffix.
select history_close($1)
