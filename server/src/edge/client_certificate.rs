//! What a client's certificate says of its owner. Read once for each connection.

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// The certificate that a client has shown in a handshake, and proved to own. It was checked: signed by
/// the authority for clients, valid at the time, and meant for clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The URIs among its alternative names, as they stand there.
    pub uris: Vec<String>,
    /// The end of its time.
    pub expires_at: Timestamp,
}

/// A certificate that rustls could read, and this program cannot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the certificate cannot be read")]
pub struct Unreadable;

impl ClientCertificate {
    /// Reads the certificate.
    ///
    /// # Errors
    /// If its names or its end cannot be read.
    pub fn read(certificate: &CertificateDer<'_>) -> Result<Self, Unreadable> {
        let read = Certificate::from_der(certificate).map_err(|_| Unreadable)?.tbs_certificate;
        let names = read.get::<SubjectAltName>().map_err(|_| Unreadable)?;
        let names = names.map(|(_, names)| names.0).unwrap_or_default();
        let uris = names.into_iter().filter_map(|name| match name {
            GeneralName::UniformResourceIdentifier(uri) => Some(uri.to_string()),
            _ => None,
        });
        let end = read.validity.not_after.to_unix_duration().as_secs();
        let end = i64::try_from(end).map_err(|_| Unreadable)?;
        // The end of the year 9999 stands for certificates that have no end.
        let expires_at = Timestamp::from_second(end).unwrap_or(Timestamp::MAX);
        Ok(Self { uris: uris.collect(), expires_at })
    }
}
