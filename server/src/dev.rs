//! `bellringer dev`: the server on a private PostgreSQL, with everything said that one needs to know.

use std::path::Path;

use anyhow::Context as _;
use tokio::io::AsyncReadExt as _;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::cli::Dev;
use crate::clock::VirtualClock;
use crate::private_postgres::{Data, Options, PrivatePostgres, Speed};

/// Runs until `stop`.
///
/// # Errors
/// What is wrong and what to do about it.
#[expect(clippy::print_stdout, reason = "telling where everything is is the job")]
pub async fn run(dev: Dev, stop: CancellationToken) -> anyhow::Result<()> {
    let mut source = dev.source.clone();
    let own_database = source.database_url.is_some();
    let postgres = if own_database {
        None
    } else {
        let options = Options {
            bin_dir: dev.pg_bin.clone(),
            data: match (&dev.data_dir, dev.temporary) {
                (Some(folder), _) => Data::Kept(folder.clone()),
                (None, true) => Data::Temporary,
                (None, false) => Data::Default,
            },
            speed: Speed::Durable,
            port: None,
            settings: dev.pg_setting.clone(),
            install: !dev.no_install,
        };
        println!("starting a private PostgreSQL …");
        let started = tokio::task::spawn_blocking(move || PrivatePostgres::start(&options)).await?;
        let postgres = started.context("there is no private PostgreSQL")?;
        source.database_url = Some(postgres.url("bellringer"));
        Some(postgres)
    };
    let served = serve(&dev, &source, postgres.as_ref(), stop).await;
    if let Some(postgres) = postgres {
        tokio::task::spawn_blocking(move || postgres.stop()).await?;
    }
    if let Some(file) = &dev.handshake_file {
        std::fs::remove_file(file).ok();
    }
    println!("stopped");
    served
}

#[expect(clippy::print_stdout, reason = "telling where everything is is the job")]
async fn serve(
    dev: &Dev,
    source: &crate::cli::Source,
    postgres: Option<&PrivatePostgres>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut config = source.load()?;
    config.store.migrate = true;
    let clock = std::sync::Arc::new(VirtualClock::default());
    let app = App::start_with(&config, clock).await?;
    let address = app.local_addr();
    let scheme = if config.tls.cert_file.is_empty() { "http" } else { "https" };
    let url = format!("{scheme}://{address}");
    println!("{}", welcome(dev, postgres, &url));
    if let Some(file) = &dev.handshake_file {
        let database_url = postgres.map_or_else(String::new, PrivatePostgres::loopback_url);
        write_handshake(file, &url, &database_url)?;
    }
    let until = async {
        tokio::select! {
            () = stop.cancelled() => {}
            () = end_of_input(), if dev.exit_when_stdin_closes => {}
        }
        println!("stopping …");
    };
    app.run_until(until).await
}

fn welcome(dev: &Dev, postgres: Option<&PrivatePostgres>, url: &str) -> String {
    let (flag, address) = match url.strip_prefix("https://") {
        Some(address) => ("-cacert FILE", address),
        None => ("-plaintext", url.trim_start_matches("http://")),
    };
    let mut text = format!("\nBellringer is serving gRPC on {url}\n");
    if let Some(postgres) = postgres {
        let kept = if dev.temporary { "thrown away at the end" } else { "kept" };
        text.push_str(&format!(
            "  PostgreSQL {}: {}\n  data, {kept}: {}\n",
            postgres.version(),
            postgres.loopback_url(),
            postgres.data_dir().display(),
        ));
    }
    text.push_str(&format!(
        "\nTry it in another terminal:\n  \
         export BELLRINGER_SERVER={url}\n  \
         bellctl worker --exec 'hello=cat' &\n  \
         bellctl submit hello --payload '{{\"name\": \"world\"}}' --watch\n  \
         grpcurl {flag} -d '{{\"task\": {{\"kind\": \"hello\"}}}}' {address} \
         bellringer.v1.TaskService/Submit\n\nCtrl-C stops it.\n"
    ));
    text
}

/// Written beside and renamed, so that whoever waits for the file never reads half of it.
fn write_handshake(file: &Path, grpc_url: &str, database_url: &str) -> anyhow::Result<()> {
    let pid = std::process::id();
    let text = serde_json::json!({"grpc_url": grpc_url, "database_url": database_url, "pid": pid});
    let unfinished = file.with_extension("unfinished");
    std::fs::write(&unfinished, text.to_string())
        .and_then(|()| std::fs::rename(&unfinished, file))
        .with_context(|| format!("cannot write {}", file.display()))
}

async fn end_of_input() {
    let mut input = tokio::io::stdin();
    let mut buffer = [0; 256];
    while matches!(input.read(&mut buffer).await, Ok(1..)) {}
}
