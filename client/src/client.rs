//! The connection to a server.

use std::time::Duration;

use bellringer_api::v1::access_service_client::AccessServiceClient;
use bellringer_api::v1::admin_service_client::AdminServiceClient;
use bellringer_api::v1::queue_service_client::QueueServiceClient;
use bellringer_api::v1::schedule_service_client::ScheduleServiceClient;
use bellringer_api::v1::stats_service_client::StatsServiceClient;
use bellringer_api::v1::task_service_client::TaskServiceClient;
use bellringer_api::v1::worker_service_client::WorkerServiceClient;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};

use crate::auth::{Credentials, Token};
use crate::error::Error;
use crate::tls::Tls;
use crate::trace::Source;

/// Largest answer that is taken: a page of full tasks.
const LARGEST_ANSWER: usize = 16 << 20;

/// What the generated clients talk through: the channel, with the token of the client.
pub type Connection = InterceptedService<Channel, Credentials>;

/// A connection to a server, or to several replicas of it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    connection: Connection,
    namespace: String,
    pub(crate) request_timeout: Duration,
    pub(crate) auto_idempotency: bool,
}

/// Settings of a [`Client`].
#[derive(Debug, Clone)]
pub struct Builder {
    addresses: String,
    namespace: String,
    token: Option<Token>,
    trace: Source,
    tls: Tls,
    connect_timeout: Duration,
    request_timeout: Duration,
    auto_idempotency: bool,
}

impl Client {
    /// Connects to `http://host:port`, or to several such addresses with commas between them. With
    /// `https://` the server must have a certificate that this machine trusts, or see
    /// [`Builder::tls_ca`].
    ///
    /// # Errors
    /// If an address is wrong, or a single one cannot be reached.
    pub async fn connect(addresses: impl Into<String>) -> Result<Self, Error> {
        Self::builder(addresses).connect().await
    }

    /// Settings for a connection to these addresses.
    pub fn builder(addresses: impl Into<String>) -> Builder {
        Builder {
            addresses: addresses.into(),
            namespace: String::new(),
            token: None,
            trace: Source::default(),
            tls: Tls::default(),
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
            auto_idempotency: false,
        }
    }

    /// The namespace of every call; empty: the server's default.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The generated client of `TaskService`.
    pub fn task_service(&self) -> TaskServiceClient<Connection> {
        TaskServiceClient::new(self.connection.clone()).max_decoding_message_size(LARGEST_ANSWER)
    }

    /// The generated client of `StatsService`.
    pub fn stats_service(&self) -> StatsServiceClient<Connection> {
        StatsServiceClient::new(self.connection.clone()).max_decoding_message_size(LARGEST_ANSWER)
    }

    /// The generated client of `QueueService`.
    pub fn queue_service(&self) -> QueueServiceClient<Connection> {
        QueueServiceClient::new(self.connection.clone()).max_decoding_message_size(LARGEST_ANSWER)
    }

    /// The generated client of `ScheduleService`.
    pub fn schedule_service(&self) -> ScheduleServiceClient<Connection> {
        ScheduleServiceClient::new(self.connection.clone())
            .max_decoding_message_size(LARGEST_ANSWER)
    }

    /// The generated client of `AdminService`.
    pub fn admin_service(&self) -> AdminServiceClient<Connection> {
        AdminServiceClient::new(self.connection.clone()).max_decoding_message_size(LARGEST_ANSWER)
    }

    /// The generated client of `AccessService`.
    pub fn access_service(&self) -> AccessServiceClient<Connection> {
        AccessServiceClient::new(self.connection.clone()).max_decoding_message_size(LARGEST_ANSWER)
    }

    /// The generated client of `WorkerService`.
    pub fn worker_service(&self) -> WorkerServiceClient<Connection> {
        WorkerServiceClient::new(self.connection.clone()).max_decoding_message_size(LARGEST_ANSWER)
    }
}

