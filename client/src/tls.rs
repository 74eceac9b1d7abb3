//! How the server's certificate is checked, and what is shown to it.

use std::fmt;

use tonic::transport::{Certificate, ClientTlsConfig, Identity};

/// What of TLS is not by default. All texts are PEM.
#[derive(Clone, Default)]
pub(crate) struct Tls {
    /// Who may have signed the server's certificate; `None`: whom this machine trusts.
    pub(crate) ca: Option<Vec<u8>>,
    /// Certificate and key of the client.
    pub(crate) identity: Option<(Vec<u8>, Vec<u8>)>,
    /// What the server's certificate must be for; `None`: the address.
    pub(crate) server_name: Option<String>,
}

impl Tls {
    pub(crate) fn is_set(&self) -> bool {
        self.ca.is_some() || self.identity.is_some() || self.server_name.is_some()
    }

    pub(crate) fn config(&self) -> ClientTlsConfig {
        let mut config = match &self.ca {
            Some(ca) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca)),
            None => ClientTlsConfig::new().with_native_roots(),
        };
        if let Some((cert, key)) = &self.identity {
            config = config.identity(Identity::from_pem(cert, key));
        }
        if let Some(name) = &self.server_name {
            config = config.domain_name(name);
        }
        config
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("ca", &self.ca.is_some())
            .field("identity", &self.identity.as_ref().map(|_| "[redacted]"))
            .field("server_name", &self.server_name)
            .finish()
    }
}
