-- Two replicas that look after the partitions at once do each other no harm: one may have taken so long that its turn
-- was over. The row of `history` of a partition that is not attached yet is locked by whoever attaches it, and by
-- whoever drops it.

set local lock_timeout = '5s';

-- As before, with an index for `history_replace` of the attempts that had a late report. It belongs to each partition
-- by itself, so that large ones that are there need not be read for it.
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
    execute format('create index %I on %I (late_at) where late_at is not null',
                   'attempt_' || name || '_late', 'attempt_' || name);
    insert into history (suffix, first, last, is_attached) values (name, lower, upper, false);
end
$$;

-- As before, and waits for no lock if it is closed already.
create or replace function history_close(suffix text) returns void
language plpgsql security definer set search_path from current set lock_timeout = '300ms' as $$
begin
    if exists (select from pg_constraint c
               where c.conrelid = format('%I', 'task_' || suffix)::regclass and c.conname = 'is_closed') then
        return;
    end if;
    execute format('alter table %I add constraint is_closed check (false) not valid', 'task_' || suffix);
end
$$;

-- As before, and only if `name` is still there: somebody may have taken it for what a round has left behind. What has
-- changed is found by the transactions in which results and attempts were written, and by late reports, of which an
-- attempt has one at most. Everything stands still meanwhile, so that nothing is read whole; only a large partition
-- from before the index of late reports is.
create or replace function history_replace(suffixes text[], name text, horizon int8) returns void
language plpgsql security definer set search_path from current set lock_timeout = '300ms'
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    parent text;
    suffix text;
    lower uuid;
    upper uuid;
begin
    if name is not null then
        select h.first, h.last into lower, upper from history h where h.suffix = name and not h.is_attached for update;
        if not found then
            raise exception 'the new partition was taken away by somebody else' using errcode = 'P0002';
        end if;
    end if;
    -- All of it before anything else: who uses these tables waits from here on.
    lock table task, result, attempt in access exclusive mode;
    perform from history h where h.suffix = any (suffixes) and h.is_attached for update;
    if (select count(*) from history h where h.suffix = any (suffixes) and h.is_attached) <> cardinality(suffixes)
    then
        raise exception 'a partition was replaced by somebody else' using errcode = 'P0002';
    end if;
    foreach suffix in array suffixes loop
        exit when name is null;
        -- Tasks are never changed, and none comes into a closed partition. What was copied in time is there already.
        foreach parent in array array['result', 'attempt'] loop
            execute format('insert into %1$I select o.* from %2$I o where o.xid >= $1
                            and exists (select from %3$I t where t.id = o.id) on conflict do nothing',
                           parent || '_' || name, parent || '_' || suffix, 'task_' || name)
            using horizon;
        end loop;
        if to_regclass(format('%I', 'attempt_' || suffix || '_late')) is null then
            set local enable_seqscan = on;
        end if;
        execute format('update %1$I n
                        set late_outcome = o.late_outcome, late_at = o.late_at, late_result = o.late_result,
                            late_content_type = o.late_content_type, late_error = o.late_error
                        from %2$I o
                        where o.late_at is not null and n.id = o.id and n.number = o.number and n.late_at is null',
                       'attempt_' || name, 'attempt_' || suffix);
        set local enable_seqscan = off;
    end loop;
    foreach parent in array array['task', 'result', 'attempt'] loop
        foreach suffix in array suffixes loop
            execute format('alter table %I detach partition %I', parent, parent || '_' || suffix);
            execute format('drop table %I', parent || '_' || suffix);
        end loop;
        if name is not null then
            execute format('alter table %I attach partition %I for values from (%L) to (%L)',
                           parent, parent || '_' || name, lower, upper);
        end if;
    end loop;
    delete from history h where h.suffix = any (suffixes);
    update history h set is_attached = true where h.suffix = name;
end
$$;

-- As before, and leaves alone what is being attached: what is locked, and, looked at again once it is ours, what is
-- attached by now.
create or replace function history_clean() returns int4
language plpgsql security definer set search_path from current as $$
declare
    parent text;
    left_over text;
    dropped int4 := 0;
begin
    for left_over in select h.suffix from history h where not h.is_attached for update skip locked loop
        foreach parent in array array['task', 'result', 'attempt'] loop
            execute format('drop table if exists %I', parent || '_' || left_over);
        end loop;
        delete from history h where h.suffix = left_over;
        dropped := dropped + 1;
    end loop;
    return dropped;
end
$$;

-- The index as above, where it takes milliseconds to make.
do $$
declare
    suffix text;
begin
    for suffix in select h.suffix from history h where h.is_attached loop
        if pg_relation_size(format('%I', 'attempt_' || suffix)::regclass) < 8 * 1024 * 1024 then
            execute format('create index %I on %I (late_at) where late_at is not null',
                           'attempt_' || suffix || '_late', 'attempt_' || suffix);
        end if;
    end loop;
end
$$;
