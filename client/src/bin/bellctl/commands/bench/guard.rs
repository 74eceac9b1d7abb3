//! What a server is guarded by when the cost of that is measured: TLS, an API key for each call, and rates.

use std::fs;
use std::path::PathBuf;

use bellringer_api::v1 as pb;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use tempfile::TempDir;

use crate::{app::App, exit::Exit, failure::Failure};

/// Calls a second, and at once: far above what a machine does, so that they are counted and never refused.
const RATE: &str = "1000000";

/// Files of the certificates, and the key.
pub(super) struct Guard {
    folder: TempDir,
    /// To be sent with each call.
    pub(super) key: String,
}

impl Guard {
    /// Makes certificates, and has a server that asks nobody make an API key.
    ///
    /// # Errors
    /// Files cannot be written, or the server gives no key.
    pub(super) async fn new(open: &App) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let (authority, cert, key) = certificates()
            .map_err(|error| Failure::new(Exit::Other, format!("no certificate: {error}")))?;
        for (name, text) in [("ca.crt", authority), ("tls.crt", cert), ("tls.key", key)] {
            fs::write(folder.path().join(name), text)?;
        }
        let request = pb::CreateApiKeyRequest {
            namespace: "*".to_owned(),
            name: "bellctl bench".to_owned(),
            roles: vec![pb::Role::Operator.into()],
            expires_after: Some(prost_types::Duration { seconds: 24 * 3600, nanos: 0 }),
            ..Default::default()
        };
        let key = open.call(open.access().create_api_key(request)).await?.secret;
        Ok(Self { folder, key })
    }

    /// What has signed the server's certificate.
    pub(super) fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }

    /// Settings of the server, as variables of its environment.
    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        let mut settings = vec![
            ("BELLRINGER__TLS__CERT_FILE", file("tls.crt")),
            ("BELLRINGER__TLS__KEY_FILE", file("tls.key")),
            ("BELLRINGER__AUTH__MECHANISMS", "keys".to_owned()),
            ("BELLRINGER__RATES__LIMIT", "on".to_owned()),
        ];
        settings.extend(
            [
                "BELLRINGER__RATES__PER_CALLER",
                "BELLRINGER__RATES__PER_CALLER_BURST",
                "BELLRINGER__RATES__PER_NAMESPACE",
                "BELLRINGER__RATES__PER_NAMESPACE_BURST",
            ]
            .map(|name| (name, RATE.to_owned())),
        );
        settings
    }
}

/// Of an authority, and of a server on this machine with its key, as PEM.
fn certificates() -> Result<(String, String, String), rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let key = KeyPair::generate()?;
    let cert = CertificateParams::new(names.to_vec())?.signed_by(&key, &authority)?;
    Ok((authority.pem(), cert.pem(), key.serialize_pem()))
}
