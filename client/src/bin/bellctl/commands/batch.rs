//! `bellctl submit --batch-file`: tasks from lines of JSON, in batches.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
    path::Path,
};

use bellringer_api::v1::{
    ErrorReason, SubmitBatchItem, SubmitBatchRequest, submit_batch_result::Result as ItemResult,
};
use prost::Message;
use serde_json::json;

use crate::{
    app::App, commands::submit::ensure_key, draft::Draft, exit::Exit, failure::Failure,
    paint::one_line, time,
};

/// Most items in one call.
const ITEMS: usize = 1000;

/// Most encoded bytes in one call; the server takes 3 MiB.
const BYTES: usize = 2 << 20;

/// A task and the line it stands on.
struct Line {
    number: usize,
    item: SubmitBatchItem,
}

/// Submits the tasks of a file.
pub(crate) async fn submit(
    app: &App,
    file: &Path,
    atomic: bool,
    verbose: bool,
) -> Result<Exit, Failure> {
    let mut batch = Batch { app, verbose, atomic, counts: Counts::default() };
    let mut waiting: Vec<Line> = Vec::new();
    let mut bytes = 0;
    for (index, text) in open(file)?.lines().enumerate() {
        let number = index + 1;
        let text = text.map_err(|error| cannot_read(file, &error))?;
        if text.trim().is_empty() {
            continue;
        }
        let item = match parse(&text) {
            Ok(item) => item,
            Err(error) if atomic => {
                return Err(Failure::usage(format!("line {number}: {error}"))
                    .next("nothing was submitted; mend the line and submit again"));
            }
            Err(error) => {
                batch.refused(number, "INVALID_ARGUMENT", &error)?;
                continue;
            }
        };
        let size = item.encoded_len();
        if !waiting.is_empty() && (waiting.len() == ITEMS || bytes + size > BYTES) {
            if atomic {
                return Err(Failure::usage("too much for one atomic batch")
                    .next("an atomic batch holds 1000 tasks and 2 MiB; leave --atomic out"));
            }
            batch.send(std::mem::take(&mut waiting)).await?;
            bytes = 0;
        }
        bytes += size;
        waiting.push(Line { number, item });
    }
    if !waiting.is_empty() {
        batch.send(waiting).await?;
    }
    batch.end()
}

fn open(file: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if file.as_os_str() == "-" {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let opened = File::open(file).map_err(|error| cannot_read(file, &error))?;
    Ok(Box::new(BufReader::new(opened)))
}

fn cannot_read(file: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("cannot read {}: {error}", file.display()))
}

fn parse(text: &str) -> Result<SubmitBatchItem, String> {
    let draft: Draft = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut item = draft.into_item(time::now())?;
    ensure_key(&mut item);
    Ok(item)
}

/// Puts lines of the file for items of the call: `items[3].task.kind: …` is `line 7: kind: …`.
/// Without `numbers` the line is left out.
fn by_line(text: &str, numbers: &[usize]) -> String {
    let parts = text.strip_prefix("items[").and_then(|rest| rest.split_once("]."));
    let Some((index, rest)) = parts else { return text.to_owned() };
    let rest = rest.strip_prefix("task.").unwrap_or(rest);
    match index.parse::<usize>().ok().and_then(|index| numbers.get(index)) {
        Some(number) => format!("line {number}: {rest}"),
        None => rest.to_owned(),
    }
}

#[derive(Debug, Default, PartialEq)]
struct Counts {
    created: usize,
    existing: usize,
    refused: usize,
    /// Some refusal was for a reason other than bad input.
    conflict: bool,
}

struct Batch<'a> {
    app: &'a App,
    verbose: bool,
    atomic: bool,
    counts: Counts,
}

