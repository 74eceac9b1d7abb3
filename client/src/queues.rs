//! Looking after queues.

use bellringer_api::v1 as pb;

use crate::client::Client;
use crate::error::Error;
use crate::retry::{once, repeated};
use crate::tasks::limited;

/// Queues in one page.
const PAGE: u32 = 1_000;

impl Client {
    /// All queues, by name.
    ///
    /// # Errors
    /// If the server cannot be asked.
    pub async fn queues(&self) -> Result<Vec<pb::Queue>, Error> {
        let mut queues = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = pb::ListQueuesRequest {
                namespace: self.namespace().to_owned(),
                page_size: PAGE,
                page_token,
            };
            let answer = repeated(self.request_timeout, |left| {
                let call = limited(request.clone(), left);
                async move { Ok(self.queue_service().list(call).await?.into_inner()) }
            })
            .await?;
            queues.extend(answer.queues);
            if answer.next_page_token.is_empty() {
                return Ok(queues);
            }
            page_token = answer.next_page_token;
        }
    }

    /// One queue, with the number of its tasks.
    ///
    /// # Errors
    /// If there is no such queue.
    pub async fn queue(&self, queue: &str) -> Result<pb::Queue, Error> {
        let (namespace, queue) = self.named(queue);
        let request = pb::GetQueueRequest { namespace, queue };
        repeated(self.request_timeout, |left| {
            let call = limited(request.clone(), left);
            async move {
                let answer = self.queue_service().get(call).await?.into_inner();
                Ok(answer.queue.unwrap_or_default())
            }
        })
        .await
    }

    /// Stops leasing from a queue, with a note for people; what runs goes on. Creates the queue if
    /// need be.
    ///
    /// # Errors
    /// If the name or the note is wrong.
    pub async fn pause_queue(&self, queue: &str, note: &str) -> Result<pb::Queue, Error> {
        let (namespace, queue) = self.named(queue);
        let request = pb::PauseQueueRequest { namespace, queue, note: note.to_owned() };
        repeated(self.request_timeout, |left| {
            let call = limited(request.clone(), left);
            async move {
                let answer = self.queue_service().pause(call).await?.into_inner();
                Ok(answer.queue.unwrap_or_default())
            }
        })
        .await
    }

    /// Leases from a queue again.
    ///
    /// # Errors
    /// If there is no such queue.
    pub async fn resume_queue(&self, queue: &str) -> Result<pb::Queue, Error> {
        let (namespace, queue) = self.named(queue);
        let request = pb::ResumeQueueRequest { namespace, queue };
        repeated(self.request_timeout, |left| {
            let call = limited(request.clone(), left);
            async move {
                let answer = self.queue_service().resume(call).await?.into_inner();
                Ok(answer.queue.unwrap_or_default())
            }
        })
        .await
    }

    /// Cancels the waiting tasks of a queue and answers with their number; without `confirm` it only
    /// counts them.
    ///
    /// # Errors
    /// If there is no such queue, or it is not known what was cancelled.
    pub async fn purge_queue(&self, queue: &str, confirm: bool) -> Result<u64, Error> {
        let (namespace, queue) = self.named(queue);
        let request = pb::PurgeQueueRequest { namespace, queue, confirm };
        // Not repeated: the number would be that of the last call alone.
        once(self.request_timeout, |left| async move {
            let call = limited(request, left);
            Ok(self.queue_service().purge(call).await?.into_inner().tasks)
        })
        .await
    }

    /// Sets how long finished tasks of a queue are kept; what is left out goes back to its default.
    /// Creates the queue if need be.
    ///
    /// # Errors
    /// If a time is out of its range.
    pub async fn set_retention(
        &self,
        queue: &str,
        retention: pb::Retention,
    ) -> Result<pb::Queue, Error> {
        let (namespace, queue) = self.named(queue);
        let request = pb::SetRetentionRequest { namespace, queue, retention: Some(retention) };
        repeated(self.request_timeout, |left| {
            let call = limited(request.clone(), left);
            async move {
                let answer = self.queue_service().set_retention(call).await?.into_inner();
                Ok(answer.queue.unwrap_or_default())
            }
        })
        .await
    }

    fn named(&self, queue: &str) -> (String, String) {
        (self.namespace().to_owned(), queue.to_owned())
    }
}
