//! Between Rust values and payloads.

use bellringer_api::v1::Payload;
use bellringer_api::v1::payload::Content;
use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;

/// A payload of JSON.
///
/// # Errors
/// If the value cannot be written as JSON.
pub fn to_payload<T: Serialize + ?Sized>(value: &T) -> Result<Payload, Error> {
    let json = serde_json::to_value(value).map_err(|error| Error::Json(error.to_string()))?;
    Ok(Payload { content: Some(Content::Json(to_value(json))), content_type: String::new() })
}

/// The value of a payload of JSON; no payload is `null`. Bytes are read as JSON text.
///
/// # Errors
/// If the payload is not such a value.
pub fn from_payload<T: DeserializeOwned>(payload: Option<&Payload>) -> Result<T, Error> {
    let wrong = |error: serde_json::Error| Error::Json(error.to_string());
    match payload.and_then(|payload| payload.content.as_ref()) {
        None => serde_json::from_value(serde_json::Value::Null).map_err(wrong),
        Some(Content::Json(value)) => {
            serde_json::from_value(from_value(value.clone())).map_err(wrong)
        }
        Some(Content::Data(data)) => serde_json::from_slice(data).map_err(wrong),
    }
}

fn to_value(json: serde_json::Value) -> Value {
    use serde_json::Value as Json;
    let kind = match json {
        Json::Null => Kind::NullValue(0),
        Json::Bool(value) => Kind::BoolValue(value),
        Json::Number(value) => Kind::NumberValue(value.as_f64().unwrap_or_default()),
        Json::String(value) => Kind::StringValue(value),
        Json::Array(values) => {
            Kind::ListValue(ListValue { values: values.into_iter().map(to_value).collect() })
        }
        Json::Object(fields) => Kind::StructValue(Struct {
            fields: fields.into_iter().map(|(key, value)| (key, to_value(value))).collect(),
        }),
    };
    Value { kind: Some(kind) }
}

fn from_value(value: Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match value.kind {
        None | Some(Kind::NullValue(_)) => Json::Null,
        Some(Kind::BoolValue(value)) => value.into(),
        Some(Kind::StringValue(value)) => value.into(),
        Some(Kind::NumberValue(value)) => number(value),
        Some(Kind::ListValue(list)) => list.values.into_iter().map(from_value).collect(),
        Some(Kind::StructValue(object)) => {
            Json::Object(object.fields.into_iter().map(|(k, v)| (k, from_value(v))).collect())
        }
    }
}

/// Whole numbers come back as integers, so that they fit integer types.
fn number(value: f64) -> serde_json::Value {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53
    #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
    let whole = (value.fract() == 0.0 && value.abs() <= EXACT).then_some(value as i64);
    whole.map_or_else(|| value.into(), Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_went() {
        let value = (7_i64, "text".to_owned(), vec![1.5, 2.0], Option::<bool>::None);
        let payload = to_payload(&value).unwrap();
        assert_eq!(
            from_payload::<(i64, String, Vec<f64>, Option<bool>)>(Some(&payload)).unwrap(),
            value
        );
        assert!(from_payload::<()>(None).is_ok());
        assert!(from_payload::<u8>(Some(&payload)).is_err());
    }
}
