-- `task`, `result` and `attempt` are kept in one partition a day, cut by the time in the id, so that what was
-- kept long enough goes away with its table instead of row by row. The key stays (id): a look-up by id opens
-- one partition. Rows that fit nowhere (ids of a clock far off, or a partition that nobody has made yet) go to
-- `..._rest`, so that nothing is ever refused for the lack of a partition.
--
-- The functions below are the only data definition at run time. They belong to the owner of the tables, so that
-- the service's role needs no right to define anything; they wait for no lock longer than 300 ms, which is less
-- than PostgreSQL waits before it looks for deadlocks, and are called again if that was too short.

set local lock_timeout = '5s';

drop view task_now;

alter table task rename to task_first;
alter table result rename to result_first;
alter table attempt rename to attempt_first;

-- The place of the task in line, which its wait is counted from; null in rows of earlier versions.
alter table result_first add column run_at timestamptz;
-- As of `result`: makes the table a journal of attempts that ended otherwise than by success.
alter table attempt_first add column xid int8;
alter table attempt_first alter column xid set default (pg_current_xact_id()::text::int8);

alter table task_first rename constraint task_pkey to task_first_pkey;
alter table result_first rename constraint result_pkey to result_first_pkey;
alter table attempt_first rename constraint attempt_pkey to attempt_first_pkey;
alter index task_labels rename to task_first_labels;
alter index result_xid rename to result_first_xid;

create table task (like task_first including defaults including storage,
    constraint task_pkey primary key (id)) partition by range (id);
create table result (like result_first including defaults including storage,
    constraint result_pkey primary key (id)) partition by range (id);
create table attempt (like attempt_first including defaults including storage,
    constraint attempt_pkey primary key (id, number)) partition by range (id);
-- Serves tasks/list by labels. Only labelled tasks have an entry.
create index task_labels on task using gin (labels jsonb_path_ops) where labels is not null;
-- Serve watch/journal and the roll-up of statistics. A block range index costs nothing per row and suits a
-- column that grows with the table; pages not summarised yet are always read.
create index result_xid on result using brin (xid) with (pages_per_range = 16, autosummarize = on);
create index attempt_xid on attempt using brin (xid) with (pages_per_range = 16, autosummarize = on);

create table task_rest partition of task default;
create table result_rest partition of result default;
create table attempt_rest partition of attempt default;

-- Which partitions there are, beside the rest.
create table history (
    -- Of the names of the three tables: task_<suffix>, result_<suffix>, attempt_<suffix>.
    suffix      text not null,
    -- Ids from `first` on, before `last`.
    first       uuid not null,
    last        uuid not null,
    -- False while it is being filled with what has to be kept of others.
    is_attached bool not null,
    -- When it was last looked at for what was kept long enough, by the service's clock.
    examined_at timestamptz,
    -- How many tasks it had to keep then.
    tasks       int8,
    made_at     timestamptz not null default now(),
    constraint history_pkey primary key (suffix)
);

-- Whose turn it is to look after the partitions; one row.
create table history_turn (
    replica    uuid,
    expires_at timestamptz not null default '-infinity'
);
insert into history_turn default values;

-- Times, and the transactions that had ended by then. Serves the deletion of what is kept for a short time.
create table history_tick (
    at  timestamptz not null,
    xid int8 not null,
    constraint history_tick_pkey primary key (at)
);

-- The smallest id of a task that was accepted at this time or later.
create function first_task_id(at timestamptz) returns uuid language sql immutable parallel safe as $$
    select (lpad(to_hex(greatest(floor(extract(epoch from at) * 1000), 0)::int8), 12, '0')
            || '00000000000000000000')::uuid
$$;

-- Makes three tables for the ids from `lower` on, before `upper`, with all that they need to be attached.
create function history_tables(name text, lower uuid, upper uuid) returns void
language plpgsql security definer set search_path from current as $$
declare
    parent text;
begin
    foreach parent in array array['task', 'result', 'attempt'] loop
        execute format('create table %1$I (like %2$I including defaults including storage including indexes, '
                       'check (id >= %3$L and id < %4$L))', parent || '_' || name, parent, lower, upper);
    end loop;
    insert into history (suffix, first, last, is_attached) values (name, lower, upper, false);
end
$$;

-- Makes a partition for the ids from `lower` on, before `upper`, out of what lies there in the rest.
-- Raises 55P03 if a lock cannot be had.
create function history_add(name text, lower uuid, upper uuid) returns void
language plpgsql security definer set search_path from current set lock_timeout = '300ms' as $$
declare
    parent text;
