//! Every statement: is used, has its name, and fits the schema.

use std::collections::BTreeSet;
use std::path::Path;

use bellringer_server::store::statements;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::support::postgres::fresh_database;

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
    let listed: BTreeSet<String> =
        statements::ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(files, listed);
    for (name, text) in statements::ALL {
        assert!(text.starts_with(&format!("-- {name}: ")), "{name}");
    }
}

#[tokio::test]
async fn every_statement_fits_the_schema() {
    let mut database = PgConnection::connect(&fresh_database().await).await.unwrap();
    let mut wrong = Vec::new();
    for (name, text) in statements::ALL {
        use sqlx::SqlSafeStr as _;
        if let Err(error) = (&mut database).prepare(AssertSqlSafe(*text).into_sql_str()).await {
            wrong.push(format!("{name}: {error}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
