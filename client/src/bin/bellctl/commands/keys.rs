//! `bellctl keys`: makes, lists and revokes API keys.

use bellringer_api::v1::{
    ApiKey, CreateApiKeyRequest, ListApiKeysRequest, RevokeApiKeyRequest, Role,
};
use clap::{Args, Subcommand, ValueEnum};
use comfy_table::Cell;
use serde_json::{Value, json};

use crate::{
    app::App,
    commands::whoami::role_word,
    exit::Exit,
    failure::Failure,
    paint::{cut, one_line},
    render::json::timestamp,
    time::{self, Length},
};

/// Make, list and revoke API keys
#[derive(Debug, Args)]
#[command(after_help = "\
A key is for one namespace, or for every one: -n '*'.

Example:
  bellctl keys create 'billing service' --role submitter -n billing
  bellctl keys list -n billing")]
pub(crate) struct Keys {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Make a key and print it; it cannot be shown again
    #[command(after_help = "\
Example:
  bellctl keys create mailer --role worker --queue mail --expires-after 90d -n acme
  (umask 077; bellctl keys create ci --role submitter -n acme > ci.key)")]
    Create {
        /// What or who uses it
        #[arg(value_name = "TEXT")]
        name: String,
        /// What it may do; may be repeated
        #[arg(long, value_enum, required = true, value_name = "ROLE")]
        role: Vec<RoleName>,
        /// With role worker: the only queues; may be repeated [default: all]
        #[arg(long, value_name = "QUEUE")]
        queue: Vec<String>,
        /// It ends by itself after this long [default: never]
        #[arg(long, value_name = "DURATION")]
        expires_after: Option<Length>,
    },
    /// List the keys of the namespace, newest first, without their secrets
    #[command(after_help = "Example:\n  bellctl keys list -n acme --all")]
    List {
        /// Also those that were revoked or have expired
        #[arg(long)]
        all: bool,
    },
    /// End a key for ever: within 30 s on every replica, and open streams within a minute
    #[command(after_help = "Example:\n  bellctl keys revoke 0123456789abcdef -n acme")]
    Revoke {
        /// Id of the key: between `brk_` and the next `_`
        #[arg(value_name = "ID")]
        id: String,
    },
}

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RoleName {
    /// Sees tasks, queues and schedules, without payloads and results
    Viewer,
    /// Submits, cancels and retries tasks, and sees all of them
    Submitter,
    /// Runs tasks
    Worker,
    /// Makes, changes and fires schedules
    SchedulerEditor,
    /// Does everything in the namespace, and gives keys for it
    NsAdmin,
    /// Does everything in every namespace, and runs the service
    Operator,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Viewer => Self::Viewer,
            RoleName::Submitter => Self::Submitter,
            RoleName::Worker => Self::Worker,
            RoleName::SchedulerEditor => Self::SchedulerEditor,
            RoleName::NsAdmin => Self::NsAdmin,
            RoleName::Operator => Self::Operator,
        }
    }
}

impl Keys {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        match self.command {
            KeysCommand::Create { name, role, queue, expires_after } => {
                let request = CreateApiKeyRequest {
                    namespace: app.namespace.clone(),
                    name,
                    roles: role.into_iter().map(|role| Role::from(role).into()).collect(),
                    queues: queue,
                    expires_after: expires_after.map(Length::to_proto),
                };
                let made = app.call(app.access().create_api_key(request)).await?;
                let key = made.key.unwrap_or_default();
                if app.out.is_json() {
                    let mut value = key_json(&key);
                    value["secret"] = json!(made.secret);
                    app.out.document(&value)?;
                } else {
                    app.out.remark("this is the only time that the key is shown; keep it safe");
                    app.out.line(&made.secret)?;
                }
            }
            KeysCommand::List { all } => list(app, all).await?,
            KeysCommand::Revoke { id } => {
                let request = RevokeApiKeyRequest { namespace: app.namespace.clone(), id };
                let answer = app.call(app.access().revoke_api_key(request)).await?;
                let key = answer.key.unwrap_or_default();
                if app.out.is_json() {
                    app.out.document(&key_json(&key))?;
                } else {
                    app.out.line(&format!("revoked {} ({})", key.id, one_line(&key.name)))?;
                }
            }
        }
        Ok(Exit::Ok)
    }
}

async fn list(app: &App, include_ended: bool) -> Result<(), Failure> {
    let mut keys = Vec::new();
    let mut page_token = String::new();
    loop {
        let namespace = app.namespace.clone();
        let request = ListApiKeysRequest { namespace, page_size: 1000, page_token, include_ended };
        let answer =
            app.repeat(|| async { app.access().list_api_keys(request.clone()).await }).await?;
        keys.extend(answer.keys);
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    if app.out.is_json() {
        let keys: Vec<_> = keys.iter().map(key_json).collect();
        return app.out.document(&json!({"keys": keys}));
    }
    if keys.is_empty() {
        app.out.remark(&format!("no API keys in namespace {}", app.namespace));
        return Ok(());
    }
    app.out.table(
        &["ID", "NAME", "ROLES", "CREATED", "LAST USED", "ENDS"],
        keys.iter().map(row).collect(),
    )
}

fn row(key: &ApiKey) -> Vec<Cell> {
    let now = time::now();
    let when = |at: Option<&prost_types::Timestamp>, never: &str| {
        at.and_then(time::from_proto).map_or_else(|| never.to_owned(), |at| time::relative(at, now))
    };
    let ends = match &key.revoked_at {
        Some(at) => format!("revoked {}", when(Some(at), "")),
        None => when(key.expires_at.as_ref(), "never"),
    };
    vec![
        Cell::new(&key.id),
        Cell::new(cut(&one_line(&key.name), 40)),
        Cell::new(roles_text(key)),
        Cell::new(when(key.created_at.as_ref(), "")),
        Cell::new(when(key.last_used_at.as_ref(), "never")),
        Cell::new(ends),
    ]
}

fn roles_text(key: &ApiKey) -> String {
    let words: Vec<&str> = key.roles().map(role_word).collect();
    let queues =
        if key.queues.is_empty() { String::new() } else { format!(" ({})", key.queues.join(", ")) };
    format!("{}{queues}", words.join(", "))
}

fn key_json(key: &ApiKey) -> Value {
    json!({
        "id": key.id,
        "name": key.name,
        "namespace": key.namespace,
        "roles": key.roles().map(role_word).collect::<Vec<_>>(),
        "queues": key.queues,
        "created_by": key.created_by,
        "created_at": timestamp(key.created_at.as_ref()),
        "expires_at": timestamp(key.expires_at.as_ref()),
        "last_used_at": timestamp(key.last_used_at.as_ref()),
        "revoked_at": timestamp(key.revoked_at.as_ref()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_told_without_a_secret() {
        let key = ApiKey {
            id: "0123456789abcdef".to_owned(),
            name: "mailer".to_owned(),
            roles: vec![Role::Worker.into()],
            queues: vec!["mail".to_owned()],
            ..ApiKey::default()
        };
        assert_eq!(roles_text(&key), "worker (mail)");
        assert_eq!(key_json(&key)["last_used_at"], Value::Null);
        assert_eq!(key_json(&key).get("secret"), None);
    }
}
