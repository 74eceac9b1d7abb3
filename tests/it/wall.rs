//! The two walls between namespaces: the conditions of the statements, and the policies of the tables. One
//! condition after the other is taken away. Where the second wall stands, nothing comes of it; where it does not, on
//! the hot path, what was taken away is missed.

use std::collections::BTreeSet;
use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_server::store::statements;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Column as _, Connection as _, PgConnection, Row as _, ValueRef as _};

use crate::support::TestServer;
use crate::support::make::task;
use crate::support::postgres::fresh_database;

/// What there is in a namespace: {n} its number, {p} how its ids begin, {name} its name. Both namespaces use the same
/// names for queues, schedules and keys, so that only the namespace tells them apart.
const WORLD: &str = "
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
const TABLES: [&str; 20] = [
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
const TENANT: &[(&str, &str)] = &[
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
    ("watch/journal", "{n}, 0, null, 100"),
    ("access/list_keys", "'{name}', null, null, true, 100"),
    ("access/list_audit", "'{name}', null, null, null, 100"),
    ("access/create_key", "'new', '{name}', 'n', '{}', '{}', 'h', 'me', null, 2"),
    ("access/revoke_key", "'{name}', 'theirs-key'"),
];

/// Statements for one namespace that go by an id, or write the namespace that they are told; with arguments that
/// are another one's.
const BY_ID: &[(&str, &str)] = &[
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
const HOT: &[(&str, &str)] = &[
    ("tasks/complete", "now(), '{B3}', '{{n}}', '{B7}', '{1}', '{r}', '{null}'"),
    ("tasks/complete_one", "now(), B3, {n}, B7, 1, 'r', null"),
    (
        "tasks/complete_and_claim",
        "now(), '{B3}', '{{n}}', '{B7}', '{1}', '{r}', '{null}', '{}', '{}', '{}', 0, '{}', '{}'",
    ),
    (
        "tasks/settle",
        "now(), '{B3}', '{{n}}', '{B7}', '{1}', '{2}', '{6}', '{null}', '{null}', '{true}', '{null}', '{null}', \
         '{null}'",
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
const BELTS: &[(&str, usize, &str)] = &[
    ("tasks/list_labelled", 0, "the function finds ids of the transaction's namespace only"),
    ("tasks/list_unfinished", 3, "the three before have found ids of the namespace only"),
    ("sessions/resume", 1, "a session of the namespace holds attempts of the namespace only"),
];

/// Conditions that join rows of one namespace, and are about no caller.
const JOINS: &[&str] =
    &["queues/list: lane.namespace = q.namespace", "upkeep/is_busy: w.namespace = l.namespace"];

/// What came of a statement: its rows and all tables afterwards, or the code of an error.
type Outcome = Result<(Vec<String>, String), String>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behind {
    /// Only the statement's conditions.
    OneWall,
    /// The policies too.
    BothWalls,
}

struct Database(PgConnection);

impl Database {
    /// Namespace 1, `ours`, with lanes 1 and 2, and namespace 2, `theirs`, with lanes 3 and 4.
    async fn with_two_namespaces() -> Self {
        let mut database = Self(PgConnection::connect(&fresh_database().await).await.unwrap());
        for (number, lane, begin, name) in
            [("1", "1", "aaaaaaaa", "ours"), ("2", "3", "bbbbbbbb", "theirs")]
        {
            let world = WORLD
                .replace("{n}", number)
                .replace("{p}", begin)
                .replace("{name}", name)
                .replace("{lane}", lane);
            database.run(&world).await;
        }
        database
    }

    async fn run(&mut self, text: &str) {
        self.try_run(text).await.unwrap();
    }

    async fn try_run(&mut self, text: &str) -> Result<Vec<PgRow>, sqlx::Error> {
        sqlx::raw_sql(AssertSqlSafe(text.to_owned())).fetch_all(&mut self.0).await
    }

    /// Runs a statement for namespace 1 and takes back what it did. The time, and the number of the transaction,
    /// are the same for all that is run within one transaction.
    async fn outcome(&mut self, text: &str, arguments: &str, behind: Behind) -> Outcome {
        self.run("savepoint here; set local bellringer.namespace = '1'; set local bellringer.scope = 'ours'").await;
        self.run("deallocate all").await;
        let arguments = with_ids(arguments);
        let done = async {
            self.try_run(&format!("prepare it as {text}")).await?;
            if behind == Behind::BothWalls {
                self.run("set local role bellringer_tenant").await;
            }
            self.try_run(&format!("execute it ({arguments})")).await
        };
        let outcome = match done.await {
            Ok(rows) => {
                self.run("set local role none").await;
                Ok((told(&rows), self.digest().await))
            }
            Err(sqlx::Error::Database(error)) => Err(error.code().unwrap_or_default().into_owned()),
            Err(error) => panic!("{error}"),
        };
        self.run("rollback to here").await;
        outcome
    }

    async fn digest(&mut self) -> String {
        let all = TABLES.map(|table| {
            // The numbers of events are not given back.
            format!("select '{table}' || (to_jsonb(x) - case when '{table}' = 'audit_event' then 'id' else '' end)::text
                     from {table} x")
        });
        let text = format!(
            "select md5(string_agg(t, '|' order by t)) from ({}) a (t)",
            all.join(" union all ")
        );
        told(&self.try_run(&text).await.unwrap()).join("")
    }
}

/// Rows as text, in an order of their own.
fn told(rows: &[PgRow]) -> Vec<String> {
    let text = |row: &PgRow, n: usize| {
        let value = row.try_get_raw(n).unwrap();
        if value.is_null() { "null".to_owned() } else { value.as_str().unwrap().to_owned() }
    };
    let line = |row: &PgRow| {
        let values: Vec<String> =
            row.columns().iter().map(|column| text(row, column.ordinal())).collect();
        values.join(", ")
    };
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    lines.sort();
    lines
}

/// `A1` and `B1` are ids of ours and theirs.
fn with_ids(arguments: &str) -> String {
    let mut text = arguments.to_owned();
    for (letter, begin) in [("A", "aaaaaaaa"), ("B", "bbbbbbbb")] {
        for n in 0..10 {
            let id = format!("{begin}-0000-7000-8000-00000000000{n}");
            let short = format!("{letter}{n}");
            // Within an array, or by itself.
            text = text
                .replace(&format!("{{{short}"), &format!("{{{id}"))
                .replace(&format!(",{short}"), &format!(",{id}"))
                .replace(&short, &format!("'{id}'"));
        }
    }
    text
}

/// With the arguments of namespace 1.
fn ours(arguments: &str) -> String {
    arguments.replace("{n}", "1").replace("{name}", "ours")
}

fn statement(name: &str) -> &'static str {
    statements::ALL.iter().find(|(other, _)| *other == name).unwrap_or_else(|| panic!("{name}")).1
}

/// The places of a statement's conditions on a namespace.
fn conditions(text: &str) -> Vec<std::ops::Range<usize>> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    text.match_indices("namespace = ")
        .filter_map(|(at, found)| {
            let begin = text[..at].rfind(|c| !is_name(c)).map_or(0, |before| before + 1);
            let rest = &text[at + found.len()..];
            let long = rest.find(|c: char| !is_name(c) && c != '$').unwrap_or(rest.len());
            let other = &rest[..long];
            let is_condition = other.starts_with('$') || other.ends_with(".namespace");
            is_condition.then_some(begin..at + found.len() + long)
        })
        .collect()
}

/// A statement without one of its conditions; what the parameter's type follows from stays.
fn without(text: &str, condition: &std::ops::Range<usize>) -> String {
    let (_, other) = text[condition.clone()].split_once(" = ").unwrap();
    let kept = if !other.starts_with('$') {
        "true".to_owned()
    } else if text.starts_with("-- access/") {
        format!("{other}::text is not null")
    } else {
        format!("{other}::int4 is not null")
    };
    format!("{}{kept}{}", &text[..condition.start], &text[condition.end..])
}

#[test]
fn every_condition_on_a_namespace_is_tried() {
    let tried: BTreeSet<&str> = TENANT.iter().chain(HOT).map(|(name, _)| *name).collect();
    for (name, text) in statements::ALL {
        for condition in conditions(text) {
            let told = format!("{name}: {}", &text[condition]);
            assert!(tried.contains(name) || JOINS.contains(&told.as_str()), "{told}");
        }
    }
    for (name, place, why) in BELTS {
        assert!(conditions(statement(name)).len() > *place, "{name}: {why}");
    }
}

#[tokio::test]
async fn g_18_the_second_wall_holds_whichever_condition_is_missing() {
    let mut database = Database::with_two_namespaces().await;
    database.run("begin").await;
    let mut tried = 0;
    for (name, arguments) in TENANT {
        let (whole, arguments) = (statement(name), ours(arguments));
        let right = database.outcome(whole, &arguments, Behind::OneWall).await;
        assert!(right.is_ok(), "{name}: {right:?}");
        let walled = database.outcome(whole, &arguments, Behind::BothWalls).await;
        assert_eq!(walled, right, "{name} behind the wall");
        for (place, condition) in conditions(whole).iter().enumerate() {
            if JOINS.contains(&format!("{name}: {}", &whole[condition.clone()]).as_str()) {
                continue;
            }
            let open = without(whole, condition);
            let walled = database.outcome(&open, &arguments, Behind::BothWalls).await;
            assert_eq!(walled, right, "{name} without its condition {place}, behind the wall");
            let unwalled = database.outcome(&open, &arguments, Behind::OneWall).await;
            let is_belt = BELTS.iter().any(|(other, at, _)| other == name && *at == place);
            assert_eq!(
                unwalled == right,
                is_belt,
                "{name} without its condition {place}, without the wall"
            );
            tried += 1;
        }
    }
    println!("{tried} conditions of {} statements were taken away", TENANT.len());
}

#[tokio::test]
async fn g_18_behind_the_second_wall_an_id_of_somebody_else_is_of_no_use() {
    let mut database = Database::with_two_namespaces().await;
    database.run("begin").await;
    let before = database.digest().await;
    for (name, arguments) in BY_ID {
        let open = database.outcome(statement(name), arguments, Behind::OneWall).await;
        let (rows, after) = open.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!rows.is_empty() || after != before, "{name} does nothing without the wall");

        let walled = database.outcome(statement(name), arguments, Behind::BothWalls).await;

        // Either refused by a policy, or nothing was found.
        match walled {
            Err(code) => assert_eq!(code, "42501", "{name}"),
            Ok((rows, after)) => {
                assert!(rows.is_empty(), "{name}: {rows:?}");
                assert_eq!(after, before, "{name}");
            }
        }
    }
}

#[tokio::test]
async fn g_18_every_condition_of_the_hot_path_is_needed() {
    let mut database = Database::with_two_namespaces().await;
    database.run("begin").await;
    let mut tried = 0;
    for (name, arguments) in HOT {
        let (whole, arguments) = (statement(name), ours(arguments));
        let right = database.outcome(whole, &arguments, Behind::OneWall).await;
        assert!(right.is_ok(), "{name}: {right:?}");
        for (place, condition) in conditions(whole).iter().enumerate() {
            let open = without(whole, condition);
            let found = database.outcome(&open, &arguments, Behind::OneWall).await;
            let is_wrong = found.as_ref().is_err_and(|code| code.starts_with("42"));
            assert!(!is_wrong, "{name} is no statement without its condition {place}: {found:?}");
            let is_belt = BELTS.iter().any(|(other, at, _)| other == name && *at == place);
            assert_eq!(found == right, is_belt, "{name} without its condition {place}");
            tried += 1;
        }
    }
    println!("{tried} conditions of {} statements were taken away", HOT.len());
}

#[tokio::test]
async fn g_18_a_tenant_without_a_namespace_sees_nothing_and_may_define_nothing() {
    let mut database = Database::with_two_namespaces().await;
    database
        .run("create role wall_test_login login; grant bellringer_tenant to wall_test_login")
        .await;
    for name in ["bellringer_tenant", "wall_test_login"] {
        database
            .run(&format!("begin; set local role {name}; set local role bellringer_tenant"))
            .await;
        for table in TABLES.iter().filter(|table| **table != "worker_session") {
            let rows = database.try_run(&format!("select from {table}")).await.unwrap();
            assert!(rows.is_empty(), "{table}");
        }
        database.run("rollback").await;
    }
    let forbidden = [
        "create table t ()",
        "alter table task disable row level security",
        "drop policy wall on task",
        "truncate task",
        "select from worker_session",
        "select from cluster",
        "select from task_rest",
        "select history_make(now(), now())",
        "select wall_build()",
        "delete from task",
        "update namespace set name = 'x'",
    ];
    for text in forbidden {
        database.run("begin; set local role bellringer_tenant").await;
        let refused = database.try_run(text).await.unwrap_err();
        let code =
            refused.as_database_error().and_then(|e| e.code()).unwrap_or_default().into_owned();
        assert_eq!(code, "42501", "{text}: {refused}");
        database.run("rollback").await;
    }
    let log_in = database
        .try_run(
            "select rolcanlogin or rolsuper or rolbypassrls or rolcreaterole or rolcreatedb
                                   from pg_roles where rolname = 'bellringer_tenant'",
        )
        .await
        .unwrap();
    assert_eq!(told(&log_in), ["f"]);
    database.run("drop role wall_test_login").await;
}

#[tokio::test]
async fn g_18_partitions_that_are_made_later_stand_behind_the_wall() {
    let mut database = Database::with_two_namespaces().await;
    database
        .run(
            "select history_make('2035-05-05', '2035-05-05');
              insert into task (id, namespace, lane, priority, created_at, run_at, payload)
              select first_task_id('2035-05-05 12:00+00'), 2, 3, 5, now(), now(), 'theirs'",
        )
        .await;
    database
        .run("begin; set local bellringer.namespace = '1'; set local role bellringer_tenant")
        .await;
    let seen = database
        .try_run("select id from task where id = first_task_id('2035-05-05 12:00+00')")
        .await;
    assert!(seen.unwrap().is_empty());
    let passed = database.try_run("select from task_20350505").await.unwrap_err();
    assert!(passed.to_string().contains("permission denied"), "{passed}");
}

#[tokio::test]
async fn every_table_with_a_namespace_has_both_policies_or_a_reason() {
    // What only the service itself reads and writes, of all namespaces at once.
    const OUTSIDE: [&str; 1] = ["worker_session"];
    let mut database = Database(PgConnection::connect(&fresh_database().await).await.unwrap());
    let tables = database
        .try_run(
            "select c.relname,
                    (select string_agg(p.polname, ' ' order by p.polname) from pg_policy p where p.polrelid = c.oid),
                    c.relrowsecurity
             from pg_attribute a
             join pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'p') and not c.relispartition
             where a.attname = 'namespace' and c.relnamespace = 'public'::regnamespace",
        )
        .await
        .unwrap();
    assert!(tables.len() > 10);
    for line in told(&tables) {
        let (table, policies) = line.split_once(", ").unwrap();
        let expected = if OUTSIDE.contains(&table) { "null, f" } else { "everyone wall, t" };
        assert_eq!(policies, expected, "{table}");
    }
}

#[tokio::test]
async fn nothing_of_a_tenant_outlives_its_transaction() {
    let server = TestServer::start_with(&[
        ("store__read_connections", "1"),
        ("store__hot_connections", "2"),
    ])
    .await;
    let id = server.submit(task()).await;
    let mut database = Database(server.database().await);
    for _ in 0..3 {
        server.get(&id).await;
        let pause = pb::PauseQueueRequest { queue: "default".to_owned(), ..Default::default() };
        server.queues().pause(pause).await.unwrap();
        // On the same connections, what is nobody's.
        server.replica.admin().get_cluster(pb::GetClusterRequest {}).await.unwrap();
        server.submit(task()).await;
    }
    // The end of a transaction that has only read is sent, though nobody waits for its answer. If it were not, the
    // database would end the session after 5 s.
    server.get(&id).await;
    let ended = async {
        let open = "select from pg_stat_activity
                    where datname = current_database() and state like 'idle in transaction%'";
        while !database.try_run(open).await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(3), ended).await.expect("a transaction is left open");
}
