-- Two replicas that look after the partitions at once do each other no harm: one may have taken so long that its turn
-- was over. The row of `history` of a partition that is not attached yet is locked by whoever attaches it, and by
-- whoever drops it.

set local lock_timeout = '5s';

-- As before, and only if `name` is still there: somebody may have taken it for what a round has left behind.
create or replace function history_replace(suffixes text[], name text, horizon int8) returns void
language plpgsql security definer set search_path from current set lock_timeout = '300ms'
set enable_seqscan = on as $$
declare
    parent text;
    suffix text;
    keys text;
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
    foreach parent in array array['task', 'result', 'attempt'] loop
        foreach suffix in array suffixes loop
            -- Tasks are never changed, and none comes into a closed partition.
            if name is not null and parent <> 'task' then
                keys := case parent when 'attempt' then 'n.id = o.id and n.number = o.number' else 'n.id = o.id' end;
                execute format('delete from %1$I n using %2$I o where %3$s and age(o.xmin) <= age($1)',
                               parent || '_' || name, parent || '_' || suffix, keys)
                using (horizon & 4294967295)::text::xid;
                execute format('insert into %1$I select o.* from %2$I o where age(o.xmin) <= age($1)',
                               parent || '_' || name, parent || '_' || suffix)
                using (horizon & 4294967295)::text::xid;
            end if;
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
