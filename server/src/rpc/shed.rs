//! Refuses calls when so many are under way that more would only wait: before anything is read or
//! written. One source gets half of the places, so that it cannot take them all. Waiting calls and streams
//! do not count, they cost next to nothing.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use super::shapes::{Shape, shape};
use crate::edge::{Peer, Source};
use crate::engine::Error;
use crate::places::Places;

/// Places for calls.
#[derive(Debug, Clone)]
pub(super) struct Shed(Places<Source>);

impl Shed {
    pub(super) fn new(calls: usize) -> Self {
        Self(Places::new(calls, calls.div_ceil(2)))
    }
}

impl<S> Layer<S> for Shed {
    type Service = Shedding<S>;

    fn layer(&self, inner: S) -> Shedding<S> {
        Shedding { inner, places: self.0.clone() }
    }
}

/// Calls that are refused when there are too many.
#[derive(Debug, Clone)]
pub(super) struct Shedding<S> {
    inner: S,
    places: Places<Source>,
}

impl<S> Service<Request<Body>> for Shedding<S>
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

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let path = request.uri().path();
        // Whoever asks for health is to hear of it just now.
        let counts = shape(path) == Shape::Unary && !path.starts_with("/grpc.health.");
        let peer = request.extensions().get::<Peer>().map(|peer| Source::from(peer.address.ip()));
        let place = match peer.filter(|_| counts).map(|source| self.places.take(source)).transpose()
        {
            Ok(place) => place,
            Err(_) => {
                let status = Status::from(Error::Overloaded);
                return Box::pin(std::future::ready(Ok(status.into_http())));
            }
        };
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answered = answer.await;
            drop(place);
            answered
        })
    }
}
