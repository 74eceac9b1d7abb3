//! What every command needs: the connection, the namespace, the output.

use std::path::Path;
use std::time::Duration;

use bellringer_api::v1::{
    access_service_client::AccessServiceClient, admin_service_client::AdminServiceClient,
    queue_service_client::QueueServiceClient, schedule_service_client::ScheduleServiceClient,
    stats_service_client::StatsServiceClient, task_service_client::TaskServiceClient,
    worker_service_client::WorkerServiceClient,
};
use bellringer_client::{Connection, Credentials};
use tokio::time::{Instant, sleep, timeout_at};
use tonic::{
    Response, Status,
    service::interceptor::InterceptedService,
    transport::{Channel, Endpoint},
};

use crate::{
    cli::{Global, Secret},
    exit::Exit,
    failure::Failure,
    output::Output,
    time::friendly,
    tls::Tls,
};

/// Longest time for one call unless `--timeout` says otherwise.
const CALL: Duration = Duration::from_secs(30);

/// Waits before a call is made again when the server is away for a moment.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(300), Duration::from_millis(900)];

/// Largest answer: a task with payload, result and late results of its attempts.
const LARGEST_ANSWER: usize = 256 << 20;

/// One run of `bellctl`.
pub(crate) struct App {
    channel: Connection,
    credentials: Credentials,
    /// As it is sent, for programs that are started.
    token: Option<Secret>,
    tls: Tls,
    pub(crate) server: String,
    /// Whether somebody named the server; else it is the default.
    pub(crate) is_server_given: bool,
    pub(crate) namespace: String,
    pub(crate) out: Output,
    /// As given on the command line.
    pub(crate) timeout: Option<Duration>,
}

impl App {
    /// Reads the options; connects at the first call.
    ///
    /// # Errors
    /// The address is not one, or the API key cannot be read.
    pub(crate) fn new(global: &Global, is_server_given: bool) -> Result<Self, Failure> {
        let token = token(global)?;
        let credentials = Credentials::bearer(token.as_ref().map(|Secret(text)| text.as_str()));
        let credentials = credentials.map_err(|error| Failure::usage(error.to_string()))?;
        let channel = connect(&global.server, &global.tls, &credentials)?;
        Ok(Self {
            channel,
            credentials,
            token,
            tls: global.tls.clone(),
            server: global.server.clone(),
            is_server_given,
            namespace: global.namespace.clone(),
            out: Output::new(global.output, global.quiet, global.no_color),
            timeout: global.timeout.map(|length| length.0),
        })
    }

    /// The same, for another server.
    ///
    /// # Errors
    /// The address is not one.
    pub(crate) fn at(&self, server: &str) -> Result<Self, Failure> {
        Ok(Self {
            channel: connect(server, &self.tls, &self.credentials)?,
            credentials: self.credentials.clone(),
            token: self.token.clone(),
            tls: self.tls.clone(),
            server: server.to_owned(),
            is_server_given: true,
            namespace: self.namespace.clone(),
            out: self.out,
            timeout: self.timeout,
        })
    }

    /// The same for a server with TLS, whose certificate `ca` has signed, and that asks for an API key.
    ///
    /// # Errors
    /// The address is not one, or the key cannot be sent.
    pub(crate) fn secured(&self, server: &str, ca: &Path, key: &str) -> Result<Self, Failure> {
        let credentials = Credentials::bearer(Some(key));
        let credentials = credentials.map_err(|error| Failure::usage(error.to_string()))?;
        let tls = Tls { tls_ca: Some(ca.to_owned()), ..Tls::default() };
        let token = Some(Secret(key.to_owned()));
        let channel = connect(server, &tls, &credentials)?;
        Ok(Self {
            channel,
            credentials,
            token,
            tls,
            server: server.to_owned(),
            is_server_given: true,
            namespace: self.namespace.clone(),
            out: self.out,
            timeout: self.timeout,
        })
    }

    /// How to connect to a server, for connections that are made otherwise.
    ///
    /// # Errors
    /// The address is not one.
    pub(crate) fn endpoint(&self, server: &str) -> Result<Endpoint, Failure> {
        endpoint(server, &self.tls)
    }

    /// Calls over such a connection carry what those of this one carry.
    pub(crate) fn over(&self, channel: Channel) -> Connection {
        InterceptedService::new(channel, self.credentials.clone())
    }

    /// The connection, for services of others.
    pub(crate) fn channel(&self) -> Connection {
        self.channel.clone()
    }

    /// Lets a program that is started call the server as this one does.
    pub(crate) fn pass_on(&self, command: &mut tokio::process::Command) {
        if let Some(Secret(token)) = &self.token {
            command.env("BELLRINGER_API_KEY", token);
        }
        self.tls.pass_on(command);
    }

    pub(crate) fn access(&self) -> AccessServiceClient<Connection> {
        AccessServiceClient::new(self.channel()).max_decoding_message_size(LARGEST_ANSWER)
    }

