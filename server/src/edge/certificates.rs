//! The server's certificate, and whose clients' certificates it takes: read from files, and again
//! when these change. New connections get the new ones. Streams that are open stay as they are, unless their client's
//! certificate is no longer taken: then the connection is asked to end.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::ClientCertVerifier as _;
use rustls::{RootCertStore, ServerConfig};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::client_verifier::ClientVerifier;
use crate::metrics::Connections;

/// Between two readings of files that do not fit together: somebody may be writing them.
const SETTLING: Duration = Duration::from_millis(250);
/// Largest file: chains and bundles are far smaller.
const LARGEST_FILE: u64 = 4 << 20;

/// Where everything is.
#[derive(Debug, Clone)]
pub struct Files {
    /// The certificate with its chain, as PEM.
    pub cert: PathBuf,
    /// Its private key, as PEM.
    pub key: PathBuf,
    /// The certificates that clients' certificates are signed by, as PEM; `None`: clients show none.
    pub client_ca: Option<PathBuf>,
    /// Whether clients without a certificate may connect all the same.
    pub client_optional: bool,
    /// Whether TLS 1.2 is too old.
    pub only_tls13: bool,
}

/// What new connections are served with.
pub type Serving = watch::Receiver<Arc<Current>>;

/// What the files make.
#[derive(Debug)]
pub struct Current {
    /// For handshakes.
    pub(super) config: Arc<ServerConfig>,
    /// Asked about clients' certificates in handshakes, and again when the files have changed.
    clients: Option<Arc<ClientVerifier>>,
}

impl Current {
    /// Whether a client with this certificate, and what stands between it and its authority, would be let in now.
    pub(super) fn takes(&self, chain: &[CertificateDer<'_>]) -> bool {
        let (Some(clients), Some((own, between))) = (&self.clients, chain.split_first()) else {
            return true;
        };
        clients.verify_client_cert(own, between, UnixTime::now()).is_ok()
    }
}

/// Looks after the files.
#[derive(Debug)]
pub struct Certificates {
    files: Files,
    /// What was in the files at the last look, whether it could be used or not.
    seen: [u8; 32],
    serving: watch::Sender<Arc<Current>>,
    counters: Arc<Connections>,
}

/// The contents of the files.
struct Contents {
    cert: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

impl Certificates {
    /// Reads the files.
    ///
    /// # Errors
    /// If they cannot be read or used: there is no TLS to fall back to.
    pub async fn load(files: Files, counters: Arc<Connections>) -> anyhow::Result<Self> {
        let contents = read(&files).await?;
        let config = contents.config(&files)?;
        let seen = contents.digest();
        Ok(Self { files, seen, serving: watch::Sender::new(Arc::new(config)), counters })
    }

    /// What new connections are served with, now and later.
    pub fn serving(&self) -> Serving {
        self.serving.subscribe()
    }

    /// Looks at the files again and again until stopped. They are read, not watched: what notifies of
    /// changes misses those of mounted secrets, which are links to links, on some file systems.
    pub async fn follow(mut self, interval: Duration, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(interval) => self.look().await,
            }
        }
    }

    /// Takes new files into use if they can be, else keeps what there is.
    pub async fn look(&mut self) {
        let mut read = self.read_changed().await;
        if matches!(read, Ok(Some((_, Err(_)))) | Err(_)) {
            // Certificate and key may have been written one after the other.
            tokio::time::sleep(SETTLING).await;
            read = self.read_changed().await;
        }
        let (cert, key) = (self.files.cert.display(), self.files.key.display());
        match read {
            Ok(None) => {}
            Ok(Some((seen, Ok(config)))) => {
                self.seen = seen;
                self.serving.send_replace(Arc::new(config));
                self.counters.reloads.inc();
                tracing::info!(%cert, "the new certificate is in use");
            }
            Ok(Some((seen, Err(error)))) => {
                self.seen = seen;
                self.counters.failed_reloads.inc();
                let error = format!("{error:#}");
                tracing::error!(%cert, %key, error, "the new certificate cannot be used; the old one stays");
            }
            Err(error) => {
                self.counters.failed_reloads.inc();
                let error = format!("{error:#}");
                tracing::error!(%cert, %key, error, "the certificate cannot be read; the old one stays");
            }
        }
    }

    /// What the files make, if they are not as they were.
    async fn read_changed(&self) -> anyhow::Result<Option<([u8; 32], anyhow::Result<Current>)>> {
        let contents = read(&self.files).await?;
        let digest = contents.digest();
        Ok((digest != self.seen).then(|| (digest, contents.config(&self.files))))
    }
}

async fn read(files: &Files) -> anyhow::Result<Contents> {
    let client_ca = match &files.client_ca {
        Some(path) => Some(read_file("tls.client_ca_file", path).await?),
        None => None,
    };
    Ok(Contents {
        cert: read_file("tls.cert_file", &files.cert).await?,
        key: read_file("tls.key_file", &files.key).await?,
        client_ca,
    })
}

async fn read_file(setting: &str, path: &Path) -> anyhow::Result<Vec<u8>> {
    let shown = path.display();
    let read = async {
        let size = tokio::fs::metadata(path).await?.len();
        if size > LARGEST_FILE {
            return Err(std::io::Error::other(format!("it has more than {LARGEST_FILE} bytes")));
        }
        tokio::fs::read(path).await
    };
    read.await.with_context(|| format!("{setting}: cannot read {shown}"))
}

impl Contents {
    fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for part in [Some(&self.cert), Some(&self.key), self.client_ca.as_ref()] {
            let part = part.map_or(&[][..], Vec::as_slice);
            digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }

    /// What to serve with. No error shows anything of the key.
    fn config(&self, files: &Files) -> anyhow::Result<Current> {
        let shown = files.cert.display();
        let chain = certificates(&self.cert)
            .with_context(|| format!("tls.cert_file: {shown} holds no certificate as PEM"))?;
        let shown = files.key.display();
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| anyhow::anyhow!("tls.key_file: {shown} holds no private key as PEM"))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions: &[_] = if files.only_tls13 {
            &[&rustls::version::TLS13]
        } else {
            &[&rustls::version::TLS13, &rustls::version::TLS12]
        };
        let builder =
            ServerConfig::builder_with_provider(provider).with_protocol_versions(versions)?;
        let mut clients = None;
        let builder = match (&self.client_ca, &files.client_ca) {
            (Some(text), Some(path)) => {
                let wrong = || format!("tls.client_ca_file: {}", path.display());
                let mut roots = RootCertStore::empty();
                for authority in certificates(text).with_context(wrong)? {
                    roots.add(authority).with_context(wrong)?;
                }
                let verifier =
                    ClientVerifier::new(roots, files.client_optional).with_context(wrong)?;
                clients = Some(verifier.clone());
                builder.with_client_cert_verifier(verifier)
            }
            _ => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| {
            anyhow::anyhow!("tls.cert_file and tls.key_file do not fit together: {error}")
        })?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        if self.client_ca.is_some() {
            // A resumed session would not show its certificate again, be it out of date by then.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(Current { config: Arc::new(config), clients })
    }
}

fn certificates(pem: &[u8]) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let all = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let all = all.context("this is not PEM")?;
    anyhow::ensure!(!all.is_empty(), "there is no certificate in it");
    Ok(all)
}
