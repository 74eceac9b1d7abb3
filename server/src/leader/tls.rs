//! TLS for the leader's connection, with the meaning that libpq gives to `sslmode`: without
//! `verify-…` the channel is encrypted and the server's name is not checked.

use std::fmt;
use std::sync::Arc;

use anyhow::Context as _;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

/// What of the server's certificate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// Nothing.
    None,
    /// Who signed it.
    Chain,
    /// Who signed it, and the name.
    Full,
}

/// Whom to trust, and who we are. Each text is PEM, or the path of a file with it.
#[derive(Clone)]
pub(super) struct Trust {
    /// What is checked.
    pub level: Level,
    /// Certificates of those who sign; default: those of the machine.
    pub root: Option<String>,
    /// Our own certificate.
    pub certificate: Option<String>,
    /// Its key.
    pub key: Option<String>,
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").field("level", &self.level).finish_non_exhaustive()
    }
}

/// What tokio-postgres connects with.
///
/// # Errors
/// If a file cannot be read.
pub(super) fn connector(trust: &Trust) -> anyhow::Result<MakeRustlsConnect> {
    let provider = Arc::new(ring::default_provider());
    let roots = match trust.level {
        Level::None => RootCertStore::empty(),
        Level::Chain | Level::Full => roots(trust.root.as_deref())?,
    };
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?;
    let builder = match trust.level {
        Level::Full => builder.with_webpki_verifier(
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()?,
        ),
        Level::None | Level::Chain => {
            let roots = (trust.level == Level::Chain).then_some(roots);
            let lenient = Lenient { provider, roots };
            builder.dangerous().with_custom_certificate_verifier(Arc::new(lenient))
        }
    };
    let config = match (&trust.certificate, &trust.key) {
        (Some(certificate), Some(key)) => {
            let key = PrivateKeyDer::from_pem_slice(&pem(key)?)
                .context("cannot read the key of the leader's certificate")?;
            builder.with_client_auth_cert(certificates(certificate)?, key)?
        }
        _ => builder.with_no_client_auth(),
    };
    Ok(MakeRustlsConnect::new(config))
}

fn certificates(source: &str) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let pem = pem(source)?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .context("cannot read a certificate for the leader's connection")?;
    anyhow::ensure!(!found.is_empty(), "no certificate where one for the leader should be");
    Ok(found)
}

fn pem(source: &str) -> anyhow::Result<Vec<u8>> {
    if source.trim_start().starts_with("-----BEGIN") {
        return Ok(source.as_bytes().to_vec());
    }
    std::fs::read(source).with_context(|| format!("cannot read {source}"))
}

fn roots(source: Option<&str>) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    match source {
        Some(source) => {
            for certificate in certificates(source)? {
                roots.add(certificate)?;
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
        }
    }
    Ok(roots)
}

/// Checks no name, and who signed the certificate only if there are roots.
#[derive(Debug)]
struct Lenient {
    provider: Arc<CryptoProvider>,
    roots: Option<RootCertStore>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(roots) = &self.roots {
            verify_server_cert_signed_by_trust_anchor(
                &ParsedCertificate::try_from(end_entity)?,
                roots,
                intermediates,
                now,
                self.provider.signature_verification_algorithms.all,
            )?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
