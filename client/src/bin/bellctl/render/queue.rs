//! Queues as JSON, as a table and as a card.

use std::fmt::Write;

use bellringer_api::v1::{Queue, Retention};
use comfy_table::Cell;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    paint::{Paint, cut, one_line},
    render::json::{duration, timestamp},
    time,
};

/// Beyond it the server stops counting.
const COUNTED: u64 = 10_000;

/// A queue with the stable names of its fields.
pub(crate) fn json(queue: &Queue) -> Value {
    let retention = queue.retention.unwrap_or_default();
    json!({
        "namespace": queue.namespace,
        "name": queue.name,
        "paused": queue.paused,
        "pause_note": Some(&queue.pause_note).filter(|note| !note.is_empty()),
        "paused_at": timestamp(queue.paused_at.as_ref()),
        "created_at": timestamp(queue.created_at.as_ref()),
        "ready": queue.ready,
        "scheduled": queue.scheduled,
        "running": queue.running,
        "oldest_ready_age": duration(queue.oldest_ready_age.as_ref()),
        "kinds": queue.kinds,
        "retention": {
            "succeeded": duration(retention.succeeded.as_ref()),
            "failed": duration(retention.failed.as_ref()),
            "cancelled": duration(retention.cancelled.as_ref()),
            "expired": duration(retention.expired.as_ref()),
        },
    })
}

/// The head of the table of queues.
pub(crate) const HEAD: [&str; 6] =
    ["QUEUE", "READY", "SCHEDULED", "RUNNING", "OLDEST READY", "PAUSED"];

/// A row of the table of queues.
pub(crate) fn row(queue: &Queue) -> Vec<Cell> {
    let paused = match (queue.paused, queue.pause_note.as_str()) {
        (false, _) => String::new(),
        (true, "") => "yes".to_owned(),
        (true, note) => format!("yes: {}", cut(note, 60)),
    };
    let counts = [queue.ready, queue.scheduled, queue.running].map(count);
    let oldest = queue.oldest_ready_age.as_ref().map(|age| time::brief(time::length(age)));
    let mut row = vec![Cell::new(&queue.name)];
    row.extend(counts.map(Cell::new));
    row.push(Cell::new(oldest.unwrap_or_default()));
    row.push(Cell::new(paused));
    row
}

/// The card of a queue.
pub(crate) fn card(queue: &Queue, paint: Paint, now: Timestamp) -> String {
    let mut text = format!("Queue {}", paint.bold(&queue.name));
    let mut row = |name: &str, value: String| {
        let name = paint.dim(&format!("{name:<13}"));
        let _ = write!(text, "\n  {name} {}", one_line(&value));
    };
    let at = |time: &Option<prost_types::Timestamp>| {
        time.as_ref().and_then(time::from_proto).map(|time| time::long(time, now))
    };
    row("namespace", queue.namespace.clone());
    if queue.paused {
        let since = at(&queue.paused_at).unwrap_or_else(|| "yes".to_owned());
        row("paused", format!("{since} {}", queue.pause_note));
    }
    row("ready", count(queue.ready));
    row("scheduled", count(queue.scheduled));
    row("running", count(queue.running));
    if let Some(age) = &queue.oldest_ready_age {
        row("oldest ready", time::friendly(time::length(age)));
    }
    if !queue.kinds.is_empty() {
        row("kinds", queue.kinds.join(", "));
    }
    if let Some(created) = at(&queue.created_at) {
        row("created", created);
    }
    if let Some(retention) = &queue.retention {
        row("kept for", kept(retention));
    }
    text
}

fn kept(retention: &Retention) -> String {
    let parts = [
        ("succeeded", &retention.succeeded),
        ("failed", &retention.failed),
        ("cancelled", &retention.cancelled),
        ("expired", &retention.expired),
    ];
    let named = parts.into_iter().filter_map(|(name, length)| {
        length.as_ref().map(|length| format!("{name} {}", time::friendly(time::length(length))))
    });
    named.collect::<Vec<_>>().join(", ")
}

fn count(count: u64) -> String {
    if count >= COUNTED { format!("{COUNTED}+") } else { count.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paused() -> Queue {
        Queue {
            namespace: "default".to_owned(),
            name: "mail".to_owned(),
            paused: true,
            pause_note: "provider is down".to_owned(),
            ready: 10_000,
            running: 3,
            oldest_ready_age: Some(prost_types::Duration { seconds: 90, nanos: 0 }),
            retention: Some(Retention {
                succeeded: Some(prost_types::Duration { seconds: 604_800, nanos: 0 }),
                ..Retention::default()
            }),
            kinds: vec!["send".to_owned()],
            ..Queue::default()
        }
    }

    #[test]
    fn a_card_tells_everything_about_a_queue() {
        let now = "2026-05-01T10:00:00Z".parse().unwrap();
        let expected = "\
Queue mail
  namespace     default
  paused        yes provider is down
  ready         10000+
  scheduled     0
  running       3
  oldest ready  1m 30s
  kinds         send
  kept for      succeeded 7d";
        assert_eq!(card(&paused(), Paint { on: false }, now), expected);
    }

    #[test]
    fn json_has_seconds_and_nulls() {
        let value = json(&paused());
        assert_eq!(value["oldest_ready_age"], "90s");
        assert_eq!(value["retention"]["succeeded"], "604800s");
        assert_eq!(value["created_at"], Value::Null);
        assert_eq!(value["pause_note"], "provider is down");
    }
}
