//! Two namespaces that look alike, and each statement with arguments of somebody in one who knows the other.

/// What there is in a namespace: {n} its number, {p} how its ids begin, {name} its name. Both namespaces use the same
/// names for queues, schedules and keys, so that only the namespace tells them apart.
pub(super) const WORLD: &str = "
    insert into namespace (name) values ('{name}');
    insert into queue (namespace, name, paused_at, pause_note)
    values ({n}, 'mail', null, '{name}'), ({n}, 'held', now(), '{name}');
    insert into lane (namespace, queue, kind, version, is_paused)
    values ({n}, 'mail', '{name}', '', false), ({n}, 'held', '{name}', '', true);
    insert into task (id, namespace, lane, priority, created_at, run_at, payload, labels)
    select ('{p}-0000-7000-8000-00000000000' || i)::uuid, {n}, {lane}, 5, now(), now(), '{name}', '{\"l\": \"x\"}'
    from generate_series(1, 6) i;
    insert into ready (lane, priority, run_at, id, namespace, attempt, tries, flags)
    select lane, priority, run_at, id, namespace, 0, 0, 1 from task where id::text ~ '^{p}.*[16]$';
    insert into unique_key values ({n}, 'key', '{p}-0000-7000-8000-000000000001');
    insert into idempotency_key values ({n}, 'key', 'hash', '{p}-0000-7000-8000-000000000001', now());
    insert into scheduled (id, due_at, state, lane, priority, run_at, namespace, attempt, tries, flags)
    select id, now(), 1, lane, priority, run_at, namespace, 0, 0, 0 from task where id::text ~ '^{p}.*2$';
    insert into inflight (id, namespace, lane, priority, run_at, session, worker, attempt, tries, flags, started_at)
    select id, namespace, lane, priority, run_at, '{p}-0000-7000-8000-000000000007', 'w', 1, 1, 0, now()
    from task where id::text ~ '^{p}.*3$';
    insert into worker_session
    values ('{p}-0000-7000-8000-000000000007', {n}, 'w', '{}', '{}', '{}', '{p}-0000-7000-8000-000000000000',
            now(), now(), now());
    insert into result (id, namespace, lane, state, attempt, tries, run_at, started_at, finished_at)
    select id, namespace, lane, 5, 2, 2, run_at, now(), now() from task where id::text ~ '^{p}.*4$';
    insert into attempt (id, number, namespace, outcome, session, worker, started_at, finished_at)
    select id, 1, namespace, 2, '{p}-0000-7000-8000-000000000007', 'w', now(), now()
    from task where id::text ~ '^{p}.*4$';
    insert into progress (id, namespace, seq) values ('{p}-0000-7000-8000-000000000003', {n}, 1);
    insert into schedule (id, namespace, name, version, state, times, policies, labels, description, lane, priority,
                          payload, task_labels, created_at, updated_at, next_fire_at)
    values ('{p}-0000-7000-8000-000000000005', {n}, 'nightly', 1, 1, '{}', '{}', '{}', '', {lane}, 5, '', '{}',
            now(), now(), null),
           ('{p}-0000-7000-8000-000000000008', {n}, 'resting', 1, 2, '{}', '{}', '{}', '', {lane}, 5, '', '{}',
            now(), now(), null);
    insert into fire (schedule, nominal, due_at, outcome, rule, cause, task, recorded_at, epoch, version)
    values ('{p}-0000-7000-8000-000000000005', '2026-01-01', '2026-01-01', 1, 0, 0,
            '{p}-0000-7000-8000-000000000006', now(), 1, 1);
    insert into fire_range
    values ('{p}-0000-7000-8000-000000000005', '2025-01-01', '2025-02-01', 9, 1, now(), 1);
    insert into schedule_run
    values ('{p}-0000-7000-8000-000000000005', '2026-01-01', '{p}-0000-7000-8000-000000000006');
    insert into statistic
    values (1, '2026-01-01', {lane}, '{p}-0000-7000-8000-000000000005', 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '{}', '{}',
            now(), 5);
    insert into api_key (id, namespace, name, roles, queues, hash, created_by)
    values ('{name}-key', '{name}', 'key', '{}', '{}', '', 'me');
    insert into audit_event (principal, source, namespace, method, object, decision)
    values ('p', '', '{name}', 'm', 'o', 1);";