begin
    lock table task_rest, result_rest, attempt_rest in share row exclusive mode;
    perform history_tables(name, lower, upper);
    foreach parent in array array['task', 'result', 'attempt'] loop
        execute format('with moved as (delete from %1$I where id >= %2$L and id < %3$L returning *) '
                       'insert into %4$I select * from moved',
                       parent || '_rest', lower, upper, parent || '_' || name);
        execute format('alter table %I attach partition %I for values from (%L) to (%L)',
                       parent, parent || '_' || name, lower, upper);
    end loop;
    update history h set is_attached = true where h.suffix = name;
end
$$;

-- Makes the partitions of the days from that of `since` to that of `until`, unless they are there. Answers
-- with how many were made.
create function history_make(since timestamptz, until timestamptz) returns int4
language plpgsql security definer set search_path from current as $$
declare
    day timestamptz;
    lower uuid;
    upper uuid;
    made int4 := 0;
begin
    if not pg_try_advisory_xact_lock(hashtext('bellringer history'), 0) then
        return 0;
    end if;
    for day in
        select d from generate_series(date_trunc('day', since, 'UTC'), date_trunc('day', until, 'UTC'),
                                      interval '24 hours') d
    loop
        lower := first_task_id(day);
        upper := first_task_id(day + interval '24 hours');
        -- The first partition of all may reach into a day.
        lower := greatest(lower, (select h.last from history h
                                  where h.is_attached and h.first <= lower and h.last > lower));
        if lower < upper and not exists (select from history h
                                         where h.is_attached and h.first < upper and h.last > lower) then
            perform history_add(to_char(day at time zone 'UTC', 'YYYYMMDD'), lower, upper);
            made := made + 1;
        end if;
    end loop;
    return made;
end
$$;

-- The tasks of a partition and whether each was kept long enough. Unfinished ones never are. Retention in
-- milliseconds by lane; a task is kept as long as its idempotency key, for `idempotency_ms` at least.
create function history_sort(suffix text, at timestamptz, lanes int4[], succeeded int8[], failed int8[],
                             cancelled int8[], expired int8[], idempotency_ms int8)
returns table (id uuid, is_gone bool)
language plpgsql stable security definer set search_path from current
set enable_seqscan = on set enable_hashjoin = on set enable_nestloop = off as $$
begin
    return query execute format(
        'select t.id,
                coalesce(r.finished_at <= $1 - interval ''1 ms'' * case r.state
                             when 5 then k.succeeded when 6 then k.failed
                             when 7 then k.cancelled else k.expired end, false)
                and i.task is null
         from %1$I t
         left join %2$I r on r.id = t.id
         left join unnest($2, $3, $4, $5, $6) as k (lane, succeeded, failed, cancelled, expired)
             on k.lane = r.lane
         left join (select distinct y.task from idempotency_key y
                    where y.created_at > $1 - $7 * interval ''1 ms'') i on i.task = t.id',
        'task_' || suffix, 'result_' || suffix)
    using at, lanes, succeeded, failed, cancelled, expired, idempotency_ms;
end
$$;

-- Lets no more tasks into a partition. Raises 55P03 if a lock cannot be had.
create function history_close(suffix text) returns void
language plpgsql security definer set search_path from current set lock_timeout = '300ms' as $$
begin
    execute format('alter table %I drop constraint if exists is_closed', 'task_' || suffix);
    execute format('alter table %I add constraint is_closed check (false) not valid', 'task_' || suffix);
end
$$;

-- Copies what has to be kept of closed partitions, which must follow each other, into new tables. The rest of
-- the arguments as of `history_sort`. Answers with the number of the oldest transaction that may have changed
-- something in them since.
create function history_keep(name text, suffixes text[], at timestamptz, lanes int4[], succeeded int8[],
                             failed int8[], cancelled int8[], expired int8[], idempotency_ms int8) returns int8
language plpgsql security definer set search_path from current
set enable_seqscan = on set enable_hashjoin = on set enable_nestloop = off as $$
declare
    parent text;
    suffix text;
    horizon int8 := pg_snapshot_xmin(pg_current_snapshot())::text::int8;
begin
    perform history_tables(name, (select min(h.first::text)::uuid from history h where h.suffix = any (suffixes)),
                           (select max(h.last::text)::uuid from history h where h.suffix = any (suffixes)));
    foreach suffix in array suffixes loop
        execute format('insert into %I select t.* from %I t
                        join history_sort($1, $2, $3, $4, $5, $6, $7, $8) s on s.id = t.id and not s.is_gone',
                       'task_' || name, 'task_' || suffix)
        using suffix, at, lanes, succeeded, failed, cancelled, expired, idempotency_ms;
        foreach parent in array array['result', 'attempt'] loop
            execute format('insert into %I select o.* from %I o where o.id in (select t.id from %I t)',
                           parent || '_' || name, parent || '_' || suffix, 'task_' || name);
        end loop;
    end loop;
    return horizon;
end
$$;

