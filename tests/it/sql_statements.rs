//! Every statement: is used, has its name, and fits the schema.

use std::collections::BTreeSet;
use std::path::Path;

use bellringer_server::leader;
use bellringer_server::store::statements;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::support::postgres::{fresh_database, statement};

/// Those of the store and those of the leader's election.
fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    statements::ALL.iter().chain(leader::STATEMENTS).copied()
}

#[test]
fn every_file_is_a_statement_and_begins_with_its_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("server/sql");
    let mut files = BTreeSet::new();
    for folder in std::fs::read_dir(&root).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let name = path.strip_prefix(&root).unwrap().with_extension("");
            files.insert(name.to_str().unwrap().to_owned());
        }
    }
    let listed: BTreeSet<String> = all().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(files, listed);
    for (name, text) in all() {
        assert!(text.starts_with(&format!("-- {name}: ")), "{name}");
    }
}

#[tokio::test]
async fn every_statement_fits_the_schema() {
    let mut database = PgConnection::connect(&fresh_database().await).await.unwrap();
    let mut wrong = Vec::new();
    for (name, text) in all() {
        use sqlx::SqlSafeStr as _;
        if let Err(error) = (&mut database).prepare(AssertSqlSafe(text).into_sql_str()).await {
            wrong.push(format!("{name}: {error}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Statements whose plans are pinned, and whether they run on the connections for reading.
const HOT: &[(&str, bool)] = &[
    ("tasks/submit", false),
    ("tasks/submit_one", false),
    ("tasks/claim", false),
    ("tasks/claim_oldest", false),
    ("tasks/complete", false),
    ("tasks/complete_one", false),
    ("tasks/complete_and_claim", false),
    ("tasks/settle", false),
    ("tasks/tried", false),
    ("tasks/ended", false),
    ("tasks/late", false),
    ("tasks/keys_claim", false),
    ("tasks/keys_read", false),
    ("tasks/unique_claim", false),
    ("tasks/cancel", false),
    ("tasks/replace", false),
    ("tasks/report_progress", false),
    ("sessions/beat", false),
    ("upkeep/promote", false),
    ("upkeep/orphans", false),
    ("tasks/get", true),
    ("tasks/list", true),
    ("tasks/list_labelled", true),
    ("watch/revisions", true),
    ("watch/journal", true),
    ("watch/sizes", true),
    ("tasks/list_unfinished", true),
    ("tasks/attempts", true),
    ("traces/ended", true),
    ("upkeep/look", false),
    ("upkeep/overdue_running", false),
    ("upkeep/overdue_waiting", false),
];
/// Tables that may be large, or full of dead rows.
const LARGE: [&str; 9] = [
    "task",
    "ready",
    "scheduled",
    "inflight",
    "result",
    "attempt",
    "progress",
    "idempotency_key",
    "unique_key",
];

/// A queue's tables are empty when statistics are taken, so plans must not depend on them: whether the
/// tables were vacuumed empty or have a million rows, no table and no index is read whole, and the arrays of a
/// batch are joined by hash, never row by row.
#[tokio::test]
async fn hot_plans_are_sound_on_empty_tables_and_with_a_million_rows() {
    let mut database = PgConnection::connect(&fresh_database().await).await.unwrap();
    // Of the partitions, two that have the same names on every day.
    run(
        &mut database,
        "select history_replace(array_agg(suffix), null, 0) from history;
         select history_add('before', '00000000-0000-0000-0000-000000000000',
                            '80000000-0000-0000-0000-000000000000')",
    )
    .await;
    run(&mut database, "vacuum analyze").await;
    let empty = plans(&mut database).await;
    run(
        &mut database,
        "set synchronous_commit = off; set enable_seqscan = on;
         insert into task (id, namespace, lane, priority, created_at, run_at, payload)
         select first_task_id('2010-01-01'::timestamptz + n * interval '1 ms'), 1, n % 3, 5, now(), now(), 'x'
         from generate_series(1, 1000000) n;
         insert into ready (lane, priority, run_at, id, namespace, attempt, tries, flags)
         select lane, priority, run_at, id, 1, 0, 0, 0 from task;
         insert into inflight (id, namespace, lane, priority, run_at, session, worker, attempt,
                               tries, flags, started_at)
         select id, 1, lane, 5, now(), id, 'w', 1, 1, 0, now() from task limit 100000;
         insert into result (id, namespace, lane, state, attempt, tries, finished_at)
         select id, 1, lane, 5, 1, 1, now() from task;
         insert into scheduled (id, due_at, state, lane, priority, run_at, namespace, attempt, tries,
                                flags)
         select id, now(), 1, 1, 5, now(), 1, 0, 0, 0 from task limit 100000;
         insert into attempt (id, number, namespace, outcome, session, worker, started_at, finished_at)
         select id, 1, 1, 2, id, 'w', now(), now() from task limit 100000;
         insert into progress (id, namespace, seq) select id, 1, 1 from task limit 100000;
         insert into unique_key (namespace, key, task) select 1, id::text, id from task limit 100000;
         insert into idempotency_key (namespace, key, request_hash, task, created_at)
         select 1, id::text, '', id, now() from task limit 100000",
    )
    .await;
    run(&mut database, "analyze").await;

    let full = plans(&mut database).await;
    let walled = plans_behind_the_wall(&mut database).await;
    for (name, plan) in empty.iter().chain(&full).chain(&walled) {
        for (table, line) in read_whole(plan) {
            // This one looks for what has no session in a table that holds what runs now.
            let is_meant = name == "upkeep/orphans" && table == "inflight";
            assert!(is_meant, "{name} reads {table} whole, {line}:\n{plan}");
        }
        // What follows in the last one is a claim, which looks its tasks up one by one.
        let ends = ["tasks/complete", "tasks/settle", "tasks/report_progress"];
        if ends.contains(&name.as_str()) || name == "tasks/complete_and_claim" {
            let plan = plan.split("CTE picked").next().unwrap_or_default();
            assert!(!plan.contains("Nested Loop"), "{name} joins row by row:\n{plan}");
        }
    }
    let version: String = sqlx::query_scalar("select current_setting('server_version_num')")
        .fetch_one(&mut database)
        .await
        .unwrap();
    if version.starts_with("15") {
        for (title, plans) in [("hot_plans", empty), ("hot_plans_of_a_million", full)] {
            let all: Vec<String> =
                plans.iter().map(|(name, plan)| format!("-- {name}\n{plan}\n")).collect();
            insta::assert_snapshot!(title, all.join("\n"));
        }
    } else {
        println!("SKIPPED the literal plans: they are of PostgreSQL 15, this is {version}");
    }
}

/// Scans of large tables without a condition that an index answers: table and line of the plan.
fn read_whole(plan: &str) -> Vec<(&'static str, &str)> {
    let lines: Vec<&str> = plan.lines().collect();
    let mut found = Vec::new();
    for (n, line) in lines.iter().enumerate() {
        let Some((_, of)) = line.split_once("Scan ").filter(|(kind, _)| {
            kind.ends_with("Seq ")
                || kind.ends_with("Index ")
                || kind.ends_with("Index Only ")
                || kind.ends_with("Heap ")
        }) else {
            continue;
        };
        let relation = of.split_once("on ").map_or("", |(_, rest)| rest);
        let relation = relation.split(' ').next().unwrap_or_default();
        let table = LARGE.iter().find(|table| {
            relation == **table
                || relation
                    .strip_prefix(**table)
                    .is_some_and(|rest| ["_rest", "_before"].contains(&rest))
        });
        let Some(table) = table else { continue };
        let details = lines[n + 1..].iter().take_while(|line| !line.contains("->"));
        let says = |what: &str| details.clone().any(|line| line.contains(what));
        // Of an index in its order, the first rows are not the whole either.
        let is_begin = n > 0 && lines[n - 1].ends_with("Limit") && !says("Filter:");
        let is_narrow = says("Cond:") || is_begin;
        if line.contains("Seq Scan") || !is_narrow {
            found.push((*table, *line));
        }
    }
    found
}

#[test]
fn a_scan_without_a_condition_is_noticed() {
    let plan = "Hash Join\n  ->  Index Scan using ready_order on ready r\n  ->  Hash\n        ->  Index \
                Scan using task_pkey on task_rest t\n              Index Cond: (id = $)\n  ->  Seq Scan on \
                inflight i\n        Filter: x\n  ->  Seq Scan on lane l\n  ->  Limit\n        ->  Index Scan \
                using scheduled_due on scheduled s\n  ->  Limit\n        ->  Index Scan using scheduled_due on \
                scheduled s\n              Filter: y";
    let found: Vec<&str> = read_whole(plan).into_iter().map(|(table, _)| table).collect();
    assert_eq!(found, ["ready", "inflight", "scheduled"]);
}

async fn run(database: &mut PgConnection, statements: &'static str) {
    sqlx::raw_sql(statements).execute(database).await.unwrap();
}

/// Statements that run behind the second wall, whose policies must not be in the way of an index.
const WALLED: &[(&str, bool)] = &[
    ("tasks/get", true),
    ("tasks/list", true),
    ("tasks/list_labelled", true),
    ("tasks/list_unfinished", true),
    ("tasks/attempts", true),
    ("tasks/cancel", false),
    ("watch/journal", true),
    ("watch/sizes", true),
];

/// The plans of a tenant.
async fn plans_behind_the_wall(database: &mut PgConnection) -> Vec<(String, String)> {
    run(database, "set role bellringer_tenant; set bellringer.namespace = '1'").await;
    let plans = plans_of(database, WALLED).await;
    run(database, "reset role").await;
    let wall = "wall_namespace()";
    for (name, plan) in &plans {
        let is_walled = plan.contains("InitPlan") || plan.contains(wall);
        assert!(is_walled, "{name} is not behind the wall:\n{plan}");
    }
    plans
}

/// The plans, under the settings of the service's connections.
async fn plans(database: &mut PgConnection) -> Vec<(String, String)> {
    plans_of(database, HOT).await
}

async fn plans_of(database: &mut PgConnection, which: &[(&str, bool)]) -> Vec<(String, String)> {
    // Without pruning, which would take all partitions out of a plan for nulls.
    run(database, "set enable_partition_pruning = off").await;
    let mut plans = Vec::new();
    for &(name, is_read) in which {
        like_the_store(database, is_read).await;
        // Statements for reading are planned for what they are given; nulls are given here.
        run(database, "set plan_cache_mode = force_generic_plan").await;
        let text = statement(name);
        let arguments = (1..30).take_while(|n| text.contains(&format!("${n}"))).count();
        let nulls = vec!["null"; arguments].join(", ");
        let prepare = format!("deallocate all; prepare hot as {text}");
        sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *database).await.unwrap();
        let explain = AssertSqlSafe(format!("explain (costs off) execute hot ({nulls})"));
        let lines = sqlx::raw_sql(explain).fetch_all(&mut *database).await.unwrap();
        let lines: Vec<String> = lines.iter().map(|line| sqlx::Row::get(line, 0)).collect();
        plans.push((name.to_owned(), without_numbers(&lines.join("\n"))));
    }
    plans
}

/// The planner's settings of the store's connections.
async fn like_the_store(database: &mut PgConnection, is_read: bool) {
    use bellringer_server::store::{PLANNER, PLANNER_HOT, PLANNER_READ};
    let (own, others) = match is_read {
        true => (PLANNER_READ.as_slice(), PLANNER_HOT.as_slice()),
        false => (PLANNER_HOT.as_slice(), PLANNER_READ.as_slice()),
    };
    let reset = others.iter().map(|(name, _)| format!("reset {name};"));
    let set = PLANNER.iter().chain(own).map(|(name, value)| format!("set {name} = {value};"));
    let all = AssertSqlSafe(reset.chain(set).collect::<String>());
    sqlx::raw_sql(all).execute(database).await.unwrap();
}

#[tokio::test]
async fn a_task_is_looked_up_in_the_partition_of_its_day_alone() {
    let mut database = PgConnection::connect(&fresh_database().await).await.unwrap();
    like_the_store(&mut database, true).await;
    let get = format!("prepare get (int4, uuid[], bool) as {}", statement("tasks/get"));
    run(
        &mut database,
        "select history_make('2035-01-01', '2035-01-09');
         insert into task (id, namespace, lane, priority, created_at, run_at, payload)
         select first_task_id('2035-01-01'::timestamptz + n * interval '1 hour'), 1, 1, 5, now(), now(), ''
         from generate_series(0, 200) n",
    )
    .await;
    sqlx::raw_sql(AssertSqlSafe(get)).execute(&mut database).await.unwrap();
    let execute =
        "execute get (1, array[first_task_id('2035-01-05 12:00 UTC'::timestamptz)], true)";
    // After five plans for what it is given PostgreSQL might take one for everything.
    for _ in 0..7 {
        let found = sqlx::raw_sql(AssertSqlSafe(execute)).fetch_all(&mut database).await.unwrap();
        assert_eq!(found.len(), 1);
    }
    let explain = format!("explain (analyze, costs off, timing off, summary off) {execute}");
    let plan = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(&mut database).await.unwrap();
    let plan: Vec<String> = plan.iter().map(|line| sqlx::Row::get(line, 0)).collect();
    let read: BTreeSet<&str> = plan
        .iter()
        .filter(|line| line.contains("Scan") && !line.contains("never executed"))
        .flat_map(|line| line.split(' ').filter(|word| word.starts_with("task_20")))
        .filter(|name| !name.ends_with("_pkey"))
        .collect();
    assert_eq!(read, BTreeSet::from(["task_20350105"]), "{}", plan.join("\n"));
}

/// Inner parameters are numbered as the planner happened to look at them: `$12` becomes `$`.
fn without_numbers(plan: &str) -> String {
    let mut text = String::with_capacity(plan.len());
    let mut after_dollar = false;
    for character in plan.chars() {
        if !(after_dollar && character.is_ascii_digit()) {
            text.push(character);
            after_dollar = character == '$';
        }
    }
    text
}
