//! Every call has a deadline: the caller's, or ours if it is earlier. tonic's own answers CANCELLED,
//! passes over what it cannot read, and knows none for those who do not ask; this one does not.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::header::HeaderMap;
use hyper::{Request, Response};
use tokio::time::{Instant, timeout_at};
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use super::shapes::{Shape, shape};
use super::status::invalid;
use super::undecodable::explained;
use crate::clock::moment_in;
use crate::domain::Violations;
use crate::engine::Error;

const GRPC_TIMEOUT: &str = "grpc-timeout";

/// How long calls may take.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// Of callers that name no time.
    pub usual: Duration,
    /// At most, whatever callers name.
    pub longest: Duration,
}

/// When the answer has to be there; an extension of the request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(pub(super) Option<Instant>);

impl Deadline {
    /// What is left of the time of a call.
    pub(super) fn left<T>(request: &tonic::Request<T>) -> Duration {
        let deadline = request.extensions().get::<Self>().and_then(|deadline| deadline.0);
        deadline.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()))
    }
}

impl<S> Layer<S> for Deadlines {
    type Service = Timed<S>;

    fn layer(&self, inner: S) -> Timed<S> {
        Timed { inner, deadlines: *self }
    }
}

/// Calls with a deadline.
#[derive(Debug, Clone)]
pub struct Timed<S> {
    inner: S,
    deadlines: Deadlines,
}

impl<S> Service<Request<Body>> for Timed<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let asked = match asked(request.headers()) {
            Ok(asked) => asked,
            Err(why) => {
                let status = invalid(Violations::one(GRPC_TIMEOUT, why));
                return Box::pin(std::future::ready(Ok(status.into_http())));
            }
        };
        let (usual, longest) = match shape(request.uri().path()) {
            Shape::Unary => (self.deadlines.usual, self.deadlines.longest),
            Shape::Long(longest) => (longest, longest),
            Shape::Stream => {
                let deadline = asked.and_then(|asked| Instant::now().checked_add(asked));
                request.extensions_mut().insert(Deadline(deadline));
                let answer = self.inner.call(request);
                return Box::pin(async move { answer.await.map(explained) });
            }
        };
        let deadline = moment_in(asked.unwrap_or(usual).min(longest));
        request.extensions_mut().insert(Deadline(Some(deadline)));
        // What the call asks of the database for itself ends by then too.
        let answer = crate::deadline::by(deadline, self.inner.call(request));
        Box::pin(async move {
            match timeout_at(deadline, answer).await {
                Ok(answer) => answer.map(explained),
                Err(_) => Ok(Status::from(Error::DeadlineExceeded).into_http()),
            }
        })
    }
}

/// The time that the caller waits: up to eight digits and a unit, by the gRPC protocol.
fn asked(headers: &HeaderMap) -> Result<Option<Duration>, String> {
    let Some(value) = headers.get(GRPC_TIMEOUT) else { return Ok(None) };
    let read = || {
        let (number, unit) = value.to_str().ok()?.split_at_checked(value.len().checked_sub(1)?)?;
        let is_number =
            (1..=8).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
        let number: u64 = is_number.then(|| number.parse().ok())??;
        match unit {
            "H" => Some(Duration::from_secs(number.saturating_mul(3_600))),
            "M" => Some(Duration::from_secs(number.saturating_mul(60))),
            "S" => Some(Duration::from_secs(number)),
            "m" => Some(Duration::from_millis(number)),
            "u" => Some(Duration::from_micros(number)),
            "n" => Some(Duration::from_nanos(number)),
            _ => None,
        }
    };
    let wrong = || "must be 1 to 8 digits and one of H, M, S, m, u, n".to_owned();
    if value.is_empty() || headers.get_all(GRPC_TIMEOUT).iter().count() > 1 {
        return Err(wrong());
    }
    read().map(Some).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn times_are_read_as_the_protocol_writes_them_and_nothing_else_is() {
        let read = |text: &'static [u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(GRPC_TIMEOUT, HeaderValue::from_bytes(text).unwrap());
            asked(&headers)
        };
        assert_eq!(asked(&HeaderMap::new()), Ok(None));
        for (text, time) in [
            (&b"1H"[..], Duration::from_secs(3_600)),
            (b"99999999H", Duration::from_secs(99_999_999 * 3_600)),
            (b"2M", Duration::from_secs(120)),
            (b"0S", Duration::ZERO),
            (b"100m", Duration::from_millis(100)),
            (b"7u", Duration::from_micros(7)),
            (b"00000001n", Duration::from_nanos(1)),
        ] {
            assert_eq!(read(text), Ok(Some(time)));
        }
        for wrong in [
            &b""[..],
            b"S",
            b"5",
            b"123456789S",
            b"-1S",
            b"+1S",
            b"1s",
            b"1.5S",
            b" 1S",
            b"1 S",
            b"\xff",
        ] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
