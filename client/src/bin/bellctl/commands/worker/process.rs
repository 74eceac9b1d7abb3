//! Runs one command to its end, or stops it.

use std::{
    ffi::OsString,
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use bellringer_api::v1::Progress;
use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    checkpoint::CheckpointFile,
    group::{Group, Guard},
    stderr::Stderr,
};

/// Largest result, in bytes.
pub(crate) const LARGEST_RESULT: usize = 1 << 20;

/// How often the checkpoint file is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// How long output is read on after the command has gone.
const LINGER: Duration = Duration::from_secs(1);

/// What to run.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    pub(crate) command: &'a str,
    pub(crate) environment: Vec<(&'static str, OsString)>,
    pub(crate) stdin: Vec<u8>,
    pub(crate) checkpoint: Bytes,
}

/// Who is told while the command runs.
pub(crate) trait Listener {
    /// The command says how far it is.
    fn progress(&self, progress: Progress);
    /// The command has written a checkpoint.
    fn checkpoint(&self, checkpoint: Bytes);
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    /// It was told to stop; `status` says how it took that.
    pub(crate) stopped: bool,
    /// At most `LARGEST_RESULT` bytes.
    pub(crate) stdout: Vec<u8>,
    /// It wrote more than that.
    pub(crate) too_much: bool,
    pub(crate) stderr: String,
}

/// Runs a command in a process group of its own. When `stop` answers, the group is asked to end,
/// and killed after the time that `stop` answered with. What the command leaves behind in the
/// background is killed when it ends.
///
/// # Errors
/// The command could not be started.
pub(crate) async fn run(
    job: Job<'_>,
    guard: &Guard,
    listener: &impl Listener,
    stop: impl Future<Output = Duration>,
) -> io::Result<Finished> {
    let mut file = CheckpointFile::create(job.checkpoint)?;
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(job.command)
        // The worker's own; a program of a task has no business with it.
        .env_remove("BELLRINGER_API_KEY")
        .envs(job.environment)
        .env("BELLRINGER_CHECKPOINT_FILE", file.path())
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let group = child.id().and_then(|id| Group::new(id, guard));
    let group = group.ok_or_else(|| io::Error::other("the command has no process id"))?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());

    let gone = CancellationToken::new();
    let ending = async {
        let ended = wait(&mut child, &group, stop).await;
        group.kill();
        gone.cancel();
        ended
    };
    let (ended, (), output, errors) = tokio::join!(
        tell_checkpoints(&mut file, listener, ending),
        write(stdin, &job.stdin, &gone),
        read_output(stdout, &gone),
        read_errors(stderr, &gone, listener),
    );
    let (status, stopped) = ended?;
    if let Some(checkpoint) = file.look().await {
        listener.checkpoint(checkpoint);
    }
    let (stdout, too_much) = output?;
    Ok(Finished { status, stopped, stdout, too_much, stderr: errors?.into_tail() })
}

/// Waits for the end; true if the command was told to stop.
async fn wait(
    child: &mut Child,
    group: &Group,
    stop: impl Future<Output = Duration>,
) -> io::Result<(ExitStatus, bool)> {
    let grace = tokio::select! {
        status = child.wait() => return Ok((status?, false)),
        grace = stop => grace,
    };
    group.terminate();
    if let Ok(status) = timeout(grace, child.wait()).await {
        return Ok((status?, true));
    }
    group.kill();
    Ok((child.wait().await?, true))
}

/// Looks at the checkpoint file until `ending` is there.
async fn tell_checkpoints<T>(
    file: &mut CheckpointFile,
    listener: &impl Listener,
    ending: impl Future<Output = T>,
) -> T {
    let mut ending = std::pin::pin!(ending);
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            ended = &mut ending => return ended,
            _ = ticks.tick() => {}
        }
        if let Some(checkpoint) = file.look().await {
            listener.checkpoint(checkpoint);
        }
    }
}

/// A command need not read its input.
async fn write(stdin: Option<ChildStdin>, input: &[u8], gone: &CancellationToken) {
    if let Some(mut stdin) = stdin {
        let _ = gone.run_until_cancelled(stdin.write_all(input)).await;
    }
}

/// Reads all, keeps what may be a result; true if there was more.
async fn read_output(
    stdout: Option<ChildStdout>,
    gone: &CancellationToken,
) -> io::Result<(Vec<u8>, bool)> {
    let mut kept = Vec::new();
    let mut too_much = false;
    read_all(stdout, gone, |bytes| {
        let room = LARGEST_RESULT - kept.len();
        too_much |= bytes.len() > room;
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
    })
    .await?;
    Ok((kept, too_much))
}

async fn read_errors(
    stderr: Option<ChildStderr>,
    gone: &CancellationToken,
    listener: &impl Listener,
) -> io::Result<Stderr> {
    let mut read = Stderr::default();
    read_all(stderr, gone, |bytes| {
        if let Some(progress) = read.take(bytes) {
            listener.progress(progress);
        }
    })
    .await?;
    Ok(read)
}