/// Everything that a statement could change.
pub(super) const TABLES: [&str; 20] = [
    "namespace",
    "queue",
    "lane",
    "task",
    "ready",
    "scheduled",
    "inflight",
    "result",
    "attempt",
    "progress",
    "unique_key",
    "idempotency_key",
    "worker_session",
    "schedule",
    "fire",
    "fire_range",
    "schedule_run",
    "statistic",
    "api_key",
    "audit_event",
];

/// Statements for one namespace that have conditions on it, with arguments of a caller of {n}, {name}, who names
/// things of others as well.
pub(super) const TENANT: &[(&str, &str)] = &[
    ("tasks/get", "{n}, '{A1,A3,A4,B1,B3,B4}', true"),
    ("tasks/list", "{n}, null, true, null, null, A0, B9, 100"),
    ("tasks/list_labelled", "{n}, null, true, '{\"l\": \"x\"}', null, A0, B9, 100"),
    ("tasks/list_unfinished", "{n}, null, true, null, '{1,2,3}', A0, B9, 1"),
    ("tasks/attempts", "{n}, '{A4,B4}', 10"),
    ("tasks/cancel", "now(), {n}, '{A1,A2,A3,B1,B2,B3}', 'why'"),
    ("queues/list", "{n}, '', 100, 10, now(), null"),
    ("queues/waiting", "{n}, '{1,2,3,4}'"),
    ("queues/pause", "now(), {n}, 'mail', 'note'"),
    ("queues/resume", "{n}, 'held'"),
    ("queues/align", "{n}, 'mail'"),
    ("queues/purge", "now(), {n}, '{1,2,3,4}', 100"),
    ("schedules/get", "{n}, 'nightly'"),
    ("schedules/list", "{n}, '', null, null, 100"),
    ("schedules/count", "{n}, 100"),
    (
        "schedules/put",
        "now(), A9, {n}, 'new', 0, 1, '{}', '{}', null, null, '{}', '', null, 1, 5, '', null, null, null, null, '{}',
         null, null, null, null, '{}', '{}', '{}', '{}', 3",
    ),
    ("schedules/pause", "now(), {n}, 'nightly', 'note', null"),
    ("schedules/delete", "{n}, 'nightly', null"),
    ("watch/journal", "{n}, null, 100, 0, '{}', 0, '{}'"),
    ("watch/kept", "{n}, null, 1, 1, 1, 1"),
    ("watch/sizes", "{n}, '{A1,A4,B1,B4}'"),
    ("access/list_keys", "'{name}', null, null, true, 100"),
    ("access/list_audit", "'{name}', null, null, null, 100"),
    ("access/create_key", "'new', '{name}', 'n', '{}', '{}', 'h', 'me', null, 2"),
    ("access/revoke_key", "'{name}', 'theirs-key'"),
];

