//! Between Rust values and payloads.

use bellringer_api::v1::Payload;
use bellringer_api::v1::payload::Content;
use prost::Message as _;
use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;

/// Media type of JSON text.
const JSON: &str = "application/json";
/// Most messages within each other in a value. Who reads it takes 100, of which some are around it.
const DEPTH: usize = 85;
/// Most bytes of a value: with what goes around it, less than a report, a batch or a call may have.
const BYTES: usize = 3_000_000;

/// A payload of JSON. What is nested too deep to be read as a value, about 28 objects or 42 arrays,
/// or is too large as one, goes as bytes of JSON text, which [`from_payload`] reads all the same.
///
/// # Errors
/// If the value cannot be written as JSON, or has a whole number that a double cannot hold: beyond
/// 2^53 most cannot, and belong into a string.
pub fn to_payload<T: Serialize + ?Sized>(value: &T) -> Result<Payload, Error> {
    let json = serde_json::to_value(value).map_err(|error| Error::Json(error.to_string()))?;
    let json = to_value(json)?;
    if arrives(&json) {
        return Ok(Payload { content: Some(Content::Json(json)), content_type: String::new() });
    }
    let text = serde_json::to_vec(value).map_err(|error| Error::Json(error.to_string()))?;
    let content = Some(Content::Data(text.into()));
    Ok(Payload { content, content_type: JSON.to_owned() })
}

/// Whether a value can be read by whoever is sent it: it is neither nested too deep nor too large.
#[doc(hidden)]
pub fn arrives(value: &Value) -> bool {
    depth(value) <= DEPTH && value.encoded_len() <= BYTES
}

/// Messages within each other below a value: an entry of an object is a message too.
fn depth(value: &Value) -> usize {
    match &value.kind {
        Some(Kind::ListValue(list)) => 2 + list.values.iter().map(depth).max().unwrap_or(0),
        Some(Kind::StructValue(object)) => 3 + object.fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
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

fn to_value(json: serde_json::Value) -> Result<Value, Error> {
    use serde_json::Value as Json;
    let kind = match json {
        Json::Null => Kind::NullValue(0),
        Json::Bool(value) => Kind::BoolValue(value),
        Json::Number(value) => Kind::NumberValue(to_double(&value)?),
        Json::String(value) => Kind::StringValue(value),
        Json::Array(values) => {
            let values = values.into_iter().map(to_value).collect::<Result<_, _>>()?;
            Kind::ListValue(ListValue { values })
        }
        Json::Object(fields) => {
            let fields = fields.into_iter().map(|(key, value)| Ok((key, to_value(value)?)));
            Kind::StructValue(Struct { fields: fields.collect::<Result<_, Error>>()? })
        }
    };
    Ok(Value { kind: Some(kind) })
}

/// The double that is just this number; no digit is lost in silence.
fn to_double(number: &serde_json::Number) -> Result<f64, Error> {
    let double = number.as_f64();
    let is_same = number.is_f64() || double.is_some_and(|double| number_of(double) == *number);
    double.filter(|_| is_same).ok_or_else(|| {
        Error::Json(format!("{number} cannot be kept exactly as a number; give it as a string"))
    })
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

fn number(value: f64) -> serde_json::Value {
    if value.is_finite() { number_of(value).into() } else { serde_json::Value::Null }
}

/// Whole numbers come back as integers, so that they fit integer types.
fn number_of(value: f64) -> serde_json::Number {
    const I64: f64 = 9_223_372_036_854_775_808.0; // 2^63
    if value.fract() == 0.0 {
        #[expect(clippy::cast_possible_truncation, reason = "whole and in range")]
        if (-I64..I64).contains(&value) {
            return (value as i64).into();
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "as above")]
        if (I64..2.0 * I64).contains(&value) {
            return (value as u64).into();
        }
    }
    serde_json::Number::from_f64(value).unwrap_or_else(|| 0.into())
}

#[cfg(test)]
mod tests {
    use bellringer_api::v1 as pb;
    use pb::attempt_report::Outcome;
    use pb::work_request::Message;

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

    #[test]
    fn whole_numbers_stay_what_they_are_or_are_refused() {
        for exact in [0, -1, 1 << 53, i64::MIN, 1 << 60] {
            let payload = to_payload(&exact).unwrap();
            assert_eq!(from_payload::<i64>(Some(&payload)).unwrap(), exact);
        }
        let large = 1_u64 << 63;
        assert_eq!(from_payload::<u64>(Some(&to_payload(&large).unwrap())).unwrap(), large);
        for lost in [(1 << 53) + 1, i64::MAX] {
            let error = to_payload(&[lost]).unwrap_err().to_string();
            assert!(error.contains("as a string"), "{error}");
        }
        assert!(to_payload(&u64::MAX).is_err());
        for double in [1e300_f64, -2.5, 1e18] {
            let payload = to_payload(&double).unwrap();
            assert_eq!(from_payload::<f64>(Some(&payload)).unwrap().to_bits(), double.to_bits());
        }
    }

    /// A value this deep in arrays or in objects.
    fn nested(levels: usize, level: fn(serde_json::Value) -> serde_json::Value) -> Payload {
        let deep = (0..levels).fold(serde_json::json!(1), |value, _| level(value));
        let payload = to_payload(&deep).unwrap();
        assert_eq!(from_payload::<serde_json::Value>(Some(&payload)).unwrap(), deep);
        payload
    }

    #[test]
    fn what_is_nested_too_deep_to_be_decoded_goes_as_text() {
        let array = |value| serde_json::json!([value]);
        let object = |value| serde_json::json!({"a": value});
        for payload in [nested(42, array), nested(28, object)] {
            assert!(matches!(payload.content, Some(Content::Json(_))));
            let reports = vec![succeeded(payload)];
            let report = pb::WorkRequest {
                message: Some(Message::Report(pb::Report { reports, grant: 0 })),
            };
            assert_eq!(pb::WorkRequest::decode(&report.encode_to_vec()[..]).unwrap(), report);
        }
        for payload in [nested(43, array), nested(29, object), nested(40, object)] {
            assert!(matches!(payload.content, Some(Content::Data(_))));
            assert_eq!(payload.content_type, "application/json");
        }
    }

    fn succeeded(result: Payload) -> pb::AttemptReport {
        let outcome = Outcome::Succeeded(pb::Succeeded { result: Some(result) });
        pb::AttemptReport { outcome: Some(outcome), ..Default::default() }
    }

    #[test]
    fn what_is_too_large_as_a_value_goes_as_text() {
        let many = vec![0; 300_000];
        let payload = to_payload(&many).unwrap();
        assert!(payload.encoded_len() < 1 << 20);
        assert_eq!(from_payload::<Vec<i32>>(Some(&payload)).unwrap(), many);
        let few = to_payload(&many[..100_000]).unwrap();
        assert!(matches!(few.content, Some(Content::Json(_))));
    }

    #[test]
    fn bytes_are_read_as_json_text() {
        let content = Some(Content::Data("[1, 2]".into()));
        let payload = Payload { content, content_type: "application/json".to_owned() };
        assert_eq!(from_payload::<Vec<u8>>(Some(&payload)).unwrap(), [1, 2]);
    }
}
