//! How the server's certificate is checked, and what is shown to it.

use std::path::{Path, PathBuf};

use clap::Args;
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use crate::failure::Failure;

/// Options for servers at https://.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Tls {
    /// Trust servers whose certificate is signed by one in this file (PEM), and no others
    /// [default: as this machine does]
    #[arg(
        long,
        global = true,
        env = "BELLRINGER_TLS_CA",
        value_name = "FILE",
        hide_env_values = true
    )]
    pub(crate) tls_ca: Option<PathBuf>,
    /// Certificate to show to the server, with its chain (PEM); needs --tls-key
    #[arg(
        long,
        global = true,
        env = "BELLRINGER_TLS_CERT",
        value_name = "FILE",
        hide_env_values = true
    )]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Private key of that certificate (PEM)
    #[arg(
        long,
        global = true,
        env = "BELLRINGER_TLS_KEY",
        value_name = "FILE",
        hide_env_values = true
    )]
    pub(crate) tls_key: Option<PathBuf>,
    /// Name that the server's certificate must be for, if not that of the address: for tunnels
    #[arg(long, global = true, env = "BELLRINGER_TLS_SERVER_NAME", value_name = "NAME")]
    #[arg(hide_env_values = true)]
    pub(crate) tls_server_name: Option<String>,
}

impl Tls {
    /// Whether any option was given.
    pub(crate) fn is_set(&self) -> bool {
        let Self { tls_ca, tls_cert, tls_key, tls_server_name } = self;
        let files = [tls_ca, tls_cert, tls_key];
        tls_server_name.is_some() || files.iter().any(|file| file.is_some())
    }

    /// Lets a program that is started connect as this one does.
    pub(crate) fn pass_on(&self, command: &mut tokio::process::Command) {
        let Self { tls_ca, tls_cert, tls_key, tls_server_name } = self;
        let files = [
            ("BELLRINGER_TLS_CA", tls_ca),
            ("BELLRINGER_TLS_CERT", tls_cert),
            ("BELLRINGER_TLS_KEY", tls_key),
        ];
        for (name, file) in files {
            if let Some(file) = file {
                command.env(name, file);
            }
        }
        if let Some(name) = tls_server_name {
            command.env("BELLRINGER_TLS_SERVER_NAME", name);
        }
    }

    /// Reads the files.
    ///
    /// # Errors
    /// One cannot be read, or one of a pair is missing.
    pub(crate) fn config(&self) -> Result<ClientTlsConfig, Failure> {
        let mut config = match &self.tls_ca {
            Some(path) => ClientTlsConfig::new()
                .ca_certificate(Certificate::from_pem(read("--tls-ca", path)?)),
            None => ClientTlsConfig::new().with_native_roots(),
        };
        match (&self.tls_cert, &self.tls_key) {
            (None, None) => {}
            (Some(cert), Some(key)) => {
                let identity =
                    Identity::from_pem(read("--tls-cert", cert)?, read("--tls-key", key)?);
                config = config.identity(identity);
            }
            (Some(_), None) => return Err(Failure::usage("--tls-cert needs --tls-key".to_owned())),
            (None, Some(_)) => return Err(Failure::usage("--tls-key needs --tls-cert".to_owned())),
        }
        if let Some(name) = &self.tls_server_name {
            config = config.domain_name(name);
        }
        Ok(config)
    }
}

fn read(option: &str, path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| {
        Failure::usage(format!("{option}: cannot read {}: {error}", path.display()))
    })
}
