//! Metrics of gRPC.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::histogram::{Histogram, SHORT};

type Of<const N: usize> = [(&'static str, String); N];

/// The label of paths that are no method of ours.
const OTHER: &str = "_other";
/// Names of gRPC's codes, by number.
const CODES: [&str; 17] = [
    "ok",
    "cancelled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal",
    "unavailable",
    "data_loss",
    "unauthenticated",
];

/// Metrics of gRPC.
#[derive(Debug)]
pub struct Calls {
    by_path: HashMap<String, Arc<Method>>,
    other: Arc<Method>,
    refusals: Family<Of<1>, Counter>,
}

/// Metrics of one method.
#[derive(Debug)]
pub struct Method {
    by_code: Vec<Counter>,
    /// How long calls took that are answered once. Streams are open as long as they are wanted.
    seconds: Option<Histogram>,
    /// Calls that are being answered.
    pub open: Gauge,
}

impl Calls {
    /// Of methods by path, and whether they stream.
    pub(super) fn register(to: &mut Registry, methods: &[(String, bool)]) -> Self {
        let calls = Family::<Of<2>, Counter>::default();
        let open = Family::<Of<1>, Gauge>::default();
        let seconds: Family<Of<1>, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(SHORT));
        let method = |path: &str, is_stream: bool| {
            let label = [("method", path.trim_start_matches('/').to_owned())];
            let code = |code: &str| {
                let [method] = label.clone();
                calls.get_or_create_owned(&[method, ("code", code.to_owned())])
            };
            Arc::new(Method {
                by_code: CODES.iter().map(|name| code(name)).collect(),
                seconds: (!is_stream).then(|| seconds.get_or_create_owned(&label)),
                open: open.get_or_create_owned(&label),
            })
        };
        let by_path =
            methods.iter().map(|(path, is_stream)| (path.clone(), method(path, *is_stream)));
        let by_path = by_path.collect();
        let other = method(OTHER, true);
        to.register("grpc_calls", "Calls that have ended, by method and code.", calls);
        to.register("grpc_calls_open", "Calls and streams that are being served.", open);
        to.register(
            "grpc_call_seconds",
            "How long calls took that are answered once, by method.",
            seconds,
        );
        let refusals = Family::default();
        to.register(
            "grpc_errors",
            "Calls that were answered with an error, by its reason.",
            refusals.clone(),
        );
        Self { by_path, other, refusals }
    }

    /// The method of a path.
    pub fn method(&self, path: &str) -> Arc<Method> {
        self.by_path.get(path).unwrap_or(&self.other).clone()
    }

    /// A call was answered with an error for this reason, which is one of a closed list.
    pub fn refused(&self, reason: &str) {
        self.refusals.get_or_create(&[("reason", reason.to_owned())]).inc();
    }
}

impl Method {
    /// A call has ended with this code.
    pub fn ended(&self, code: i32, took: Duration) {
        let code = usize::try_from(code).ok().and_then(|code| self.by_code.get(code));
        if let Some(counter) = code.or_else(|| self.by_code.get(2)) {
            counter.inc();
        }
        if let Some(seconds) = &self.seconds {
            seconds.observe(took);
        }
    }
}
