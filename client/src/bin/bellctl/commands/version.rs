//! `bellctl version`: this program's version, and whether the server is well.

use clap::Args;
use serde_json::json;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{app::App, exit::Exit, failure::Failure};

/// Show the version of bellctl, and whether the server can be reached and is healthy
#[derive(Debug, Args)]
#[command(after_help = "\
The exit code is 5 if the server cannot be reached or does not serve.

Example:
  bellctl version --server http://bellringer.internal:7117")]
pub(crate) struct Version {}

impl Version {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        let version = env!("CARGO_PKG_VERSION");
        let health = health(app).await;
        let word = match &health {
            Ok(ServingStatus::Serving) => "serving",
            Ok(ServingStatus::NotServing) => "not serving",
            Ok(ServingStatus::Unknown | ServingStatus::ServiceUnknown) => "unknown",
            Err(_) => "unreachable",
        };
        if app.out.is_json() {
            let server = json!({"address": app.server, "health": word});
            app.out.document(&json!({"bellctl": version, "server": server}))?;
        } else {
            app.out.line(&format!("bellctl {version}\nserver  {} ({word})", app.server))?;
        }
        match health {
            Ok(ServingStatus::Serving) => Ok(Exit::Ok),
            Ok(_) => Ok(Exit::Unavailable),
            Err(mut failure) => {
                failure.exit = Exit::Unavailable;
                Err(failure)
            }
        }
    }
}

async fn health(app: &App) -> Result<ServingStatus, Failure> {
    let request = HealthCheckRequest { service: String::new() };
    let mut client = HealthClient::new(app.channel());
    Ok(app.call(client.check(request)).await?.status())
}
