//! The Rust client of Bellringer: submit tasks, watch them, and run them.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use bellringer_client::{Client, NewTask, TaskContext, TaskFailure, Worker};
//! use tokio_util::sync::CancellationToken;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::connect("http://127.0.0.1:7117").await?;
//!
//! // In one program: run tasks.
//! let stop = CancellationToken::new();
//! let worker = Worker::builder(client.clone())
//!     .handler("greet", |context: TaskContext, name: String| async move {
//!         context.progress(1.0, 2.0, "thinking of a greeting");
//!         Ok::<_, TaskFailure>(format!("hello, {name}"))
//!     })
//!     .build();
//!
//! // In another one: submit them.
//! let submit = async {
//!     let task = client.submit(NewTask::new("greet").json("world")?).await?;
//!     let greeting: String = client.wait_result(&task.task_id, Duration::from_secs(10)).await?;
//!     assert_eq!(greeting, "hello, world");
//!     stop.cancel();
//!     Ok::<_, bellringer_client::Error>(())
//! };
//! let (worked, submitted) = tokio::join!(worker.run(stop.clone()), submit);
//! worked?;
//! submitted?;
//! # Ok(())
//! # }
//! ```
//!
//! # What is repeated
//!
//! Calls that change nothing, or nothing twice, are repeated with backoff while the server is away,
//! within [`ClientBuilder::request_timeout`]. [`Client::submit`] is repeated only if the task has an
//! idempotency key ([`NewTask::idempotency_key`], or [`ClientBuilder::auto_idempotency`] for all).
//! Without one, [`Error::outcome_unknown`] tells whether the task may have been submitted.
//!
//! # Traces
//!
//! With the feature `otel`, and a subscriber of `tracing` with the layer of `tracing-opentelemetry`, calls
//! carry the context of the current span, so that a task belongs to the trace of whoever submitted it,
//! and handlers run in a span `task` of that trace. Without it [`ClientBuilder::trace_context`] says what
//! goes with calls, and [`TaskContext::traceparent`] what came with a task.
//!
//! # Names of the protobuf
//!
//! Tasks, queues and filters are the generated types of [`api`]; [`from_payload`] and [`to_payload`]
//! turn their payloads into values and back. What is not wrapped here is reached through
//! [`Client::task_service`], [`Client::queue_service`], [`Client::schedule_service`],
//! [`Client::stats_service`], [`Client::admin_service`], [`Client::access_service`] and
//! [`Client::worker_service`].

#![forbid(unsafe_code)]
#![warn(missing_docs, missing_debug_implementations)]

mod auth;
mod batch;
mod client;
mod cluster;
mod error;
mod new_schedule;
mod new_task;
mod payload;
mod queues;
mod retry;
mod revisions;
mod schedules;
mod stats;
mod tasks;
mod text;
mod times;
mod tls;
mod trace;
mod wait;
mod watch;
mod worker;

pub use auth::Credentials;
pub use batch::BatchError;
pub use bellringer_api::v1 as api;
pub use client::{Builder as ClientBuilder, Client, Connection};
pub use error::Error;
pub use new_schedule::{NewSchedule, ScheduleUpdate};
pub use new_task::{NewTask, RetryPolicy};
#[doc(hidden)]
pub use payload::arrives;
pub use payload::{from_payload, to_payload};
pub use schedules::{ScheduleFilter, ScheduleSet, Schedules};
pub use tasks::Submitted;
pub use times::Times;
pub use watch::WatchEvent;
pub use worker::{
    Builder as WorkerBuilder, Handled, TaskContext, TaskFailure, TaskHandler, Worker,
};