    pub(crate) fn tasks(&self) -> TaskServiceClient<Connection> {
        TaskServiceClient::new(self.channel()).max_decoding_message_size(LARGEST_ANSWER)
    }

    pub(crate) fn queues(&self) -> QueueServiceClient<Connection> {
        QueueServiceClient::new(self.channel()).max_decoding_message_size(LARGEST_ANSWER)
    }

    pub(crate) fn schedules(&self) -> ScheduleServiceClient<Connection> {
        ScheduleServiceClient::new(self.channel()).max_decoding_message_size(LARGEST_ANSWER)
    }

    pub(crate) fn stats(&self) -> StatsServiceClient<Connection> {
        StatsServiceClient::new(self.channel()).max_decoding_message_size(LARGEST_ANSWER)
    }

    pub(crate) fn admin(&self) -> AdminServiceClient<Connection> {
        AdminServiceClient::new(self.channel()).max_decoding_message_size(LARGEST_ANSWER)
    }

    pub(crate) fn workers(&self) -> WorkerServiceClient<Connection> {
        WorkerServiceClient::new(self.channel()).max_decoding_message_size(LARGEST_ANSWER)
    }

    /// Makes one call, within the time for one call.
    pub(crate) async fn call<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Failure> {
        self.call_within(self.call_time(), call).await
    }

    /// Makes one call that may take up to `limit`.
    pub(crate) async fn call_within<T>(
        &self,
        limit: Duration,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Failure> {
        let Ok(answer) = timeout_at(Instant::now() + limit, call).await else {
            return Err(self.no_answer(limit));
        };
        Ok(answer?.into_inner())
    }

    /// Makes a call that can be repeated safely; does so when the server is away for a moment.
    pub(crate) async fn repeat<T, F>(&self, mut call: impl FnMut() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let end = Instant::now() + self.call_time();
        for pause in PAUSES {
            let left = end.saturating_duration_since(Instant::now());
            match self.call_within(left, call()).await {
                Err(failure) if failure.is_passing() => {
                    let pause = failure.retry_after.unwrap_or(pause);
                    if Instant::now() + pause >= end {
                        return Err(failure);
                    }
                    sleep(pause).await;
                }
                result => return result,
            }
        }
        self.call_within(end.saturating_duration_since(Instant::now()), call()).await
    }

    fn call_time(&self) -> Duration {
        self.timeout.unwrap_or(CALL)
    }

    fn no_answer(&self, limit: Duration) -> Failure {
        // Of a call that was made again, the last part alone would look odd.
        let limit = limit.max(self.timeout.unwrap_or_default());
        let text = format!("no answer from {} within {}", self.server, friendly(limit));
        Failure::new(Exit::TimedOut, text).next("try again, or allow more time with --timeout")
    }
}

/// The API key, from its option or from a file.
fn token(global: &Global) -> Result<Option<Secret>, Failure> {
    // An empty variable is as good as none.
    match (&global.api_key, &global.api_key_file) {
        (Some(Secret(text)), _) if !text.is_empty() => Ok(Some(Secret(text.trim().to_owned()))),
        (_, Some(file)) => {
            let text = std::fs::read_to_string(file).map_err(|error| {
                Failure::usage(format!("cannot read {}: {error}", file.display()))
            })?;
            Ok(Some(Secret(text.trim().to_owned())))
        }
        _ => Ok(None),
    }
}

fn connect(server: &str, tls: &Tls, credentials: &Credentials) -> Result<Connection, Failure> {
    Ok(InterceptedService::new(endpoint(server, tls)?.connect_lazy(), credentials.clone()))
}

fn endpoint(server: &str, tls: &Tls) -> Result<Endpoint, Failure> {
    let wrong = |error: tonic::transport::Error| {
        Failure::usage(format!("{server:?} is no address of a server: {error}"))
            .next("write it as http://HOST:PORT, or https://HOST:PORT for TLS")
    };
    if !server.starts_with("http://") && !server.starts_with("https://") {
        return Err(Failure::usage(format!("{server:?} is no address of a server"))
            .next("write it as http://HOST:PORT, or https://HOST:PORT for TLS"));
    }
    let mut endpoint = Endpoint::from_shared(server.to_owned()).map_err(wrong)?;
    if server.starts_with("https://") {
        endpoint = endpoint.tls_config(tls.config()?).map_err(wrong)?;
    } else if tls.is_set() {
        // Whoever sets up TLS does not mean to go without.
        return Err(Failure::usage(format!("{server:?} is without TLS, but TLS is set up"))
            .next("write it as https://HOST:PORT, or leave the options --tls-... out"));
    }
    // Streams notice a connection that died silently by the pings that stay unanswered.
    Ok(endpoint
        .connect_timeout(Duration::from_secs(10))
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20)))
}
