//! Payloads: JSON values are kept as JSON text, bytes as they are.

use bellringer_api::v1 as pb;
use bellringer_api::v1::payload::Content;
use bytes::Bytes;
use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};
use serde_json::{Map, Number};

use crate::domain::{Payload, limits};

/// Media type of bytes whose type was not given.
const BYTES: &str = "application/octet-stream";

/// Reads a payload of up to `largest` bytes.
pub(crate) fn payload(payload: Option<pb::Payload>, largest: usize) -> Result<Payload, String> {
    let Some(payload) = payload else { return Ok(Payload::none()) };
    let read = match payload.content {
        None if payload.content_type.is_empty() => Payload::none(),
        None => return Err("content_type: must be empty when there is no data".to_owned()),
        Some(Content::Json(value)) => {
            if !payload.content_type.is_empty() {
                return Err("content_type: must be empty for json".to_owned());
            }
            let json = json(value, 0)?;
            Payload { data: Bytes::from(json.to_string()), content_type: None }
        }
        Some(Content::Data(data)) => {
            let kind = if payload.content_type.is_empty() { BYTES } else { &payload.content_type };
            if kind.len() > limits::CONTENT_TYPE
                || !kind.bytes().all(|b| (b' '..=b'~').contains(&b))
            {
                let longest = limits::CONTENT_TYPE;
                return Err(format!(
                    "content_type: must be up to {longest} visible ASCII characters"
                ));
            }
            Payload { data, content_type: Some(kind.to_owned()) }
        }
    };
    if read.data.len() > largest {
        return Err(format!("must be up to {largest} bytes, is {}", read.data.len()));
    }
    Ok(read)
}

/// Writes a payload; `None` for no data.
pub(crate) fn pb_payload(payload: Payload) -> Option<pb::Payload> {
    if payload.is_none() {
        return None;
    }
    let content = match &payload.content_type {
        Some(_) => Content::Data(payload.data),
        None => match serde_json::from_slice(&payload.data) {
            Ok(json) => Content::Json(value(json)),
            // Not written by this server: better shown as it is than not at all.
            Err(_) => Content::Data(payload.data),
        },
    };
    Some(pb::Payload {
        content: Some(content),
        content_type: payload.content_type.unwrap_or_default(),
    })
}

/// Messages that a level of JSON is in an encoded `Value`: `ListValue` and `Value`; `Struct`, an entry and `Value`.
const OF_ARRAY: usize = 2;
const OF_OBJECT: usize = 3;

/// Reads JSON that lies so many messages deep.
fn json(value: Value, depth: usize) -> Result<serde_json::Value, String> {
    if depth > limits::JSON_DEPTH {
        return Err(format!(
            "json: must be nested up to {} objects or {} arrays deep",
            limits::JSON_DEPTH / OF_OBJECT,
            limits::JSON_DEPTH / OF_ARRAY,
        ));
    }
    Ok(match value.kind {
        None => return Err("json: every value must be set; null is a value too".to_owned()),
        Some(Kind::NullValue(_)) => serde_json::Value::Null,
        Some(Kind::BoolValue(value)) => value.into(),
        Some(Kind::StringValue(value)) => value.into(),
        Some(Kind::NumberValue(value)) => serde_json::Value::Number(number(value)?),
        Some(Kind::ListValue(list)) => list
            .values
            .into_iter()
            .map(|value| json(value, depth.saturating_add(OF_ARRAY)))
            .collect::<Result<Vec<_>, _>>()?
            .into(),
        Some(Kind::StructValue(object)) => object
            .fields
            .into_iter()
            .map(|(key, value)| Ok((key, json(value, depth.saturating_add(OF_OBJECT))?)))
            .collect::<Result<Map<_, _>, String>>()?
            .into(),
    })
}

