//! `bellctl run-payload`: runs the command that a payload holds.

use std::{
    collections::BTreeMap,
    io::{self, Read, Seek, Write},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, Stdio},
};

use clap::Args;
use serde::Deserialize;

use crate::{exit::Exit, failure::Failure};

/// Run the command that a payload on standard input holds; for `bellctl worker --exec`
#[derive(Debug, Args)]
#[command(after_help = "\
The payload is an object with command (the program and its arguments), and if wanted stdin (text),
environment (an object of text, set beside what is there) and directory. The command takes the place
of this one: its output and its exit code are those of the task. The exit code is 65 if the payload
is wrong, so that it is not tried again. Whoever may submit such tasks may run any command as the
worker's user.

Example:
  bellctl worker --exec 'run-command=bellctl run-payload'
  bellctl submit run-command --payload '{\"command\": [\"df\", \"-h\"]}' --wait")]
pub(crate) struct RunPayload {}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Job {
    command: Vec<String>,
    #[serde(default)]
    stdin: Option<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    directory: Option<PathBuf>,
}

impl RunPayload {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let mut text = Vec::new();
        io::stdin().lock().read_to_end(&mut text)?;
        let mut command = command(&text)?;
        // Comes back only if the command could not take our place.
        let error = command.exec();
        let program = command.get_program().to_string_lossy().into_owned();
        Err(Failure::from(error).context(format!("cannot run {program}")))
    }
}

/// The command of a payload, ready to run.
fn command(text: &[u8]) -> Result<Command, Failure> {
    // On one line: the last one is what a worker reports.
    let job: Job = serde_json::from_slice(text).map_err(|error| {
        let form = r#"{"command": ["program", "argument"]}"#;
        Failure::new(Exit::BadPayload, format!("the payload is not like {form}: {error}"))
    })?;
    let wrong = |why: &str| Failure::new(Exit::BadPayload, format!("the payload's {why}"));
    let Some((program, arguments)) = job.command.split_first().filter(|(name, _)| !name.is_empty())
    else {
        return Err(wrong("command is empty"));
    };
    let texts = job.command.iter().chain(job.environment.values());
    if texts.chain(job.environment.keys()).any(|text| text.contains('\0')) {
        return Err(wrong("command or environment holds a zero byte"));
    }
    if job.environment.keys().any(|name| name.is_empty() || name.contains('=')) {
        return Err(wrong("environment has a name that is empty or holds an ="));
    }
    let mut command = Command::new(program);
    // The worker's own; a program of a task has no business with it.
    command.env_remove("BELLRINGER_API_KEY");
    command.args(arguments).envs(&job.environment).stdin(input(job.stdin.as_deref())?);
    if let Some(directory) = &job.directory {
        command.current_dir(directory);
    }
    Ok(command)
}

/// Text as the input of a process: in a file without a name, for nobody is left to write a pipe.
fn input(text: Option<&str>) -> Result<Stdio, Failure> {
    let Some(text) = text else { return Ok(Stdio::null()) };
    let mut file = tempfile::tempfile()?;
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(payload: &str) -> String {
        let output = command(payload.as_bytes()).unwrap().output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn a_command_gets_its_arguments_input_environment_and_directory() {
        let text = output(
            r#"{"command": ["sh", "-c", "cat; echo $X $0; pwd", "a b"], "stdin": "in\n",
                "environment": {"X": "y"}, "directory": "/"}"#,
        );
        assert_eq!(text, "in\ny a b\n/\n");
        assert_eq!(output(r#"{"command": ["cat"]}"#), "", "no input, not that of the worker");
    }

    #[test]
    fn a_payload_that_is_wrong_is_not_tried_again() {
        for wrong in [
            "",
            "null",
            "{}",
            r#"{"command": []}"#,
            r#"{"command": [""]}"#,
            r#"{"command": "rm -rf"}"#,
            r#"{"command": ["x"], "user": "root"}"#,
            r#"{"command": ["x\u0000"]}"#,
            r#"{"command": ["x"], "environment": {"A=B": "c"}}"#,
        ] {
            let failure = command(wrong.as_bytes()).err().unwrap();
            assert_eq!(failure.exit, Exit::BadPayload, "{wrong}");
        }
    }
}
