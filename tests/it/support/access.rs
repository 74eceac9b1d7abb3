//! Callers with credentials.

use bellringer_api::v1::access_service_client::AccessServiceClient;
use bellringer_api::v1::queue_service_client::QueueServiceClient;
use bellringer_api::v1::schedule_service_client::ScheduleServiceClient;
use bellringer_api::v1::task_service_client::TaskServiceClient;
use bellringer_api::v1::worker_service_client::WorkerServiceClient;
use bellringer_client::{Connection, Credentials};
use bellringer_server::access::NewKey;
use sqlx::Connection as _;
use tonic::service::interceptor::InterceptedService;
use tonic::{Status, Streaming};

use super::{Replica, TestServer, watched};

/// Settings of a server that asks for API keys.
pub(crate) const KEYS: &[(&str, &str)] = &[("BELLRINGER__AUTH__MECHANISMS", "keys")];

/// Somebody with a bearer token, or without.
#[derive(Clone)]
pub(crate) struct Caller(pub(crate) Connection);

impl Caller {
    pub(crate) fn new(replica: &Replica, token: Option<&str>) -> Self {
        let credentials = Credentials::bearer(token).unwrap();
        Self(InterceptedService::new(replica.channel.clone(), credentials))
    }

    pub(crate) fn tasks(&self) -> TaskServiceClient<Connection> {
        TaskServiceClient::new(self.0.clone())
    }

    pub(crate) fn workers(&self) -> WorkerServiceClient<Connection> {
        WorkerServiceClient::new(self.0.clone())
    }

    pub(crate) fn schedules(&self) -> ScheduleServiceClient<Connection> {
        ScheduleServiceClient::new(self.0.clone())
    }

    pub(crate) fn queues(&self) -> QueueServiceClient<Connection> {
        QueueServiceClient::new(self.0.clone())
    }

    pub(crate) fn access(&self) -> AccessServiceClient<Connection> {
        AccessServiceClient::new(self.0.clone())
    }
}

/// Reads a stream until the server ends it; with what.
pub(crate) async fn end_of<T>(stream: &mut Streaming<T>) -> Status {
    loop {
        match stream.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the stream ended without a reason"),
            Err(status) => return status,
        }
    }
}

impl TestServer {
    /// A key with these roles, made behind the server's back, as for the first one of all.
    pub(crate) async fn key(&self, namespace: &str, roles: &[&str], queues: &[&str]) -> NewKey {
        add_key(&self.url, namespace, roles, queues).await
    }

    /// Somebody with such a key.
    pub(crate) async fn caller(&self, namespace: &str, roles: &[&str]) -> Caller {
        let key = self.key(namespace, roles, &[]).await;
        Caller::new(&self.replica, Some(&key.text))
    }
}

/// The same, in a database.
pub(crate) async fn add_key(url: &str, namespace: &str, roles: &[&str], queues: &[&str]) -> NewKey {
    let new = NewKey::random();
    watched::secret(new.text.splitn(3, '_').last().unwrap());
    let mut database = sqlx::PgConnection::connect(url).await.unwrap();
    sqlx::query(
        "insert into api_key (id, namespace, name, roles, queues, hash, created_by)
         values ($1, $2, 'test', $3, $4, $5, 'test')",
    )
    .bind(&new.id)
    .bind(namespace)
    .bind(roles)
    .bind(queues)
    .bind(new.hash.0.to_vec())
    .execute(&mut database)
    .await
    .unwrap();
    new
}
