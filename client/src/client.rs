//! The connection to a server.

use std::time::Duration;

use bellringer_api::v1::queue_service_client::QueueServiceClient;
use bellringer_api::v1::task_service_client::TaskServiceClient;
use bellringer_api::v1::worker_service_client::WorkerServiceClient;
use tonic::transport::{Channel, Endpoint};

use crate::error::Error;

/// Largest answer that is taken: a page of full tasks.
const LARGEST_ANSWER: usize = 16 << 20;

/// A connection to a server, or to several replicas of it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    channel: Channel,
    namespace: String,
    pub(crate) request_timeout: Duration,
    pub(crate) auto_idempotency: bool,
}

/// Settings of a [`Client`].
#[derive(Debug, Clone)]
pub struct Builder {
    addresses: String,
    namespace: String,
    connect_timeout: Duration,
    request_timeout: Duration,
    auto_idempotency: bool,
}

impl Client {
    /// Connects to `http://host:port`, or to several such addresses with commas between them.
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
    pub fn task_service(&self) -> TaskServiceClient<Channel> {
        TaskServiceClient::new(self.channel.clone()).max_decoding_message_size(LARGEST_ANSWER)
    }

    /// The generated client of `QueueService`.
    pub fn queue_service(&self) -> QueueServiceClient<Channel> {
        QueueServiceClient::new(self.channel.clone())
    }

    /// The generated client of `WorkerService`.
    pub fn worker_service(&self) -> WorkerServiceClient<Channel> {
        WorkerServiceClient::new(self.channel.clone()).max_decoding_message_size(LARGEST_ANSWER)
    }
}

impl Builder {
    /// Namespace of every call. Default: the server's default.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
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

    /// Connects.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub async fn connect(self) -> Result<Client, Error> {
        let mut endpoints = self.endpoints()?;
        let channel = match endpoints.len() {
            1 => endpoints.remove(0).connect().await?,
            _ => Channel::balance_list(endpoints.into_iter()),
        };
        Ok(self.client(channel))
    }

    /// Connects with the first call.
    ///
    /// # Errors
    /// If an address is wrong.
    pub fn connect_lazy(self) -> Result<Client, Error> {
        let mut endpoints = self.endpoints()?;
        let channel = match endpoints.len() {
            1 => endpoints.remove(0).connect_lazy(),
            _ => Channel::balance_list(endpoints.into_iter()),
        };
        Ok(self.client(channel))
    }

    fn client(self, channel: Channel) -> Client {
        Client {
            channel,
            namespace: self.namespace,
            request_timeout: self.request_timeout,
            auto_idempotency: self.auto_idempotency,
        }
    }

    fn endpoints(&self) -> Result<Vec<Endpoint>, Error> {
        let addresses = self.addresses.split(',').map(str::trim).filter(|text| !text.is_empty());
        let endpoints = addresses
            .map(|address| {
                let endpoint = Endpoint::from_shared(address.to_owned())
                    .map_err(|error| Error::Address(format!("{address}: {error}")))?;
                Ok(endpoint
                    .connect_timeout(self.connect_timeout)
                    .tcp_nodelay(true)
                    .http2_keep_alive_interval(Duration::from_secs(20))
                    .keep_alive_timeout(Duration::from_secs(10))
                    .keep_alive_while_idle(true))
            })
            .collect::<Result<Vec<_>, Error>>()?;
        if endpoints.is_empty() {
            return Err(Error::Address("none was given".to_owned()));
        }
        Ok(endpoints)
    }
}
