//! A database for every test, cloned from a migrated template on one PostgreSQL for the whole run:
//! the one that `BELLRINGER_TEST_DATABASE_URL` names, or else a private one that ends with the process.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bellringer_server::clock::SystemClock;
use bellringer_server::metrics::Metrics;
use bellringer_server::private_postgres::{Data, Options, PrivatePostgres};
use bellringer_server::store::{Settings, Store};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::watched;

static CLUSTER: OnceLock<Cluster> = OnceLock::new();
static NUMBER: AtomicU32 = AtomicU32::new(0);

struct Cluster {
    /// URL with `{}` where the name of the database goes.
    url: String,
    template: String,
    /// Stopped by the kernel when this process ends; see `private_postgres`.
    _server: Option<PrivatePostgres>,
}

impl Cluster {
    fn start() -> Self {
        let (url, server) = match std::env::var("BELLRINGER_TEST_DATABASE_URL") {
            Ok(url) => {
                // Of a socket, the query has slashes too.
                let (url, query) = match url.split_once('?') {
                    Some((url, query)) => (url, format!("?{query}")),
                    None => (url.as_str(), String::new()),
                };
                let (server, _) = url.rsplit_once('/').expect("a URL with a database");
                (format!("{server}/{{}}{query}"), None)
            }
            Err(_) => {
                let options = Options::throwaway(Data::Temporary);
                let server = PrivatePostgres::start(&options).expect("a private PostgreSQL");
                (server.url("{}"), Some(server))
            }
        };
        let template = format!("bellringer_template_{}", std::process::id());
        let cluster = Self { url, template, _server: server };
        // A thread with a runtime of its own: the test that comes first has one already.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap()
                    .block_on(async {
                        cluster.run(&format!("create database {}", cluster.template)).await;
                        bellringer_server::store::migrate(&cluster.url(&cluster.template))
                            .await
                            .expect("a migrated template");
                        cluster.name_secrets().await;
                    });
            });
        });
        cluster
    }

    fn url(&self, database: &str) -> String {
        self.url.replace("{}", database)
    }

    /// The key that seals tokens is the same in every clone.
    async fn name_secrets(&self) {
        let mut template = PgConnection::connect(&self.url(&self.template)).await.unwrap();
        let forms = "select array[encode(token_key, 'hex'), rtrim(translate(replace(encode(token_key, \
                     'base64'), chr(10), ''), '+/', '-_'), '=')] from cluster";
        let forms: Vec<String> = sqlx::query_scalar(forms).fetch_one(&mut template).await.unwrap();
        forms.iter().for_each(|form| watched::secret(form));
        template.close().await.unwrap();
    }

    async fn run(&self, statement: &str) {
        let mut connection = PgConnection::connect(&self.url("postgres")).await.unwrap();
        sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

/// The URL of a new, migrated, empty database.
pub(crate) async fn fresh_database() -> String {
    let cluster =
        tokio::task::spawn_blocking(|| CLUSTER.get_or_init(Cluster::start)).await.unwrap();
    let name = format!(
        "bellringer_test_{}_{}",
        std::process::id(),
        NUMBER.fetch_add(1, Ordering::Relaxed)
    );
    watched::tally();
    cluster.run(&format!("create database {name} template {}", cluster.template)).await;
    cluster.url(&name)
}

/// The store of a database, with few connections.
pub(crate) async fn store(url: &str, statement_timeout: Duration) -> anyhow::Result<Store> {
    let settings = Settings {
        url: url.to_owned(),
        hot_connections: 1,
        read_connections: 1,
        acquire_timeout: Duration::from_secs(5),
        statement_timeout,
    };
    let metrics = Metrics::new(&[], &[]);
    Store::connect(settings, Arc::new(SystemClock), &metrics.database).await
}

/// Runs statements that lock tables which a server uses meanwhile: they give up soon rather than let it wait.
pub(crate) async fn patiently(database: &mut PgConnection, text: &str) {
    loop {
        let Err(error) = sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut *database).await else {
            return;
        };
        let code = error.as_database_error().and_then(|error| error.code());
        assert_eq!(code.as_deref(), Some("55P03"), "{text}: {error}");
    }
}

/// Runs the statements that the handbook has under a name.
pub(crate) async fn run_from_handbook(name: &str, connection: &mut PgConnection) {
    let handbook = include_str!("../../../server/OPERATIONS.md");
    let (_, after) = handbook.split_once(&format!("<!-- {name} -->\n```sql\n")).unwrap();
    let text = after.split_once("```").unwrap().0.replace("'…'", "'secret'");
    for statement in text.split_inclusive(";\n") {
        let statement = AssertSqlSafe(statement.to_owned());
        sqlx::query(statement).execute(&mut *connection).await.unwrap();
    }
}

/// The text of a statement, by the name of its file.
pub(crate) fn statement(name: &str) -> &'static str {
    bellringer_server::store::statements::ALL
        .iter()
        .find(|(other, _)| *other == name)
        .unwrap_or_else(|| panic!("{name}"))
        .1
}
