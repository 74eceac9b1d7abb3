//! Getting one small document over HTTPS: no redirects, no proxies, and never more than was asked for.

use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::header::{ACCEPT, CONNECTION, HOST};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::config::{check_url, url_host};

/// Gets a document of up to `largest` bytes.
pub(super) async fn get(url: &str, largest: usize) -> anyhow::Result<Vec<u8>> {
    let uri = check_url(url).map_err(|why| anyhow::anyhow!("{url}: {why}"))?;
    let host = url_host(&uri).context("no host")?.to_owned();
    let is_secure = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
    let socket = TcpStream::connect((host.as_str(), port)).await.context("cannot connect")?;
    if !is_secure {
        return ask(socket, &uri, largest).await;
    }
    let connector = TlsConnector::from(Arc::new(trust()?));
    let name = ServerName::try_from(host).context("the host is no name")?;
    ask(connector.connect(name, socket).await.context("TLS failed")?, &uri, largest).await
}

async fn ask<S>(socket: S, uri: &Uri, largest: usize) -> anyhow::Result<Vec<u8>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path)
        .header(HOST, uri.authority().map_or("", |authority| authority.as_str()))
        .header(ACCEPT, "application/json")
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    let answer = async move {
        let response = sender.send_request(request).await?;
        let status = response.status();
        anyhow::ensure!(status == StatusCode::OK, "the answer is {status}");
        let body = Limited::new(response.into_body(), largest).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!("the answer cannot be read: {error}"))?;
        Ok(body.to_bytes().to_vec())
    };
    // The connection ends with the answer.
    let (answer, _) = tokio::join!(answer, connection);
    answer
}

/// Trusts whom this machine trusts.
fn trust() -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