/// Reads to the end, or to a moment after the command has gone: a process that left the group may
/// hold the pipe open for ever.
async fn read_all(
    pipe: Option<impl AsyncRead + Unpin>,
    gone: &CancellationToken,
    mut take: impl FnMut(&[u8]),
) -> io::Result<()> {
    let Some(mut pipe) = pipe else { return Ok(()) };
    let over = async {
        gone.cancelled().await;
        sleep(LINGER).await;
    };
    let mut over = std::pin::pin!(over);
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = tokio::select! {
            biased;
            length = pipe.read(&mut buffer) => length?,
            () = &mut over => 0,
        };
        if length == 0 {
            return Ok(());
        }
        take(&buffer[..length]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        future::pending,
        os::unix::process::ExitStatusExt,
        sync::{Mutex, MutexGuard},
    };
    use tokio::time::Instant;

    #[derive(Default)]
    struct Heard(Mutex<(Vec<Progress>, Vec<Bytes>)>);

    impl Heard {
        fn all(&self) -> MutexGuard<'_, (Vec<Progress>, Vec<Bytes>)> {
            self.0.lock().unwrap()
        }
    }

    impl Listener for Heard {
        fn progress(&self, progress: Progress) {
            self.all().0.push(progress);
        }
        fn checkpoint(&self, checkpoint: Bytes) {
            self.all().1.push(checkpoint);
        }
    }

    fn job<'a>(command: &'a str, stdin: &str) -> Job<'a> {
        Job {
            command,
            environment: vec![("BELLRINGER_KIND", "test".into())],
            stdin: stdin.as_bytes().to_vec(),
            checkpoint: Bytes::from_static(b"old"),
        }
    }

    async fn finish(command: &str, stdin: &str) -> (Finished, Heard) {
        let guard = Guard::start().unwrap();
        let heard = Heard::default();
        let finished = run(job(command, stdin), &guard, &heard, pending()).await.unwrap();
        (finished, heard)
    }

    #[tokio::test]
    async fn a_command_reads_its_payload_and_writes_its_result() {
        let (finished, _) = finish("tr a-z A-Z; echo $BELLRINGER_KIND >&2; exit 3", "hello").await;
        assert_eq!(finished.stdout, b"HELLO");
        assert_eq!(finished.stderr, "test");
        assert_eq!(finished.status.code(), Some(3));
        assert!(!finished.stopped && !finished.too_much);
    }

    #[tokio::test]
    async fn a_command_need_not_read_a_large_payload() {
        let (finished, _) = finish("exit 0", &"x".repeat(1 << 20)).await;
        assert!(finished.status.success());
    }

    #[tokio::test]
    async fn progress_and_checkpoint_are_told() {
        let command = "cat \"$BELLRINGER_CHECKPOINT_FILE\"; \
                       echo bellringer:progress 1/2 half >&2; \
                       printf new > \"$BELLRINGER_CHECKPOINT_FILE\"";
        let (finished, heard) = finish(command, "").await;
        assert_eq!(finished.stdout, b"old");
        assert_eq!(finished.stderr, "");
        assert_eq!(heard.all().0[0].message, "half");
        assert_eq!(heard.all().1, ["new"]);
    }

    #[tokio::test]
    async fn too_much_output_is_read_but_not_kept() {
        let (finished, _) = finish("head -c 3000000 /dev/zero", "").await;
        assert!(finished.too_much && finished.status.success());
        assert_eq!(finished.stdout.len(), LARGEST_RESULT);
    }

    #[tokio::test]
    async fn a_command_told_to_stop_may_clean_up() {
        let guard = Guard::start().unwrap();
        let stop = async {
            sleep(Duration::from_millis(200)).await;
            Duration::from_secs(5)
        };
        let command = "trap 'echo cleaned; exit 9' TERM; while :; do sleep 0.05; done";
        let finished = run(job(command, ""), &guard, &Heard::default(), stop).await.unwrap();
        assert!(finished.stopped);
        assert_eq!(finished.status.code(), Some(9));
        assert_eq!(finished.stdout, b"cleaned\n");
    }

    #[tokio::test]
    async fn a_command_that_will_not_stop_is_killed_with_its_children() {
        let guard = Guard::start().unwrap();
        let stop = async {
            sleep(Duration::from_millis(200)).await;
            Duration::from_millis(200)
        };
        let command = "trap '' TERM; sleep 60 & sleep 60";
        let begun = Instant::now();
        let finished = run(job(command, ""), &guard, &Heard::default(), stop).await.unwrap();
        assert_eq!(finished.status.signal(), Some(9));
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[tokio::test]
    async fn what_a_command_leaves_in_the_background_ends_with_it() {
        let begun = Instant::now();
        let (finished, _) = finish("sleep 60 & setsid sleep 4 & echo done", "").await;
        assert_eq!(finished.stdout, b"done\n");
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}