/// Statements for one namespace that go by an id, or write the namespace that they are told; with arguments that
/// are another one's.
pub(super) const BY_ID: &[(&str, &str)] = &[
    ("queues/set_retention", "2, 'mail', 1, 1, 1, 1"),
    ("queues/pause", "now(), 2, 'new', 'note'"),
    ("schedules/fires", "B5, null, null, null, null, false, 100"),
    ("schedules/recorded", "B5, '2020-01-01', '2030-01-01'"),
    ("schedules/unfinished", "B5, 100"),
    ("schedules/resume", "now(), B8, 1, 1, null, null, '{2025-01-01}', '{2025-01-02}', '{2}', '{1}'"),
    ("schedules/by_hand", "now(), B5, 1, 1, null, '{2026-03-01}', '{2026-03-01}', '{0}', '{B9}', '{null}'"),
    (
        "schedules/put",
        "now(), B5, 2, 'nightly', 1, 1, '{}', '{}', null, null, '{}', '', null, 3, 5, '', null, null, null, null, '{}',
         null, null, null, null, '{}', '{}', '{}', '{}', 100",
    ),
    (
        "schedules/put",
        "now(), B9, 2, 'new', 0, 1, '{}', '{}', null, null, '{}', '', null, 3, 5, '', null, null, null, null, '{}',
         null, null, null, null, '{}', '{}', '{}', '{}', 100",
    ),
    ("statistics/kept", "1, '2020-01-01', '2030-01-01', '{3,4}', null, 100"),
    ("statistics/ended", "0, 9223372036854775807, '2000-01-01', '2100-01-01', '{3,4}', true"),
    ("statistics/schedules", "'{B5}'"),
    ("tasks/keys_claim", "now(), '{2}', '{new}', '{h}', '{B9}'"),
    ("tasks/keys_read", "'{2}', '{key}'"),
    ("access/create_key", "'new', 'theirs', 'n', '{}', '{}', 'h', 'me', null, 100"),
    ("access/audit", "'{p}', '{s}', '{theirs}', '{m}', '{o}', '{1}'"),
];

/// Statements that serve several namespaces at once, or a submit or a worker, with arguments of a caller of {n} who
/// has got hold of another one's ids and sessions.
pub(super) const HOT: &[(&str, &str)] = &[
    ("tasks/complete", "now(), '{B3}', '{{n}}', '{B7}', '{1}', '{r}', '{null}'"),
    ("tasks/complete_one", "now(), B3, {n}, B7, 1, 'r', null"),
    (
        "tasks/complete_and_claim",
        "now(), '{B3}', '{{n}}', '{B7}', '{1}', '{r}', '{null}', '{}', '{}', '{}', 0, '{}', '{}'",
    ),
    (
        "tasks/settle",
        "now(), '{B3}', '{{n}}', '{B7}', '{1}', '{2}', '{6}', '{null}', '{null}', '{true}', '{null}', '{null}', \
         '{null}', now()",
    ),
    (
        "tasks/report_progress",
        "now(), '{B3}', '{{n}}', '{B7}', '{1}', '{true}', '{1}', '{2}', '{m}', '{null}'",
    ),
    ("tasks/ended", "'{B4,B4}', '{{n},{n}}', '{1,2}'"),
    ("tasks/late", "now(), B4, {n}, B7, 1, 1, null, null, null"),
    ("tasks/replace", "now(), {n}, B1"),
    ("tasks/keys_point", "{n}, 'key', A2"),
    ("tasks/keys_read", "'{{n}}', '{key}'"),
    ("tasks/unique_holder", "{n}, 'key'"),
    ("sessions/find", "B7, {n}"),
    ("sessions/close", "B7, {n}"),
    ("sessions/resume", "B7, {n}, A9, 'w', '{B3}', '{1}'"),
    ("lanes/add", "{n}, 'mail', 'new', ''"),
];

/// Conditions that nothing would be missed without, by statement and place, and why they are there.
pub(super) const BELTS: &[(&str, usize, &str)] = &[
    ("tasks/list_labelled", 0, "the function finds ids of the transaction's namespace only"),
    ("tasks/list_unfinished", 3, "the three before have found ids of the namespace only"),
    ("sessions/resume", 1, "a session of the namespace holds attempts of the namespace only"),
];

/// Conditions that join rows of one namespace, and are about no caller.
pub(super) const JOINS: &[&str] = &[
    "queues/align: q.namespace = l.namespace",
    "queues/list: lane.namespace = q.namespace",
    "upkeep/is_busy: w.namespace = l.namespace",
];
