//! What the end of a command means for its task.

use std::{os::unix::process::ExitStatusExt, time::Duration};

use bellringer_api::v1::{Payload, TaskError, payload::Content};
use serde_json::Value;

use super::process::{Finished, LARGEST_RESULT};
use crate::{paint::cut, payload};

/// Exit code for input that will never work (`EX_DATAERR` of `sysexits.h`).
const NEVER: i32 = 65;

/// Exit code for "not now" (`EX_TEMPFAIL` of `sysexits.h`).
const LATER: i32 = 75;

/// How much later a task is run after "not now".
const SNOOZE: Duration = Duration::from_secs(10);

/// Media type of JSON text.
const JSON: &str = "application/json";

/// How an attempt ended.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    Succeeded(Option<Payload>),
    Failed {
        error: TaskError,
        /// Another try would end the same way.
        permanent: bool,
    },
    Snoozed(Duration),
    /// It stopped because it was told to.
    Cancelled,
}

impl Verdict {
    /// Judges the end of a command. One that finished its work although it was told to stop has
    /// succeeded.
    pub(crate) fn of(finished: Finished) -> Self {
        if finished.stopped && !finished.status.success() {
            return Self::Cancelled;
        }
        match (finished.status.code(), finished.status.signal()) {
            (Some(0), _) if finished.too_much => failed("RESULT_TOO_LARGE", finished, true),
            (Some(0), _) => Self::Succeeded(result(finished.stdout)),
            (Some(LATER), _) => Self::Snoozed(SNOOZE),
            (Some(code), _) => failed(&format!("EXIT_{code}"), finished, code == NEVER),
            (None, Some(signal)) => failed(&format!("SIGNAL_{signal}"), finished, false),
            (None, None) => failed("UNKNOWN_END", finished, false),
        }
    }

    /// The command could not be run at all.
    pub(crate) fn not_started(error: &std::io::Error) -> Self {
        let error = TaskError {
            r#type: "NOT_STARTED".to_owned(),
            message: format!("the command could not be started: {error}"),
            detail: String::new(),
        };
        Self::Failed { error, permanent: false }
    }

    /// There is no command for the kind: another worker may have one.
    pub(crate) fn no_command(kind: &str) -> Self {
        let error = TaskError {
            r#type: "NO_COMMAND".to_owned(),
            message: format!("this worker has no command for kind {kind:?}"),
            detail: String::new(),
        };
        Self::Failed { error, permanent: false }
    }

    /// The word for the outcome, and the error if there is one.
    pub(crate) fn words(&self) -> (&'static str, Option<&TaskError>) {
        match self {
            Self::Succeeded(_) => ("succeeded", None),
            Self::Failed { error, .. } => ("failed", Some(error)),
            Self::Snoozed(_) => ("snoozed", None),
            Self::Cancelled => ("cancelled", None),
        }
    }