impl Batch<'_> {
    async fn send(&mut self, lines: Vec<Line>) -> Result<(), Failure> {
        let (app, first) = (self.app, lines.first().map_or(1, |line| line.number));
        let (numbers, items): (Vec<_>, Vec<_>) =
            lines.into_iter().map(|line| (line.number, line.item)).unzip();
        let request =
            SubmitBatchRequest { namespace: app.namespace.clone(), items, atomic: self.atomic };
        let answer = app
            .repeat(|| {
                let request = request.clone();
                async move { app.tasks().submit_batch(request).await }
            })
            .await
            .map_err(|failure| {
                // Items count from the start of the call, people count lines of their file.
                let failure = failure.map_text(|text| by_line(text, &numbers));
                self.stopped(failure, first)
            })?;
        for (number, result) in numbers.into_iter().zip(answer.results) {
            match result.result {
                Some(ItemResult::Submitted(done)) => {
                    self.durable(number, &done.task_id, done.created)?;
                }
                Some(ItemResult::Error(error)) => {
                    let name = error.reason().as_str_name();
                    let name = name.strip_prefix("ERROR_REASON_").unwrap_or(name);
                    self.counts.conflict |= matches!(
                        error.reason(),
                        ErrorReason::IdempotencyConflict | ErrorReason::UniqueKeyConflict
                    );
                    let message = by_line(&error.message, &[]);
                    self.refused(number, name, &message)?;
                }
                None => self.refused(number, "INTERNAL", "the server gave no answer")?,
            }
        }
        Ok(())
    }

    /// Says which lines are safe, so that nobody submits them twice.
    fn stopped(&self, failure: Failure, first: usize) -> Failure {
        let done = self.counts.created + self.counts.existing;
        if done == 0 {
            return failure;
        }
        failure.detail(format!("{done} tasks before line {first} are durable")).next(format!(
            "go on from line {first}, or give the lines idempotency keys and submit all again"
        ))
    }

    fn durable(&mut self, line: usize, id: &str, created: bool) -> Result<(), Failure> {
        let count = if created { &mut self.counts.created } else { &mut self.counts.existing };
        *count += 1;
        if self.app.out.is_json() {
            let value = json!({"line": line, "task_id": id, "created": created});
            return self.app.out.object(&value);
        }
        if self.verbose { self.app.out.line(id) } else { Ok(()) }
    }

    fn refused(&mut self, line: usize, reason: &str, message: &str) -> Result<(), Failure> {
        self.counts.refused += 1;
        if self.app.out.is_json() {
            let error = json!({"reason": reason, "message": message});
            return self.app.out.object(&json!({"line": line, "error": error}));
        }
        let _ = writeln!(io::stderr(), "line {line}: {}", one_line(message));
        Ok(())
    }

    /// Counts are the result, unless ids or objects are.
    fn end(self) -> Result<Exit, Failure> {
        let text = self.counts.to_string();
        if self.app.out.is_json() || self.verbose {
            self.app.out.remark(&text);
        } else {
            self.app.out.line(&text)?;
        }
        Ok(self.counts.exit())
    }
}

impl Counts {
    fn exit(&self) -> Exit {
        match (self.refused, self.conflict) {
            (0, _) => Exit::Ok,
            (_, true) => Exit::Conflict,
            (_, false) => Exit::Usage,
        }
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} submitted", self.created)?;
        if self.existing > 0 {
            write!(f, ", {} there already", self.existing)?;
        }
        if self.refused > 0 {
            write!(f, ", {} refused", self.refused)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_has_a_key_so_that_a_batch_can_be_repeated() {
        assert!(!parse(r#"{"kind": "k"}"#).unwrap().idempotency_key.is_empty());
        let item = parse(r#"{"kind": "k", "idempotency_key": "mine"}"#).unwrap();
        assert_eq!(item.idempotency_key, "mine");
    }

    #[test]
    fn items_are_called_by_their_lines() {
        let text = "items[1].task.priority: must be 0 to 9";
        assert_eq!(by_line(text, &[4, 7]), "line 7: priority: must be 0 to 9");
        assert_eq!(by_line(text, &[]), "priority: must be 0 to 9");
        assert_eq!(by_line("too much", &[4]), "too much");
    }

    #[test]
    fn counts_are_told_in_words_and_as_exit_code() {
        let counts = Counts { created: 3, existing: 1, refused: 2, conflict: false };
        assert_eq!(counts.to_string(), "3 submitted, 1 there already, 2 refused");
        assert_eq!(counts.exit(), Exit::Usage);
        assert_eq!(Counts { conflict: true, ..counts }.exit(), Exit::Conflict);
        assert_eq!(Counts::default().exit(), Exit::Ok);
    }
}
