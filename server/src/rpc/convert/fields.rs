//! Fields that many requests have.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use crate::domain::{QueueName, View, limits};
use bellringer_api::v1 as pb;

/// Reads a queue; empty means the default.
pub(crate) fn queue_or_default(text: &str) -> Result<QueueName, String> {
    QueueName::parse(if text.is_empty() { QueueName::DEFAULT } else { text })
}

/// Reads text of up to `longest` bytes, without NUL: PostgreSQL cannot store it.
pub(crate) fn text(text: String, longest: usize) -> Result<String, String> {
    if text.len() > longest || text.contains('\0') {
        return Err(format!("must be up to {longest} bytes, without NUL"));
    }
    Ok(text)
}

/// Reads a key; empty means none.
pub(crate) fn key(key: String) -> Result<Option<String>, String> {
    if key.is_empty() { Ok(None) } else { text(key, limits::KEY).map(Some) }
}

/// Cuts text to `longest` bytes at a character, and makes NUL visible.
pub(crate) fn cut(mut text: String, longest: usize) -> String {
    if text.contains('\0') {
        text = text.replace('\0', "\u{fffd}");
    }
    if text.len() > longest {
        let end = (0..=longest).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        text.truncate(end);
    }
    text
}

/// Reads labels.
pub(crate) fn labels(labels: HashMap<String, String>) -> Result<BTreeMap<String, String>, String> {
    let valid = labels.len() <= limits::LABELS
        && labels.iter().all(|(key, value)| {
            (1..=limits::LABEL_KEY).contains(&key.len())
                && value.len() <= limits::LABEL_VALUE
                && !key.contains('\0')
                && !value.contains('\0')
        });
    if valid {
        return Ok(labels.into_iter().collect());
    }
    Err(format!(
        "must be up to {} pairs, keys of 1 to {} bytes, values of up to {} bytes, without NUL",
        limits::LABELS,
        limits::LABEL_KEY,
        limits::LABEL_VALUE
    ))
}

/// Reads a W3C `traceparent`; empty means none.
pub(crate) fn traceparent(text: String) -> Result<Option<String>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let lengths = [2, 32, 16, 2];
    let parts: Vec<&str> = text.split('-').collect();
    let valid = parts.len() == lengths.len()
        && parts.iter().zip(lengths).all(|(part, length)| {
            part.len() == length
                && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        });
    if valid {
        Ok(Some(text))
    } else {
        Err("must be a W3C traceparent of 55 characters".to_owned())
    }
}

/// Reads a view.
pub(crate) fn view(view: i32, default: View) -> Result<View, String> {
    match pb::TaskView::try_from(view) {
        Ok(pb::TaskView::Unspecified) => Ok(default),
        Ok(pb::TaskView::Basic) => Ok(View::Basic),
        Ok(pb::TaskView::Full) => Ok(View::Full),
        Err(_) => Err("must be BASIC or FULL".to_owned()),
    }
}

/// Reads a page size; 0 means the default.
pub(crate) fn page_size(size: u32) -> Result<usize, String> {
    match usize::try_from(size) {
        Ok(0) => Ok(100),
        Ok(size) if size <= limits::BATCH => Ok(size),
        _ => Err(format!("must be 1 to {}", limits::BATCH)),
    }
}

/// A page and the first of the next one, which tells whether there is any.
pub(crate) fn one_more(size: usize) -> usize {
    size.saturating_add(1)
}

/// Reads the last id of a page token.
pub(crate) fn uuid(text: &str) -> Result<Uuid, String> {
    Uuid::try_parse(text).map_err(|_| "must be a token as the server gave it".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutting_never_splits_a_character() {
        assert_eq!(cut("aä".to_owned(), 2), "a");
        assert_eq!(cut("a\0b".to_owned(), 9), "a\u{fffd}b");
    }

    #[test]
    fn labels_are_taken_up_to_the_limits_and_refused_past_them() {
        let many = |count: usize| (0..count).map(|n| (format!("key{n}"), String::new())).collect();
        assert_eq!(labels(many(limits::LABELS)).unwrap().len(), 32);
        labels(many(limits::LABELS + 1)).unwrap_err();
        // Of two bytes each: bytes are counted, not characters.
        let one = |key: usize, value: usize| {
            [(format!("k{}", "ä".repeat(key)), format!("v{}", "ä".repeat(value)))].into()
        };
        labels(one(31, 127)).unwrap();
        let why = labels(one(32, 0)).unwrap_err();
        assert_eq!(labels(one(0, 128)).unwrap_err(), why);
        assert!(why.contains("32 pairs") && why.contains("63") && why.contains("255"), "{why}");
    }

    #[test]
    fn a_traceparent_is_taken_as_the_standard_writes_it() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(traceparent(good.to_owned()).is_ok());
        assert!(traceparent(good.to_uppercase()).is_err());
        assert!(traceparent("00-1-2-3".to_owned()).is_err());
    }
}
