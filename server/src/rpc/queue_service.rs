//! `bellringer.v1.QueueService`.

use bellringer_api::v1 as pb;
use bellringer_api::v1::queue_service_server::QueueService;
use tonic::{Request, Response, Status};

use super::Context;
use super::caller::enter;
use super::convert::fields::{one_more, page_size, text};
use super::convert::queue::{pb_queue, queue_ref, retention};
use super::page_token;
use super::status::invalid;
use crate::domain::{Checker, Queue, Violations, limits};

#[derive(Debug)]
pub(super) struct Queues(pub(super) Context);

impl Queues {
    fn write(&self, queue: Queue) -> Option<pb::Queue> {
        Some(pb_queue(queue, &self.0.engine.settings.retention))
    }
}

#[tonic::async_trait]
impl QueueService for Queues {
    async fn list(
        &self,
        request: Request<pb::ListQueuesRequest>,
    ) -> Result<Response<pb::ListQueuesResponse>, Status> {
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let mut check = Checker::default();
        let namespace = check.field("namespace", namespace);
        let size = check.field("page_size", page_size(request.page_size));
        let query = format!("queues {}", request.namespace);
        let after = if request.page_token.is_empty() {
            Some(String::new())
        } else {
            check
                .field("page_token", page_token::decode(self.0.seal(), &query, &request.page_token))
        };
        check.finish().map_err(invalid)?;
        let (Some(namespace), Some(size), Some(after)) = (namespace, size, after) else {
            return Err(invalid(Violations::one("namespace", "cannot be read")));
        };
        let mut queues = self.0.engine.queues.list(&namespace, &after, one_more(size)).await?;
        let has_more = queues.len() > size;
        queues.truncate(size);
        let next_page_token = match queues.last() {
            Some(last) if has_more => page_token::encode(self.0.seal(), &query, last.name.as_str()),
            _ => String::new(),
        };
        let queues = queues.into_iter().filter_map(|queue| self.write(queue)).collect();
        Ok(Response::new(pb::ListQueuesResponse { queues, next_page_token }))
    }

    async fn get(
        &self,
        request: Request<pb::GetQueueRequest>,
    ) -> Result<Response<pb::GetQueueResponse>, Status> {
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let (namespace, name) = queue_ref(namespace, &request.queue).map_err(invalid)?;
        let queue = self.0.engine.queues.get(&namespace, &name).await?;
        Ok(Response::new(pb::GetQueueResponse { queue: self.write(queue) }))
    }

    async fn pause(
        &self,
        request: Request<pb::PauseQueueRequest>,
    ) -> Result<Response<pb::PauseQueueResponse>, Status> {
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let mut check = Checker::default();
        let named = check.part(queue_ref(namespace, &request.queue));
        let note = check.field("note", text(request.note, limits::NOTE));
        check.finish().map_err(invalid)?;
        let (Some((namespace, name)), Some(note)) = (named, note) else {
            return Err(invalid(Violations::one("queue", "cannot be read")));
        };
        let queue = self.0.engine.queues.pause(&namespace, &name, &note).await?;
        Ok(Response::new(pb::PauseQueueResponse { queue: self.write(queue) }))
    }

    async fn resume(
        &self,
        request: Request<pb::ResumeQueueRequest>,
    ) -> Result<Response<pb::ResumeQueueResponse>, Status> {
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let (namespace, name) = queue_ref(namespace, &request.queue).map_err(invalid)?;
        let queue = self.0.engine.queues.resume(&namespace, &name).await?;
        Ok(Response::new(pb::ResumeQueueResponse { queue: self.write(queue) }))
    }

    async fn purge(
        &self,
        request: Request<pb::PurgeQueueRequest>,
    ) -> Result<Response<pb::PurgeQueueResponse>, Status> {
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let (namespace, name) = queue_ref(namespace, &request.queue).map_err(invalid)?;
        let tasks = self.0.engine.queues.purge(&namespace, &name, request.confirm).await?;
        Ok(Response::new(pb::PurgeQueueResponse { tasks, purged: request.confirm }))
    }

    async fn set_retention(
        &self,
        request: Request<pb::SetRetentionRequest>,
    ) -> Result<Response<pb::SetRetentionResponse>, Status> {
        let (caller, request) = enter(request)?;
        let namespace = caller.namespace(&request.namespace)?;
        let mut check = Checker::default();
        let named = check.part(queue_ref(namespace, &request.queue));
        let retention = check.part(retention(request.retention));
        check.finish().map_err(invalid)?;
        let (Some((namespace, name)), Some(retention)) = (named, retention) else {
            return Err(invalid(Violations::one("queue", "cannot be read")));
        };
        let queue = self.0.engine.queues.set_retention(&namespace, &name, &retention).await?;
        Ok(Response::new(pb::SetRetentionResponse { queue: self.write(queue) }))
    }
}
