//! Traces for an OpenTelemetry collector. Spans are made where the facts are, already over, with ids
//! and times that are known: nothing is held open, and a trace that is not recorded costs nothing.
//! And errors for Sentry, which are taken from the log.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects, clippy::indexing_slicing))]

mod context;
#[cfg(feature = "otel")]
mod otlp;
mod sentry;
mod span;

use std::sync::Arc;
use std::time::Duration;

pub use context::TraceContext;
pub use sentry::{ErrorLayer, Reports, SentrySettings, check_dsn};
pub use span::{Kind, Span, Value};

/// Which traces are recorded; the names are OpenTelemetry's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampler {
    /// All.
    AlwaysOn,
    /// None.
    AlwaysOff,
    /// A share of all.
    #[serde(rename = "traceidratio")]
    Ratio,
    /// Those that the caller records, and all that begin here.
    #[serde(rename = "parentbased_always_on")]
    ParentBasedOn,
    /// Those that the caller records.
    #[serde(rename = "parentbased_always_off")]
    ParentBasedOff,
    /// Those that the caller records, and a share of those that begin here.
    #[serde(rename = "parentbased_traceidratio")]
    ParentBasedRatio,
}

impl Sampler {
    /// Its name in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AlwaysOn => "always_on",
            Self::AlwaysOff => "always_off",
            Self::Ratio => "traceidratio",
            Self::ParentBasedOn => "parentbased_always_on",
            Self::ParentBasedOff => "parentbased_always_off",
            Self::ParentBasedRatio => "parentbased_traceidratio",
        }
    }
}

/// Where traces go, and which.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// URL of the collector's gRPC port.
    pub endpoint: String,
    /// Which traces are recorded.
    pub sampler: Sampler,
    /// The share that a sampler by ratio records, 0 to 1.
    pub ratio: f64,
    /// Name of this replica.
    pub replica: String,
}

/// Sends spans, or does nothing. Clones share one queue.
#[derive(Debug, Clone, Default)]
pub struct Tracer(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    sampler: Sampler,
    ratio: f64,
    #[cfg(feature = "otel")]
    exporter: otlp::Exporter,
}

/// How long the last spans may take at the end.
const LAST_WORDS: Duration = Duration::from_secs(5);

impl Tracer {
    /// Sends nothing.
    pub fn off() -> Self {
        Self(None)
    }

    /// Starts sending; has to be called where a runtime runs. The collector need not be there.
    ///
    /// # Errors
    /// If the settings make no sense, or this build has no support for it.
    #[cfg(feature = "otel")]
    pub fn start(settings: &Settings) -> anyhow::Result<Self> {
        Ok(Self(Some(Arc::new(Inner {
            sampler: settings.sampler,
            ratio: settings.ratio,
            exporter: otlp::Exporter::start(settings)?,
        }))))
    }

    /// Refuses: this build cannot send.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(feature = "otel"))]
    pub fn start(_: &Settings) -> anyhow::Result<Self> {
        anyhow::bail!(
            "telemetry.endpoint is set, but this program was built without the feature otel"
        )
    }

    /// Whether anything is sent at all.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Whether a span is recorded: one of this trace, below this parent.
    pub fn samples(&self, trace: u128, parent: Option<&TraceContext>) -> bool {
        let Some(inner) = &self.0 else { return false };
        match (inner.sampler, parent) {
            (Sampler::AlwaysOn, _) | (Sampler::ParentBasedOn, None) => true,
            (Sampler::AlwaysOff, _) | (Sampler::ParentBasedOff, None) => false,
            (Sampler::Ratio, _) | (Sampler::ParentBasedRatio, None) => is_below(trace, inner.ratio),
            (
                Sampler::ParentBasedOn | Sampler::ParentBasedOff | Sampler::ParentBasedRatio,
                Some(parent),
            ) => parent.is_sampled,
        }
    }

    /// Sends a span. Never waits: if the collector does not keep up, spans are dropped.
    pub fn send(&self, span: Span) {
        #[cfg(feature = "otel")]
        if let Some(inner) = &self.0 {
            inner.exporter.send(span);
        }
        #[cfg(not(feature = "otel"))]
        drop(span);
    }

    /// Sends what is left; nothing is sent after that.
    pub async fn stop(self) {
        #[cfg(feature = "otel")]
        if let Some(inner) = self.0 {
            let stopped = tokio::task::spawn_blocking(move || inner.exporter.stop(LAST_WORDS));
            if let Ok(Err(error)) = stopped.await {
                tracing::warn!(%error, "the last spans were not sent");
            }
        }
        #[cfg(not(feature = "otel"))]
        let _ = LAST_WORDS;
    }
}

/// The decision of OpenTelemetry's `TraceIdRatioBased`: by the last 63 bits, so that everybody who
/// sees a trace decides alike.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a share of the numbers below 2^63"
)]
fn is_below(trace: u128, ratio: f64) -> bool {
    let low = (trace as u64) >> 1;
    ratio >= 1.0 || (low as f64) < ratio * (1_u64 << 63) as f64
}

/// A number for a new trace.
pub fn new_trace() -> u128 {
    rand::random::<u128>().max(1)
}

/// A number for a new span.
pub fn new_span() -> u64 {
    rand::random::<u64>().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_samples_about_that_share() {
        let sampled = (0..10_000).filter(|_| is_below(new_trace(), 0.2)).count();
        assert!((1_700..2_300).contains(&sampled), "{sampled}");
        assert!(!is_below(1, 0.0));
        assert!(is_below(u128::MAX, 1.0));
    }

    #[test]
    fn a_tracer_that_is_off_samples_nothing() {
        let parent = TraceContext { trace: 1, span: 1, is_sampled: true };
        assert!(!Tracer::off().samples(1, Some(&parent)));
    }
}
