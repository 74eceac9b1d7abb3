//! The W3C trace context that goes with calls, and comes with tasks.

use std::fmt;
use std::sync::Arc;

/// Tells the `traceparent` of the present moment, if there is one.
#[derive(Clone, Default)]
pub(crate) struct Source(Option<Arc<dyn Fn() -> Option<String> + Send + Sync>>);

impl Source {
    pub(crate) fn new(tell: impl Fn() -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(tell)))
    }

    /// The context of the caller, told by the program or, with the feature `otel`, by its current span.
    pub(crate) fn current(&self) -> Option<String> {
        match &self.0 {
            Some(tell) => tell(),
            #[cfg(feature = "otel")]
            None => otel::current(),
            #[cfg(not(feature = "otel"))]
            None => None,
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(&self.0.is_some()).finish()
    }
}

/// Makes a span a part of the trace that came with a task, if the program sends spans at all.
#[cfg_attr(not(feature = "otel"), expect(unused_variables, reason = "there is nothing to set"))]
pub(crate) fn continue_from(span: &tracing::Span, traceparent: &str) {
    #[cfg(feature = "otel")]
    otel::continue_from(span, traceparent);
}

#[cfg(feature = "otel")]
mod otel {
    use opentelemetry::Context;
    use opentelemetry::trace::{
        SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState,
    };
    use tracing_opentelemetry::OpenTelemetrySpanExt as _;

    pub(super) fn current() -> Option<String> {
        let of_span = tracing::Span::current().context();
        let context = of_span.span().span_context().clone();
        let context = if context.is_valid() {
            context
        } else {
            Context::current().span().span_context().clone()
        };
        let (trace, span) = (context.trace_id(), context.span_id());
        let flags = context.trace_flags().to_u8() & 1;
        context.is_valid().then(|| format!("00-{trace}-{span}-{flags:02x}"))
    }

    pub(super) fn continue_from(span: &tracing::Span, traceparent: &str) {
        let Some(remote) = read(traceparent) else { return };
        // Fails if nobody records the span, and then there is nothing to do.
        span.set_parent(Context::new().with_remote_span_context(remote)).ok();
    }

    fn read(traceparent: &str) -> Option<SpanContext> {
        let mut parts = traceparent.split('-').skip(1);
        let trace = TraceId::from_hex(parts.next()?).ok()?;
        let span = SpanId::from_hex(parts.next()?).ok()?;
        let flags = TraceFlags::new(u8::from_str_radix(parts.next()?, 16).ok()?);
        let context = SpanContext::new(trace, span, flags, true, TraceState::NONE);
        context.is_valid().then_some(context)
    }

    #[cfg(test)]
    mod tests {
        #[test]
        fn a_traceparent_is_read() {
            let context = super::read("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
            assert!(context.unwrap().is_sampled());
            assert!(super::read("").is_none());
        }
    }
}
