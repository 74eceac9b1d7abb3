//! Messages that cannot be read at all: tonic answers them with OUT_OF_RANGE or INTERNAL and no reason;
//! here they get the answer of every other bad request.

use std::error::Error as _;

use hyper::Response;
use tonic::body::Body;
use tonic::{Code, Status};

use super::LARGEST_REQUEST;
use super::status::invalid;
use crate::domain::Violations;

/// The answer, or a better one if it is tonic's own.
pub(super) fn explained(answer: Response<Body>) -> Response<Body> {
    // Ours have details, always.
    let tonics = answer.extensions().get::<Status>().filter(|status| status.details().is_empty());
    match tonics.and_then(explanation) {
        Some(better) => better.into_http(),
        None => answer,
    }
}

/// What is told of a message within a stream that cannot be read; `None`: it is the stream that broke.
pub(super) fn unreadable(status: &Status) -> Option<Status> {
    // What breaks a stream is the source of its error; what tonic says of a message has none.
    if status.source().is_some() { None } else { explanation(status) }
}

fn explanation(status: &Status) -> Option<Status> {
    let why = match status.code() {
        Code::OutOfRange => format!("must be up to {LARGEST_REQUEST} bytes"),
        Code::Internal => "must be protobuf, as the method describes it".to_owned(),
        _ => return None,
    };
    Some(invalid(Violations::one("message", why)))
}
