//! Payloads: from what was typed to protobuf, and back.

use base64::{Engine, engine::general_purpose::STANDARD};
use bellringer_api::v1::{Payload, payload::Content};
use prost_types::{ListValue, Struct, Value as ProtoValue, value::Kind};
use serde_json::{Map, Number, Value};

/// Whole numbers beyond it are not exact in a double, which is what `google.protobuf.Value` holds.
const EXACT: u64 = 1 << 53;

/// A payload that holds a JSON value.
///
/// # Errors
/// Names the first whole number that would not arrive as it is.
pub(crate) fn from_json(value: &Value) -> Result<Payload, String> {
    let content = Content::Json(to_proto(value)?);
    Ok(Payload { content: Some(content), content_type: String::new() })
}

/// A payload that holds bytes.
pub(crate) fn from_bytes(data: impl Into<bytes::Bytes>, content_type: &str) -> Payload {
    Payload { content: Some(Content::Data(data.into())), content_type: content_type.to_owned() }
}

/// The content as plain bytes: JSON as compact text. `None` if there is none.
pub(crate) fn to_bytes(payload: &Payload) -> Option<Vec<u8>> {
    match payload.content.as_ref()? {
        Content::Json(value) => Some(from_proto(value).to_string().into_bytes()),
        Content::Data(data) => Some(data.to_vec()),
    }
}

/// Puts the payload under `name` if it is JSON, else under `name_data` as base64 and
/// `name_content_type`. Without content only `name` is written, as null.
pub(crate) fn write_json(object: &mut Map<String, Value>, name: &str, payload: Option<&Payload>) {
    let content = payload.and_then(|payload| payload.content.as_ref());
    match content {
        None => {
            object.insert(name.to_owned(), Value::Null);
        }
        Some(Content::Json(value)) => {
            object.insert(name.to_owned(), from_proto(value));
        }
        Some(Content::Data(data)) => {
            let content_type = payload.map(|payload| payload.content_type.clone());
            object.insert(format!("{name}_data"), STANDARD.encode(data).into());
            object.insert(format!("{name}_content_type"), content_type.into());
        }
    }
}

fn to_proto(value: &Value) -> Result<ProtoValue, String> {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(*value),
        Value::Number(number) => Kind::NumberValue(to_double(number)?),
        Value::String(text) => Kind::StringValue(text.clone()),
        Value::Array(values) => {
            let values = values.iter().map(to_proto).collect::<Result<_, _>>()?;
            Kind::ListValue(ListValue { values })
        }
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| Ok((name.clone(), to_proto(value)?)))
                .collect::<Result<_, String>>()?;
            Kind::StructValue(Struct { fields })
        }
    };
    Ok(ProtoValue { kind: Some(kind) })
}

fn to_double(number: &Number) -> Result<f64, String> {
    let whole = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
    if whole.is_some_and(|whole| whole > EXACT) {
        return Err(format!("the number {number} is beyond 2^53 and would not arrive exactly"));
    }
    number.as_f64().ok_or_else(|| format!("the number {number} is out of range"))
}

/// A JSON value from protobuf; whole numbers are written without a fraction.
pub(crate) fn from_proto(value: &ProtoValue) -> Value {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(value)) => Value::Bool(*value),
        Some(Kind::NumberValue(number)) => number_value(*number),
        Some(Kind::StringValue(text)) => Value::String(text.clone()),
        Some(Kind::ListValue(list)) => list.values.iter().map(from_proto).collect(),
        Some(Kind::StructValue(object)) => object
            .fields
            .iter()
            .map(|(name, value)| (name.clone(), from_proto(value)))
            .collect::<Map<_, _>>()
            .into(),
    }
}

/// A number of JSON: whole where it is whole, null where JSON has no word for it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "whole and at most 2^53, which both types hold exactly"
)]
pub(crate) fn number_value(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() <= EXACT as f64 {
        return Value::from(number as i64);
    }
    Value::from(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_comes_back_as_it_was() {
        let value = json!({"to": "a@b.c", "n": [1, -2.5, true, null], "deep": {"x": {}}});
        let payload = from_json(&value).unwrap();
        let mut object = Map::new();
        write_json(&mut object, "payload", Some(&payload));
        assert_eq!(Value::Object(object), json!({"payload": value}));
        assert_eq!(to_bytes(&payload).unwrap(), value.to_string().into_bytes());
    }

    #[test]
    fn numbers_that_would_change_are_refused() {
        assert!(from_json(&json!({"id": 9_007_199_254_740_993_u64})).is_err());
        assert!(from_json(&json!(-9_007_199_254_740_993_i64)).is_err());
        assert!(from_json(&json!(9_007_199_254_740_992_u64)).is_ok());
    }

    #[test]
    fn bytes_become_base64() {
        let mut object = Map::new();
        write_json(&mut object, "result", Some(&from_bytes(&b"\x00\xff"[..], "image/png")));
        let expected = json!({"result_data": "AP8=", "result_content_type": "image/png"});
        assert_eq!(Value::Object(object), expected);
    }
}