    /// The verdict in a few words.
    pub(crate) fn summary(&self) -> String {
        match self {
            Self::Succeeded(_) => "succeeded".to_owned(),
            Self::Failed { error, permanent } => {
                let how = if *permanent { "failed for good" } else { "failed" };
                format!("{how}: {} {}", error.r#type, cut(&error.message, 200))
            }
            Self::Snoozed(delay) => format!("snoozed for {}", crate::time::friendly(*delay)),
            Self::Cancelled => "stopped".to_owned(),
        }
    }
}

/// JSON if it is JSON, as its text where the server could not read the value, else text, else bytes;
/// nothing for no output.
fn result(stdout: Vec<u8>) -> Option<Payload> {
    if stdout.is_empty() {
        return None;
    }
    let json = serde_json::from_slice::<Value>(&stdout).ok();
    if let Some(payload) = json.and_then(|value| payload::from_json(&value).ok()) {
        let arrives = match &payload.content {
            Some(Content::Json(value)) => bellringer_client::arrives(value),
            _ => true,
        };
        return Some(if arrives { payload } else { payload::from_bytes(stdout, JSON) });
    }
    let is_text = std::str::from_utf8(&stdout).is_ok();
    let content_type = if is_text { "text/plain; charset=utf-8" } else { "" };
    Some(payload::from_bytes(stdout, content_type))
}

/// The last line of standard error is the message, all of it the detail.
fn failed(name: &str, finished: Finished, permanent: bool) -> Verdict {
    let last = finished.stderr.lines().rev().find(|line| !line.trim().is_empty());
    let message = match (last, finished.status.code(), finished.status.signal()) {
        (_, Some(0), _) => format!("standard output is larger than {LARGEST_RESULT} bytes"),
        (Some(line), _, _) => cut(line, 1000),
        (None, Some(code), _) => format!("the command ended with exit code {code}"),
        (None, None, Some(signal)) => format!("the command was ended by signal {signal}"),
        (None, None, None) => "the command ended in an unknown way".to_owned(),
    };
    let error = TaskError { r#type: name.to_owned(), message, detail: finished.stderr };
    Verdict::Failed { error, permanent }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::ExitStatus;

    fn finished(status: i32, stdout: &[u8], stderr: &str) -> Finished {
        Finished {
            status: ExitStatus::from_raw(status),
            stopped: false,
            stdout: stdout.to_vec(),
            too_much: false,
            stderr: stderr.to_owned(),
        }
    }

    fn exit(code: i32) -> Finished {
        finished(code << 8, b"", "first\nlast line\n\n")
    }

    fn error_of(verdict: Verdict) -> (TaskError, bool) {
        match verdict {
            Verdict::Failed { error, permanent } => (error, permanent),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn output_becomes_the_result() {
        let result = |stdout: &[u8]| match Verdict::of(finished(0, stdout, "")) {
            Verdict::Succeeded(result) => result,
            other => panic!("{other:?}"),
        };
        assert_eq!(result(b""), None);
        assert_eq!(result(b"{\"a\": 1}\n"), payload::from_json(&serde_json::json!({"a": 1})).ok());
        assert_eq!(result(b"hello\n").unwrap().content_type, "text/plain; charset=utf-8");
        assert_eq!(result(b"\xff\xfe").unwrap().content_type, "");
        let exact = result(b"9007199254740993").unwrap();
        assert_eq!(exact.content_type, "text/plain; charset=utf-8");
    }

    #[test]
    fn json_that_the_server_could_not_read_as_a_value_is_sent_as_text() {
        let deep = format!("{}1{}", r#"{"a":"#.repeat(40), "}".repeat(40));
        let large = format!("[0{}]", ",0".repeat(400_000));
        for text in [deep, large] {
            let sent = result(text.clone().into_bytes()).unwrap();
            assert_eq!(sent, payload::from_bytes(text, "application/json"));
        }
    }

    #[test]
    fn exit_codes_say_whether_to_try_again() {
        let (error, permanent) = error_of(Verdict::of(exit(1)));
        assert_eq!((error.r#type.as_str(), error.message.as_str()), ("EXIT_1", "last line"));
        assert_eq!(error.detail, "first\nlast line\n\n");
        assert!(!permanent);
        assert!(error_of(Verdict::of(exit(65))).1);
        assert_eq!(Verdict::of(exit(75)), Verdict::Snoozed(SNOOZE));
        let (killed, _) = error_of(Verdict::of(finished(9, b"", "")));
        assert_eq!(killed.r#type, "SIGNAL_9");
        assert_eq!(killed.message, "the command was ended by signal 9");
    }

    #[test]
    fn too_much_output_fails_for_good() {
        let verdict = Verdict::of(Finished { too_much: true, ..finished(0, b"x", "") });
        let (error, permanent) = error_of(verdict);
        assert_eq!(error.r#type, "RESULT_TOO_LARGE");
        assert!(permanent);
    }

    #[test]
    fn a_stopped_command_is_cancelled_unless_it_finished() {
        assert_eq!(Verdict::of(Finished { stopped: true, ..exit(1) }), Verdict::Cancelled);
        let done = Verdict::of(Finished { stopped: true, ..finished(0, b"", "") });
        assert_eq!(done, Verdict::Succeeded(None));
    }
}
