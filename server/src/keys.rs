//! `bellringer keys`: API keys by way of the database, for the first one of all, and for when nobody has
//! one that still works.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use crate::access::NewKey;
use crate::cli::{CreateKey, KeysCommand, Source};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::domain::{Grant, Role, Scope, limits};
use crate::metrics::Metrics;
use crate::store::{self, KeyRow, NewKeyRow, Store};

/// Who makes such a key, as it is written down.
const CREATOR: &str = "bellringer keys";

/// Does it.
///
/// # Errors
/// If the database cannot be used, or what was asked for is wrong.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "answers of a command")]
pub async fn run(command: KeysCommand) -> anyhow::Result<()> {
    match command {
        KeysCommand::Create(options) => {
            let secret = create(&options).await?;
            eprintln!("This is the only time that the key is shown; keep it safe:");
            println!("{secret}");
        }
        KeysCommand::List { source, namespace } => {
            let scope = scope(&namespace)?;
            let keys = connect(&source).await?.list_keys(&scope, None, false, usize::MAX).await?;
            println!("{:<17} {:<24} {:<20} ROLES", "ID", "NAME", "CREATED");
            for key in keys {
                let created = key.created_at.strftime("%Y-%m-%d %H:%M:%SZ");
                println!("{:<17} {:<24} {created} {}", key.id, key.name, roles(&key));
            }
        }
        KeysCommand::Revoke { source, namespace, id } => {
            let scope = scope(&namespace)?;
            let key = connect(&source).await?.revoke_key(&scope, &id).await?;
            let key = key.with_context(|| format!("namespace {namespace} has no API key {id}"))?;
            println!("revoked {} ({})", key.id, key.name);
        }
    }
    Ok(())
}

async fn create(options: &CreateKey) -> anyhow::Result<String> {
    let scope = scope(&options.namespace)?;
    anyhow::ensure!(
        (1..=limits::KEY_NAME).contains(&options.name.len()) && !options.name.contains('\0'),
        "--name must be 1 to {} bytes, without NUL",
        limits::KEY_NAME
    );
    let mut roles = options.role.clone();
    roles.sort();
    roles.dedup();
    let is_worker = roles.contains(&Role::Worker);
    anyhow::ensure!(is_worker || options.queue.is_empty(), "--queue needs --role worker");
    for role in &roles {
        Grant::new(*role, scope.clone(), Vec::new()).map_err(|why| anyhow::anyhow!("{why}"))?;
    }
    let new = NewKey::random();
    let row = NewKeyRow {
        id: &new.id,
        scope: &scope,
        name: &options.name,
        roles: &roles,
        queues: &options.queue,
        hash: new.hash,
        created_by: CREATOR,
        expires_after: options.expires_after,
    };
    let made = connect(&options.source).await?.create_key(&row, limits::API_KEYS).await?;
    made.with_context(|| {
        format!("namespace {} has {} API keys already", options.namespace, limits::API_KEYS)
    })?;
    Ok(new.text)
}

fn scope(text: &str) -> anyhow::Result<Scope> {
    Scope::parse(text).map_err(|why| anyhow::anyhow!("--namespace {why}"))
}

fn roles(key: &KeyRow) -> String {
    let words: Vec<&str> = key.roles.iter().map(|role| role.word()).collect();
    words.join(",")
}

async fn connect(source: &Source) -> anyhow::Result<Store> {
    let config: Config = source.load()?;
    let settings = store::Settings {
        url: config.database_url()?,
        hot_connections: 1,
        read_connections: 1,
        acquire_timeout: Duration::from_secs(10),
        statement_timeout: config.store.statement_timeout,
    };
    let metrics = Metrics::new(&[], &[]);
    Store::connect(settings, Arc::new(SystemClock), &metrics.database).await
}
