//! The flags that say what a task is given.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use bellringer_api::v1::Payload;
use clap::Args;
use serde_json::Value;

use crate::{failure::Failure, payload};

/// What the task is given.
#[derive(Debug, Args)]
pub(crate) struct Input {
    /// Input of the handler, as JSON; @FILE reads it from a file
    #[arg(long, value_name = "JSON", group = "input")]
    payload: Option<String>,
    /// File with the JSON input; `-` for standard input
    #[arg(long, value_name = "FILE", group = "input")]
    payload_file: Option<PathBuf>,
    /// File with input that is passed on as bytes; `-` for standard input
    #[arg(long, value_name = "FILE", group = "input")]
    data_file: Option<PathBuf>,
    /// Media type of the bytes [default: application/octet-stream]
    #[arg(long, value_name = "TYPE", requires = "data_file")]
    content_type: Option<String>,
}

impl Input {
    /// The payload that was given; of JSON on standard input if `stdin`.
    ///
    /// # Errors
    /// It cannot be read, or is not JSON.
    pub(crate) fn read(&self, stdin: bool) -> Result<Option<Payload>, Failure> {
        if let Some(file) = &self.data_file {
            let content_type = self.content_type.as_deref().unwrap_or_default();
            return Ok(Some(payload::from_bytes(read(file)?, content_type)));
        }
        let text = match (&self.payload, &self.payload_file) {
            // No JSON begins with it.
            (Some(text), _) if text.starts_with('@') => read(Path::new(&text[1..]))?,
            (Some(text), _) => text.clone().into_bytes(),
            (None, Some(file)) => read(file)?,
            (None, None) if stdin => read(Path::new("-"))?,
            (None, None) => return Ok(None),
        };
        let value: Value = serde_json::from_slice(&text).map_err(|error| {
            Failure::usage(format!("the payload is not JSON: {error}"))
                .next("quote strings, as in --payload '\"text\"', or send bytes with --data-file")
        })?;
        let payload = payload::from_json(&value).map_err(|error| {
            Failure::usage(error).next("write it as a string, or send bytes with --data-file")
        })?;
        Ok(Some(payload))
    }
}

/// All bytes of a file, or of standard input for `-`.
///
/// # Errors
/// It cannot be read.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = if file.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(file)
    };
    bytes.map_err(|error| Failure::usage(format!("cannot read {}: {error}", file.display())))
}