/// Whole numbers are written without a fraction, as people write them.
fn number(value: f64) -> Result<Number, String> {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53
    #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
    let whole = (value.fract() == 0.0 && value.abs() <= EXACT).then_some(value as i64);
    match whole {
        Some(whole) => Ok(whole.into()),
        None => Number::from_f64(value)
            .ok_or_else(|| "json: numbers must be finite; JSON has no NaN or infinity".to_owned()),
    }
}

fn value(json: serde_json::Value) -> Value {
    use serde_json::Value as Json;
    let kind = match json {
        Json::Null => Kind::NullValue(0),
        Json::Bool(value) => Kind::BoolValue(value),
        Json::Number(value) => Kind::NumberValue(value.as_f64().unwrap_or_default()),
        Json::String(value) => Kind::StringValue(value),
        Json::Array(values) => {
            Kind::ListValue(ListValue { values: values.into_iter().map(value).collect() })
        }
        Json::Object(fields) => Kind::StructValue(Struct {
            fields: fields.into_iter().map(|(key, json)| (key, value(json))).collect(),
        }),
    };
    Value { kind: Some(kind) }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    fn given(json: serde_json::Value) -> pb::Payload {
        pb::Payload { content: Some(Content::Json(value(json))), content_type: String::new() }
    }

    #[test]
    fn json_comes_back_as_it_was_given_and_whole_numbers_stay_whole() {
        let json = serde_json::json!({"a": [1, 2.5, null, true, "x\u{0}"], "b": {}});
        let stored = payload(Some(given(json.clone())), 1000).unwrap();
        assert_eq!(&stored.data[..], json.to_string().as_bytes());
        assert_eq!(pb_payload(stored), Some(given(json)));
    }

    #[test]
    fn what_json_cannot_say_is_refused() {
        let nan = pb::Payload {
            content: Some(Content::Json(Value { kind: Some(Kind::NumberValue(f64::NAN)) })),
            content_type: String::new(),
        };
        assert!(payload(Some(nan), 1000).unwrap_err().contains("finite"));
        let unset = pb::Payload {
            content: Some(Content::Json(Value { kind: None })),
            content_type: String::new(),
        };
        assert!(payload(Some(unset), 1000).is_err());
    }

    #[test]
    fn what_is_taken_in_is_not_nested_deeper_than_every_message_with_it_can_be_read() {
        let nested = |levels: usize, around: fn(serde_json::Value) -> serde_json::Value| {
            (0..levels).fold(serde_json::json!(1), |json, _| around(json))
        };
        let array = |json| serde_json::json!([json]);
        let object = |json| serde_json::json!({ "a": json });
        for (deepest, around) in [(45, array as fn(_) -> _), (30, object)] {
            let stored = payload(Some(given(nested(deepest, around))), 1000).unwrap();
            let task = pb::Task {
                spec: Some(pb::TaskSpec { payload: pb_payload(stored), ..Default::default() }),
                ..Default::default()
            };
            // The deepest of all: pages of tasks.
            let page = pb::ListTasksResponse { tasks: vec![task], ..Default::default() };
            let read = pb::ListTasksResponse::decode(page.encode_to_vec().as_slice());
            assert_eq!(read.unwrap(), page);
            let refused = payload(Some(given(nested(deepest + 1, around))), 1000).unwrap_err();
            assert!(refused.contains("30 objects or 45 arrays"), "{refused}");
        }
    }

    #[test]
    fn empty_bytes_are_data_and_no_payload_is_none() {
        let empty =
            pb::Payload { content: Some(Content::Data(Bytes::new())), content_type: String::new() };
        let stored = payload(Some(empty), 1000).unwrap();
        assert!(!stored.is_none() && pb_payload(stored).is_some());
        assert_eq!(pb_payload(payload(None, 0).unwrap()), None);
    }

    #[test]
    fn a_payload_over_the_limit_is_refused() {
        let large = pb::Payload {
            content: Some(Content::Data(Bytes::from(vec![0; 11]))),
            content_type: String::new(),
        };
        assert!(payload(Some(large.clone()), 10).is_err());
        assert!(payload(Some(large), 11).is_ok());
    }
}
