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
/// If the value cannot be written as JSON, or has a whole number that a double cannot hold: beyond
/// 2^53 most cannot, and belong into a string.
pub fn to_payload<T: Serialize + ?Sized>(value: &T) -> Result<Payload, Error> {
    let json = serde_json::to_value(value).map_err(|error| Error::Json(error.to_string()))?;
    Ok(Payload { content: Some(Content::Json(to_value(json)?)), content_type: String::new() })
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

    #[test]
    fn bytes_are_read_as_json_text() {
        let content = Some(Content::Data("[1, 2]".into()));
        let payload = Payload { content, content_type: "application/json".to_owned() };
        assert_eq!(from_payload::<Vec<u8>>(Some(&payload)).unwrap(), [1, 2]);
    }
}
