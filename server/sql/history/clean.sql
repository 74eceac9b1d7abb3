-- history/clean: drops what a round that was broken off has left behind.
select history_clean() as dropped
