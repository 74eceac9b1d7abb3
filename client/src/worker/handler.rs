//! Handlers: what runs a task.

use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bellringer_api::v1 as pb;
use bellringer_api::v1::attempt_report::Outcome;
use futures_util::FutureExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::Instrument as _;

use super::context::TaskContext;
use super::failure::TaskFailure;
use crate::payload::{from_payload, to_payload};

/// What a handler comes to: its result, if it has one.
pub type Handled = Result<Option<pb::Payload>, TaskFailure>;

/// Runs the tasks of a kind.
pub trait TaskHandler: Send + Sync + 'static {
    /// Runs one attempt with the payload as it was submitted.
    fn run(
        &self,
        context: TaskContext,
        payload: Option<pb::Payload>,
    ) -> impl Future<Output = Handled> + Send;
}

pub(super) type DynHandler = Arc<
    dyn Fn(TaskContext, Option<pb::Payload>) -> Pin<Box<dyn Future<Output = Handled> + Send>>
        + Send
        + Sync,
>;

/// Any handler behind one type.
pub(super) fn boxed<H: TaskHandler>(handler: H) -> DynHandler {
    let handler = Arc::new(handler);
    Arc::new(move |context, payload| {
        let handler = handler.clone();
        Box::pin(async move { handler.run(context, payload).await })
    })
}

/// A closure with a typed input and output.
pub(super) struct Typed<F, T>(F, PhantomData<fn(T)>);

impl<F, T> Typed<F, T> {
    pub(super) fn new(run: F) -> Self {
        Self(run, PhantomData)
    }
}

impl<F, Fut, T, R> TaskHandler for Typed<F, T>
where
    F: Fn(TaskContext, T) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, TaskFailure>> + Send,
    T: DeserializeOwned + Send + 'static,
    R: Serialize + Send,
{
    async fn run(&self, context: TaskContext, payload: Option<pb::Payload>) -> Handled {
        // The same payload will not fit better next time.
        let input = from_payload(payload.as_ref())
            .map_err(|error| TaskFailure::permanent("BAD_PAYLOAD", error.to_string()))?;
        let output = (self.0)(context, input).await?;
        let result = to_payload(&output)
            .map_err(|error| TaskFailure::permanent("BAD_RESULT", error.to_string()))?;
        Ok(Some(result))
    }
}

/// A closure that takes and gives payloads.
pub(super) struct Raw<F>(pub(super) F);

impl<F, Fut> TaskHandler for Raw<F>
where
    F: Fn(TaskContext, Option<pb::Payload>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Handled> + Send,
{
    async fn run(&self, context: TaskContext, payload: Option<pb::Payload>) -> Handled {
        (self.0)(context, payload).await
    }
}

/// Runs one attempt to its end; `None` if nobody wants to know of it any more.
pub(super) async fn attempt(
    handler: Option<DynHandler>,
    context: TaskContext,
    payload: Option<pb::Payload>,
    time_left: Option<Duration>,
) -> Option<Outcome> {
    let Some(handler) = handler else {
        let message = format!("the worker has no handler for kind {}", context.kind());
        return Some(TaskFailure::retryable("NO_HANDLER", message).outcome());
    };
    let span = tracing::info_span!(
        "task",
        otel.name = format!("task {}", context.kind()),
        otel.kind = "consumer",
        task_id = context.task_id(),
        attempt = context.attempt(),
        kind = context.kind(),
        otel.status_code = tracing::field::Empty,
        "error.type" = tracing::field::Empty,
    );
    crate::trace::continue_from(&span, context.traceparent());
    let work = handler(context.clone(), payload).instrument(span.clone());
    let work = AssertUnwindSafe(work).catch_unwind();
    let out_of_time = async {
        match time_left {
            Some(left) => tokio::time::sleep(left).await,
            None => std::future::pending().await,
        }
    };
    let ended = tokio::select! {
        done = work => done.unwrap_or_else(|panic| Err(panicked(&*panic))),
        () = out_of_time => {
            Err(TaskFailure::retryable("TIMEOUT", "the attempt ran longer than its timeout"))
        }
        () = context.grace_is_over() => {
            Err(TaskFailure::retryable("CANCELLED", "the handler did not stop within its grace"))
        }
    };
    if let Some(kind) = ended.as_ref().err().and_then(TaskFailure::error_type) {
        span.record("otel.status_code", "ERROR").record("error.type", kind);
    }
    match (ended, context.stop_reason()) {
        (Ok(result), _) => Some(Outcome::Succeeded(pb::Succeeded { result })),
        (Err(_), Some(pb::StopReason::Cancelled)) => Some(Outcome::Cancelled(pb::Cancelled {})),
        // The attempt has ended already: its failure is no news.
        (Err(_), Some(_)) => None,
        (Err(failure), None) => Some(failure.outcome()),
    }
}

/// The failure that a panic is.
pub(super) fn panicked(panic: &(dyn std::any::Any + Send)) -> TaskFailure {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    TaskFailure::retryable("PANIC", text.unwrap_or_else(|| "the handler panicked".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> TaskContext {
        TaskContext::new(pb::Assignment { kind: "work".to_owned(), ..Default::default() })
    }

    fn error_type(outcome: Option<Outcome>) -> String {
        match outcome {
            Some(Outcome::Failed(failed)) => failed.error.unwrap_or_default().r#type,
            other => format!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_typed_handler_gets_and_gives_values() {
        let handler =
            boxed(Typed::new(|_: TaskContext, n: i64| async move { Ok::<_, TaskFailure>(n * 2) }));
        let ended = attempt(Some(handler), context(), Some(to_payload(&21).unwrap()), None).await;
        let Some(Outcome::Succeeded(done)) = ended else { panic!("{ended:?}") };
        assert_eq!(from_payload::<i64>(done.result.as_ref()).unwrap(), 42);
    }

    #[tokio::test(start_paused = true)]
    async fn panics_timeouts_and_bad_payloads_become_errors_with_a_type() {
        let panics = boxed(Raw(|_, _| async { panic!("oh no") }));
        assert_eq!(error_type(attempt(Some(panics), context(), None, None).await), "PANIC");
        let hangs = boxed(Raw(|_, _| std::future::pending::<Handled>()));
        let left = Some(Duration::from_secs(1));
        assert_eq!(error_type(attempt(Some(hangs), context(), None, left).await), "TIMEOUT");
        let typed = boxed(Typed::new(|_: TaskContext, (): ()| async { Ok::<_, TaskFailure>(()) }));
        let text = Some(to_payload("text").unwrap());
        assert_eq!(error_type(attempt(Some(typed), context(), text, None).await), "BAD_PAYLOAD");
        assert_eq!(error_type(attempt(None, context(), None, None).await), "NO_HANDLER");
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_handler_has_its_grace_and_its_error_is_the_answer() {
        let polite = boxed(Raw(|context: TaskContext, _| async move {
            context.cancelled().cancelled().await;
            Err(TaskFailure::retryable("STOPPED", ""))
        }));
        let stubborn = boxed(Raw(|_, _| std::future::pending::<Handled>()));
        for handler in [polite, stubborn] {
            let context = context();
            context.stop(pb::StopReason::Cancelled, Duration::from_secs(3));
            let ended = attempt(Some(handler), context, None, None).await;
            assert!(matches!(ended, Some(Outcome::Cancelled(_))), "{ended:?}");
        }
    }
}
