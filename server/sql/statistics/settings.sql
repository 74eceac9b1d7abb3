-- statistics/settings: settings for counting, until the end of the transaction: block ranges are read by bitmaps,
-- and grouping by hash is three times as fast as by sorting, which the planner takes when statistics say
-- nothing. Those of the pools are for look-ups by key.
select set_config('enable_bitmapscan', 'on', true), set_config('enable_nestloop', 'on', true),
       set_config('enable_sort', 'off', true), set_config('work_mem', '32MB', true),
       set_config('statement_timeout', '60s', true)
