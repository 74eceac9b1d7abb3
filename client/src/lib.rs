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

#![warn(missing_docs, missing_debug_implementations)]

mod client;
mod error;
mod new_task;
mod payload;
mod retry;
mod tasks;
mod watch;
mod worker;

pub use bellringer_api::v1 as api;
pub use client::{Builder as ClientBuilder, Client};
pub use error::Error;
pub use new_task::{NewTask, RetryPolicy};
pub use payload::{from_payload, to_payload};
pub use tasks::{BatchError, Submitted};
pub use watch::WatchEvent;
pub use worker::{
    Builder as WorkerBuilder, Handled, TaskContext, TaskFailure, TaskHandler, Worker,
};
