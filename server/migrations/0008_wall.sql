-- The second wall between namespaces: what a statement for one namespace reads and changes goes through policies of
-- its tables, whatever its own conditions say. The first wall are these conditions.
--
-- Such statements run as the role `bellringer_tenant`, which may not log in, owns nothing, and is taken for one
-- transaction (store/wall.rs), so that the wall holds whoever connects: the owner of the tables or a superuser, who
-- are not subject to policies, change their role as well. For every other role nothing changes: policy `everyone` lets
-- it through, policy `wall` does not concern it. So an earlier version of the server works as before, and so do the
-- statements that serve several namespaces at once. FORCE ROW LEVEL SECURITY would bind the owner, who needs to be
-- free for these, and would not bind the tenant any more than it is.

set local lock_timeout = '5s';

-- The namespace of the transaction, by its number; null: none, so that nothing is in sight. What was set in an
-- earlier transaction of the session is '' afterwards.
create function wall_namespace() returns int4 language sql stable parallel safe as $$
    select nullif(current_setting('bellringer.namespace', true), '')::int4
$$;

-- The ids of one page of tasks/list, for labels: in a statement of the tenant no condition on labels is answered by
-- the index `task_labels`, since policies come first and `@>` may tell of rows that they hide, in errors for example.
-- Runs with the owner's rights, and has therefore the wall in itself: the namespace is the transaction's, no argument.
create function wall_labelled(lanes int4[], wanted jsonb, states int2[], lower uuid, upper uuid, most int8)
returns setof uuid
language plpgsql stable security definer set search_path from current as $$
begin
    -- Planned anew for each call, for these very labels.
    return query execute
        'select t.id
         from task_now t
         where t.namespace = $1 and t.id >= $5 and t.id < $6 and t.labels @> $3
           and ($2 is null or t.lane = any ($2))
           and ($4 is null or t.state = any ($4))
         order by t.id desc
         limit $7'
    using wall_namespace(), lanes, wanted, states, lower, upper, most;
end
$$;

-- Makes the role if it is not there and may be made, and builds the wall, unless it stands. Answers with what is
-- lacking, or with null. Safe to call again: the server does so with every migration. It waits for no lock longer
-- than 300 ms, so that nobody waits for long behind it, and tries again if that was too short.
create function wall_build() returns text
language plpgsql set search_path from current set lock_timeout = '300ms' as $$
declare
    here text := current_schema();
    of_number text := 'namespace = (select wall_namespace())';
    of_name text := 'namespace = (select coalesce(nullif(current_setting(''bellringer.scope'', true), ''''), '
                    '(select n.name from namespace n where n.id = wall_namespace())))';
    of_schedule text := 'exists (select from schedule s where s.id = %I.schedule)';
    rule record;
    tries int4 := 0;
begin
    if current_setting('server_version_num')::int4 < 150000 then
        return 'PostgreSQL 15 or newer';
    end if;
    if not exists (select from pg_roles where rolname = 'bellringer_tenant') then
        begin
            create role bellringer_tenant nologin noinherit;
        exception
            -- Another database of this server has just made it.
            when duplicate_object or unique_violation then null;
            when insufficient_privilege then return 'the role bellringer_tenant';
        end;
    end if;
    if not (select rolsuper from pg_roles where rolname = current_user) then
        begin
            -- From 16 on, who makes a role may not take it unless told so.
            execute 'grant bellringer_tenant to current_user'
                || case when current_setting('server_version_num')::int4 >= 160000
                        then ' with inherit false, set true' else '' end;
        exception
            -- Somebody else has to; and two at once may collide.
            when insufficient_privilege or internal_error or unique_violation then null;
        end;
    end if;
    if exists (select from pg_policies where schemaname = here and policyname = 'wall') then
        return null;
    end if;
    loop
        begin
            -- All of them before anything else, so that nobody who uses some of them is in the way.
            lock table task, ready, scheduled, inflight, result, attempt, progress, unique_key, idempotency_key, queue,
                lane, namespace, schedule, fire, fire_range, schedule_run, statistic, api_key, audit_event
                in access exclusive mode;
            exit;
        exception
            when lock_not_available or deadlock_detected then
                tries := tries + 1;
                if tries = 30 then
                    raise;
                end if;
                perform pg_sleep(0.1);
        end;
    end loop;
    execute format('grant usage on schema %I to bellringer_tenant', here);
    grant execute on function wall_namespace, wall_labelled to bellringer_tenant;
    grant select on task_now to bellringer_tenant;
    -- What the tenant reads through the view, it reads by its own rights.
    execute 'alter view task_now set (security_invoker = true)';
    for rule in
        select * from (values
            ('namespace', 'select', 'id = (select wall_namespace())'),
            ('queue', 'select, insert, update', of_number),
            ('lane', 'select, update', of_number),
            ('task', 'select, insert', of_number),
            ('ready', 'select, insert, update, delete', of_number),
            ('scheduled', 'select, update, delete', of_number),
            ('inflight', 'select, update', of_number),
            ('result', 'select, insert', of_number),
            ('attempt', 'select', of_number),
            ('progress', 'select', of_number),
            ('unique_key', 'select, delete', of_number),
            ('idempotency_key', 'select, insert', of_number),
            ('schedule', 'select, insert, update, delete', of_number),
            ('fire', 'select, insert, update, delete', format(of_schedule, 'fire')),
            ('fire_range', 'select, insert, delete', format(of_schedule, 'fire_range')),
            ('schedule_run', 'select, insert, delete', format(of_schedule, 'schedule_run')),
            ('statistic', 'select', 'lane in (select l.id from lane l)'),
            ('api_key', 'select, insert, update', of_name),
            ('audit_event', 'select, insert', of_name)
        ) as r (name, rights, condition)
    loop
        execute format('grant %s on %I to bellringer_tenant', rule.rights, rule.name);
        execute format('create policy everyone on %I using (true)', rule.name);
        execute format('create policy wall on %I as restrictive to bellringer_tenant using (%s)',
                       rule.name, rule.condition);
        execute format('alter table %I enable row level security', rule.name);
    end loop;
    return null;
end
$$;

revoke execute on function wall_build, wall_labelled from public;

select wall_build();