-- Puts one partition in the place of others: `name`, which `history_keep` has filled, with what has changed in
-- them since; or nothing, if it is null. Raises 55P03 if a lock cannot be had, and P0002 if somebody else has
-- replaced one of them.
create function history_replace(suffixes text[], name text, horizon int8) returns void
language plpgsql security definer set search_path from current set lock_timeout = '300ms'
set enable_seqscan = on as $$
declare
    parent text;
    suffix text;
    keys text;
    lower uuid;
    upper uuid;
begin
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
            select h.first, h.last into lower, upper from history h where h.suffix = name;
            execute format('alter table %I attach partition %I for values from (%L) to (%L)',
                           parent, parent || '_' || name, lower, upper);
        end if;
    end loop;
    delete from history h where h.suffix = any (suffixes);
    update history h set is_attached = true where h.suffix = name;
end
$$;

-- Drops what was never attached, of a round that did not come to its end.
create function history_clean() returns int4
language plpgsql security definer set search_path from current as $$
declare
    parent text;
    left_over text;
    dropped int4 := 0;
begin
    for left_over in select h.suffix from history h where not h.is_attached loop
        foreach parent in array array['task', 'result', 'attempt'] loop
            execute format('drop table if exists %I', parent || '_' || left_over);
        end loop;
        delete from history h where h.suffix = left_over;
        dropped := dropped + 1;
    end loop;
    return dropped;
end
$$;

revoke execute on function history_tables, history_add, history_make, history_sort, history_close, history_keep,
    history_replace, history_clean from public;

-- What there is becomes the first partition, up to the end of its last day or of today; a new database begins
-- with today.
do $$
declare
    parent text;
    newest uuid;
    upper uuid;
begin
    if exists (select from task_first) or exists (select from result_first)
        or exists (select from attempt_first) then
        -- Ids that are no UUIDs of version 7 stand at the end and belong to the rest.
        select id into newest from task_first where id < 'f0000000-0000-0000-0000-000000000000'
        order by id desc limit 1;
        upper := first_task_id(date_trunc('day', greatest(now(), to_timestamp(
            ('x' || lpad(substr(replace(newest::text, '-', ''), 1, 12), 16, '0'))::bit(64)::int8 / 1000.0)),
            'UTC') + interval '24 hours');
        foreach parent in array array['task', 'result', 'attempt'] loop
            execute format('alter table %1$I attach partition %2$I for values from (minvalue) to (%3$L)',
                           parent, parent || '_first', upper);
        end loop;
        insert into history (suffix, first, last, is_attached)
        values ('first', '00000000-0000-0000-0000-000000000000', upper, true);
    else
        drop table task_first, result_first, attempt_first;
    end if;
    perform history_make(now(), now() + interval '3 days');
end
$$;

-- Everything about a task in one row; one place that says what state it is in. To be read by id or by keyset on
-- id. Each part is looked up for each task (`offset 0` keeps the planner from anything else): tables that were
-- empty when statistics were taken would otherwise be joined by reading them whole.
create view task_now as
select t.id, t.namespace, t.lane, t.priority, t.created_at, t.run_at, t.payload, t.content_type,
       t.expire_at, t.attempt_timeout_ms, t.total_timeout_ms, t.retry, t.labels, t.unique_key,
       t.idempotency_key, t.traceparent, t.retry_of,
       coalesce(f.state, case when i.id is not null then 3::int2 end, s.state, 2::int2) as state,
       coalesce(f.attempt, i.attempt, s.attempt, r.attempt, 0) as attempt,
       coalesce(f.tries, i.tries, s.tries, r.tries, 0) as tries,
       coalesce(f.started_at, i.started_at,
                (select a.started_at from attempt a
                 where a.id = t.id and a.number = coalesce(f.attempt, s.attempt, r.attempt)))
           as started_at,
       f.finished_at,
       s.due_at,
       i.cancel_requested_at is not null as is_cancelling,
       coalesce(f.worker, i.worker, '') as worker,
       f.result, f.content_type as result_content_type,
       case
           when f.id is not null then f.error
           when s.state = 4 then (select a.error from attempt a
                                  where a.id = t.id and a.number = s.attempt)
       end as error,
       p.seq as progress_seq, p.current as progress_current, p.total as progress_total,
       p.message as progress_message, p.reported_at as progress_reported_at
from task t
left join lateral (select * from result x where x.id = t.id offset 0) f on true
left join lateral (select * from inflight x where x.id = t.id offset 0) i on true
left join lateral (select * from scheduled x where x.id = t.id offset 0) s on true
left join lateral (select * from ready x where x.lane = t.lane and x.priority = t.priority
                       and x.run_at = t.run_at and x.id = t.id offset 0) r on true
left join lateral (select * from progress x where x.id = t.id offset 0) p on true;
