-- statistics/mark: up to where it was rolled up, and whether schedules have made tasks.
select xid, exists (select from fire where task is not null) as has_fires from statistic_mark
