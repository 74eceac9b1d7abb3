-- Partitions of the history are written in one direction and read by id, with plans that do not lean on statistics.
-- At the usual tenth of the table, the day's partitions are analyzed again and again while they grow, and vacuumed
-- at each fifth of inserted rows: 4 % of PostgreSQL's CPU under full load. Half of the table is often enough: for
-- the share of labels, which tasks/list by labels is planned with, and for freezing.

set local lock_timeout = '5s';

-- As before, with these settings: makes three tables for the ids from `lower` on, before `upper`, with all that
-- they need to be attached.
create or replace function history_tables(name text, lower uuid, upper uuid) returns void
language plpgsql security definer set search_path from current as $$
declare
    parent text;
begin
    foreach parent in array array['task', 'result', 'attempt'] loop
        execute format('create table %1$I (like %2$I including defaults including storage including indexes, '
                       'check (id >= %3$L and id < %4$L)) '
                       'with (autovacuum_analyze_scale_factor = 0.5, autovacuum_analyze_threshold = 10000, '
                       'autovacuum_vacuum_insert_scale_factor = 0.5, autovacuum_vacuum_insert_threshold = 10000)',
                       parent || '_' || name, parent, lower, upper);
    end loop;
    insert into history (suffix, first, last, is_attached) values (name, lower, upper, false);
end
$$;

do $$
declare
    suffix text;
    parent text;
begin
    for suffix in select h.suffix from history h where h.is_attached loop
        foreach parent in array array['task', 'result', 'attempt'] loop
            execute format('alter table %I set (autovacuum_analyze_scale_factor = 0.5, '
                           'autovacuum_analyze_threshold = 10000, autovacuum_vacuum_insert_scale_factor = 0.5, '
                           'autovacuum_vacuum_insert_threshold = 10000)', parent || '_' || suffix);
        end loop;
    end loop;
end
$$;
