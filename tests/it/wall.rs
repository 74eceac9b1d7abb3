//! The two walls between namespaces: the conditions of the statements, and the policies of the tables. One
//! condition after the other is taken away. Where the second wall stands, nothing comes of it; where it does not, on
//! the hot path, what was taken away is missed.

mod world;

use std::collections::BTreeSet;
use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_server::store::statements;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Column as _, Connection as _, PgConnection, Row as _, ValueRef as _};

use crate::support::TestServer;
use crate::support::make::task;
use crate::support::postgres::{fresh_database, statement};
use world::{BELTS, BY_ID, HOT, JOINS, TABLES, TENANT, WORLD};

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
