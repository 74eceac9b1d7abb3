//! Submits a task, runs it, and waits for its result. Start a server first: `bellringer dev`.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use bellringer_client::{Client, NewTask, TaskContext, TaskFailure, Worker};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = std::env::var("BELLRINGER_SERVER");
    let client = Client::connect(server.as_deref().unwrap_or("http://127.0.0.1:7117")).await?;
    let stop = CancellationToken::new();
    let worker = Worker::builder(client.clone())
        .queue("quickstart")
        .handler("greet", |context: TaskContext, name: String| async move {
            println!("running task {} (attempt {})", context.task_id(), context.attempt());
            Ok::<_, TaskFailure>(format!("hello, {name}"))
        })
        .build();
    let submit = async {
        let task = NewTask::new("greet").queue("quickstart").json("world")?;
        let task = client.submit(task).await?;
        println!("submitted {}", task.task_id);
        let wait = Duration::from_secs(10);
        let greeting: String = client.wait_result(&task.task_id, wait).await?;
        println!("result: {greeting}");
        stop.cancel();
        Ok::<_, bellringer_client::Error>(())
    };
    let (worked, submitted) = tokio::join!(worker.run(stop.clone()), submit);
    worked?;
    submitted?;
    Ok(())
}
