//! `bellctl worker`: runs local commands as tasks.

mod activity;
mod checkpoint;
mod group;
mod process;
mod runner;
mod session;
mod stderr;
mod verdict;

use std::time::Duration;

use bellringer_api::v1::Hello;
use clap::Args;
use tokio::{
    signal::{
        ctrl_c,
        unix::{SignalKind, signal},
    },
    sync::watch,
    time::sleep,
};

use self::{
    activity::Activity,
    runner::Runner,
    session::{Phase, Session},
};
use crate::{app::App, exit::Exit, failure::Failure, time::Length};

/// Run local commands for tasks
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Worker {
    /// Command for tasks of a kind, run by `sh -c`; may be given several times; kind `*` takes
    /// every other kind
    #[arg(long = "exec", required = true, value_name = "KIND=COMMAND", value_parser = exec)]
    commands: Vec<(String, String)>,
    /// Queue to take tasks from; may be given several times [default: default]
    #[arg(long = "queue", value_name = "NAME")]
    queues: Vec<String>,
    /// How many commands may run at the same time
    #[arg(long, default_value_t = 1, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    concurrency: u32,
    /// Name of this worker, for people; default: bellctl@HOST:PROCESS
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// End after this long: take no more tasks, and finish those that run
    #[arg(long = "for", value_name = "DURATION", conflicts_with = "until_idle")]
    duration: Option<Length>,
    /// End when there was nothing to run for this long
    #[arg(long, value_name = "DURATION")]
    until_idle: Option<Length>,
}

const HELP: &str = "\
What the command is given:
  standard input              the payload: JSON as text, bytes as they are
  BELLRINGER_TASK_ID          id of the task
  BELLRINGER_KIND             its kind
  BELLRINGER_QUEUE            its queue
  BELLRINGER_ATTEMPT          number of this attempt
  BELLRINGER_TRIES            tries so far, this one included
  BELLRINGER_MAX_ATTEMPTS     tries allowed
  BELLRINGER_LABELS           labels, as a JSON object
  BELLRINGER_DEADLINE         when the attempt will be stopped (RFC 3339); unset: never
  BELLRINGER_CHECKPOINT_FILE  holds the last checkpoint, empty at first; what the command writes
                              there (up to 64 KiB; write another file and rename it) is kept for
                              the next attempt
  BELLRINGER_CONTENT_TYPE     media type of a payload of bytes; unset: JSON or none
  TRACEPARENT                 trace context of the submitter; unset: none

What the command gives back:
  standard output             the result, up to 1 MiB: JSON if it is JSON, else text or bytes
  standard error              a line `bellringer:progress 3/10 MESSAGE` is progress; the last 32 KiB
                              of the rest become the detail of an error, its last line the message
  exit code 0                 success
  exit code 65 (EX_DATAERR)   failure for good, of type EXIT_65: no further try
  exit code 75 (EX_TEMPFAIL)  not now: run again in 10 s; does not count as a try
  other exit codes            failure of type EXIT_<code>, or SIGNAL_<number>: tried again as the
                              task's retry policy says

A command runs in a process group of its own. When its task is cancelled or times out, the group gets
SIGTERM, and SIGKILL after 5 s at most. Nothing outlives bellctl. Ctrl-C takes no more tasks and
lets the running ones finish; a second Ctrl-C stops them and gives them back.

Example:
  bellctl worker --exec 'resize=./resize.sh' --exec 'note=cat >> notes.txt' --concurrency 4
  bellctl worker --queue mail --exec 'send-mail=python3 send.py' --until-idle 30s";

/// A `kind=command` of the command line.
fn exec(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((kind, command)) if !kind.trim().is_empty() && !command.trim().is_empty() => {
            Ok((kind.trim().to_owned(), command.to_owned()))
        }
        _ => Err("write it as kind=command, for example 'note=cat >> notes.txt'".to_owned()),
    }
}

impl Worker {
    pub(crate) async fn run(self, app: &App) -> Result<Exit, Failure> {
        let runner = Runner::new(self.commands, app.out)?;
        let activity = runner.activity.clone();
        let hello = Hello {
            namespace: app.namespace.clone(),
            worker_name: self.name.unwrap_or_else(default_name),
            queues: self.queues,
            kinds: runner.kinds(),
            ..Hello::default()
        };
        let (phase, phases) = watch::channel(Phase::Working);
        let session = Session::new(app, hello, self.concurrency, runner, phases);
        let ending = async {
            let length = |length: Option<Length>| length.map(|length| length.0);
            let (duration, idle) = (length(self.duration), length(self.until_idle));
            let why = first_end(&activity, duration, idle).await?;
            let running = activity.running();
            app.out.remark(&format!("{why}: taking no more tasks, {running} running"));
            phase.send_replace(Phase::Draining);
            stop_signal().await?;
            app.out.remark("stopping what runs, and giving it back");
            phase.send_replace(Phase::Stopping);
            std::future::pending::<Result<(), Failure>>().await
        };
        tokio::select! {
            result = session.run() => result?,
            result = ending => result?,
        }
        Ok(Exit::Ok)
    }
}

/// Waits until the worker should take no more tasks; says why.
async fn first_end(
    activity: &Activity,
    duration: Option<Duration>,
    idle: Option<Duration>,
) -> Result<&'static str, Failure> {
    let after = async {
        match duration {
            Some(duration) => sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    let idle = async {
        match idle {
            Some(idle) => activity.idle_for(idle).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        signal = stop_signal() => signal,
        () = after => Ok("the time is over"),
        () = idle => Ok("there is nothing to run"),
    }
}

/// Waits for Ctrl-C, or for a supervisor that wants the worker to end.
async fn stop_signal() -> Result<&'static str, Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = ctrl_c() => result.map(|()| "interrupted").map_err(Failure::from),
        _ = terminate.recv() => Ok("asked to end"),
    }
}

fn default_name() -> String {
    let system = rustix::system::uname();
    format!("bellctl@{}:{}", system.nodename().to_string_lossy(), std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_belongs_to_a_kind() {
        let parsed = exec("note=cat >> a=b.txt").unwrap();
        assert_eq!(parsed, ("note".to_owned(), "cat >> a=b.txt".to_owned()));
        for wrong in ["note", "=cat", "note= "] {
            assert!(exec(wrong).is_err(), "{wrong}");
        }
    }
}