impl Builder {
    /// Namespace of every call. Default: the server's default.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// Sends `authorization: Bearer TOKEN` with every call: an API key of the service. Over `http://` everybody on the way can
    /// read it. Default: none.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(Token(token.into()));
        self
    }

    /// Asks `tell` at every call for the W3C `traceparent` that goes with it. Default: with the feature
    /// `otel` the context of the current span, else none.
    #[must_use]
    pub fn trace_context(
        mut self,
        tell: impl Fn() -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.trace = Source::new(tell);
        self
    }

    /// Trusts servers whose certificates are signed by one of these, as PEM, and no others. For
    /// `https://` addresses. Default: what this machine trusts.
    #[must_use]
    pub fn tls_ca(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.tls.ca = Some(pem.as_ref().to_owned());
        self
    }

    /// Shows a certificate to the server, for servers that ask for one: the certificate with its
    /// chain, and its private key, as PEM. For `https://` addresses. Default: none.
    #[must_use]
    pub fn tls_identity(mut self, cert: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        self.tls.identity = Some((cert.as_ref().to_owned(), key.as_ref().to_owned()));
        self
    }

    /// The name that the server's certificate must be for, if it is not that of the address: for
    /// tunnels. For `https://` addresses. Default: the address's.
    #[must_use]
    pub fn tls_server_name(mut self, name: impl Into<String>) -> Self {
        self.tls.server_name = Some(name.into());
        self
    }

    /// Longest time to connect. Default: 5 s.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Longest time for a call, repetitions included. Default: 30 s.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// Gives every submitted task without an idempotency key a random one, so that submitting can be
    /// repeated when an answer got lost. Costs the server a row for each task. Default: off.
    #[must_use]
    pub fn auto_idempotency(mut self, on: bool) -> Self {
        self.auto_idempotency = on;
        self
    }

    /// Connects. Of several addresses none is tried before the first call.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub async fn connect(self) -> Result<Client, Error> {
        let mut endpoints = self.endpoints()?;
        let channel = match endpoints.len() {
            1 => endpoints.remove(0).connect().await?,
            _ => Channel::balance_list(endpoints.into_iter()),
        };
        self.client(channel)
    }

    /// Connects with the first call. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If an address is wrong.
    pub fn connect_lazy(self) -> Result<Client, Error> {
        let mut endpoints = self.endpoints()?;
        let channel = match endpoints.len() {
            1 => endpoints.remove(0).connect_lazy(),
            _ => Channel::balance_list(endpoints.into_iter()),
        };
        self.client(channel)
    }

    fn client(self, channel: Channel) -> Result<Client, Error> {
        let mut credentials = Credentials::try_from(self.token.as_ref())?;
        credentials.trace = self.trace;
        Ok(Client {
            connection: InterceptedService::new(channel, credentials),
            namespace: self.namespace,
            request_timeout: self.request_timeout,
            auto_idempotency: self.auto_idempotency,
        })
    }

    fn endpoints(&self) -> Result<Vec<Endpoint>, Error> {
        let addresses = self.addresses.split(',').map(str::trim).filter(|text| !text.is_empty());
        let endpoints =
            addresses.map(|address| self.endpoint(address)).collect::<Result<Vec<_>, Error>>()?;
        if endpoints.is_empty() {
            return Err(Error::Address("none was given".to_owned()));
        }
        Ok(endpoints)
    }

    fn endpoint(&self, address: &str) -> Result<Endpoint, Error> {
        let wrong = |why: &dyn std::fmt::Display| Error::Address(format!("{address}: {why}"));
        let endpoint = Endpoint::from_shared(address.to_owned()).map_err(|error| wrong(&error))?;
        let endpoint = match endpoint.uri().scheme_str() {
            // Whoever sets up TLS does not mean to go without.
            Some("http") if self.tls.is_set() => {
                return Err(wrong(&"must start with https://, since TLS is set up"));
            }
            Some("http") => endpoint,
            Some("https") => {
                endpoint.tls_config(self.tls.config()).map_err(|error| wrong(&error))?
            }
            _ => return Err(wrong(&"must start with http:// or https://")),
        };
        Ok(endpoint
            .user_agent(concat!("bellringer-client/", env!("CARGO_PKG_VERSION")))
            .map_err(|error| wrong(&error))?
            .connect_timeout(self.connect_timeout)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10))
            .keep_alive_while_idle(true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_are_checked_before_they_are_used() {
        for good in ["http://127.0.0.1:1", "https://tasks.example", "http://a:1, http://b:2,"] {
            Client::builder(good).connect_lazy().unwrap();
        }
        for (wrong, why) in [
            ("", "none was given"),
            ("127.0.0.1:7117", "must start with http"),
            ("grpc://a:1", "must start with http"),
            ("http://a:1,http://b c", "http://b c"),
        ] {
            let error = Client::builder(wrong).connect_lazy().unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[tokio::test]
    async fn a_token_is_not_shown_and_a_wrong_one_refused() {
        let builder = Client::builder("http://127.0.0.1:1").token("canary");
        assert!(!format!("{builder:?}").contains("canary"));
        let client = builder.connect_lazy().unwrap();
        assert!(!format!("{client:?}").contains("canary"));
        let wrong = Client::builder("http://127.0.0.1:1").token("a\nb").connect_lazy();
        assert!(matches!(wrong, Err(Error::Settings(_))));
    }

    #[tokio::test]
    async fn what_is_set_up_for_tls_is_used_or_refused_and_its_key_is_never_shown() {
        let builder = Client::builder("http://127.0.0.1:1").tls_identity("cert", "canary");
        assert!(!format!("{builder:?}").contains("canary"));
        let error = builder.connect_lazy().unwrap_err().to_string();
        assert!(error.contains("https://"), "{error}");
        let wrong = Client::builder("https://127.0.0.1:1").tls_identity("cert", "canary");
        let error = wrong.connect_lazy().unwrap_err().to_string();
        assert!(error.contains("127.0.0.1") && !error.contains("canary"), "{error}");
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_was_never_asked() {
        let address = "http://127.0.0.1:1";
        let error = Client::connect(address).await.unwrap_err();
        assert!(error.is_retryable() && !error.outcome_unknown(), "{error}");
        assert!(error.to_string().contains("refused"), "{error}");
        for addresses in [address, "http://127.0.0.1:1,http://127.0.0.1:2"] {
            let client = Client::builder(addresses).connect_lazy().unwrap();
            let error = client.submit(crate::NewTask::new("work")).await.unwrap_err();
            assert!(error.is_retryable() && !error.outcome_unknown(), "{error}");
        }
    }
}
