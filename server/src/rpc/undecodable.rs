//! Messages that cannot be read at all: tonic answers them with OUT_OF_RANGE or INTERNAL and no reason;
//! here they get the answer of every other bad request.

use hyper::Response;
use tonic::body::Body;
use tonic::{Code, Status};

use super::LARGEST_REQUEST;
use super::status::invalid;
use crate::domain::Violations;

/// The answer, or a better one if it is tonic's own.
pub(super) fn explained(answer: Response<Body>) -> Response<Body> {
    let why = match answer.extensions().get::<Status>() {
        // Ours have details, always.
        Some(status) if status.details().is_empty() => match status.code() {
            Code::OutOfRange => format!("must be up to {LARGEST_REQUEST} bytes"),
            Code::Internal => "must be protobuf, as the method describes it".to_owned(),
            _ => return answer,
        },
        _ => return answer,
    };
    invalid(Violations::one("message", why)).into_http()
}
