//! Authorities, certificates, and the files that they are in.

use std::net::SocketAddr;
use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use tempfile::TempDir;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};

/// Who signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, as PEM.
#[derive(Clone)]
pub(crate) struct Certified {
    pub(crate) cert: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a server on this machine.
    pub(crate) fn server(&self) -> Certified {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        self.sign(names.to_vec(), |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        })
    }

    /// A certificate for a client.
    pub(crate) fn client(&self) -> Certified {
        self.sign(vec!["worker.example".to_owned()], |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        })
    }

    /// A certificate that a test changes before it is signed.
    pub(crate) fn sign(
        &self,
        names: Vec<String>,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Certified {
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.0).unwrap();
        Certified { cert: cert.pem(), key: key.serialize_pem() }
    }
}

/// A folder as Kubernetes mounts a Secret: names are links into a folder that is itself a link,
/// which is replaced to change all files at once.
pub(crate) struct Secret {
    folder: TempDir,
    version: u32,
}

impl Secret {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let mut secret = Self { folder: tempfile::tempdir().unwrap(), version: 0 };
        secret.replace(files);
        for (name, _) in files {
            let link = secret.folder.path().join(name);
            std::os::unix::fs::symlink(PathBuf::from("..data").join(name), link).unwrap();
        }
        secret
    }

    pub(crate) fn replace(&mut self, files: &[(&str, &str)]) {
        self.version += 1;
        let version = format!("..{}", self.version);
        let (root, data) = (self.folder.path(), self.folder.path().join("..data"));
        std::fs::create_dir(root.join(&version)).unwrap();
        for (name, text) in files {
            std::fs::write(root.join(&version).join(name), text).unwrap();
        }
        std::os::unix::fs::symlink(&version, root.join("..new")).unwrap();
        std::fs::rename(root.join("..new"), data).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }
}

/// A connection that trusts `authority`, and shows `identity`.
pub(crate) async fn connect(
    address: SocketAddr,
    authority: &Authority,
    identity: Option<&Certified>,
) -> Result<Channel, tonic::transport::Error> {
    let mut tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(authority.pem()))
        .domain_name("localhost");
    if let Some(Certified { cert, key }) = identity {
        tls = tls.identity(Identity::from_pem(cert, key));
    }
    let endpoint = Channel::from_shared(format!("https://{address}")).unwrap();
    endpoint.tls_config(tls).unwrap().connect().await
}
