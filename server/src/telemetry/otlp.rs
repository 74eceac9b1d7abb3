//! The way to the collector: OTLP over gRPC, by OpenTelemetry's own exporter and its batching. What
//! `OTEL_EXPORTER_OTLP_*`, `OTEL_BSP_*`, `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say is read
//! there.

use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use opentelemetry::trace::{
    Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor as _,
};
use tonic::transport::{Certificate, ClientTlsConfig};

use super::{Kind, Settings, Span, TraceContext, Value};

/// Names a file with the certificate of the collector's authority.
const CERTIFICATES: [&str; 2] =
    ["OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"];

#[derive(Debug)]
pub(super) struct Exporter {
    batches: BatchSpanProcessor,
    scope: InstrumentationScope,
}

impl Exporter {
    pub(super) fn start(settings: &Settings) -> anyhow::Result<Self> {
        let mut exporter = SpanExporter::builder().with_tonic().with_endpoint(&settings.endpoint);
        if settings.endpoint.starts_with("https://") {
            let mut tls = ClientTlsConfig::new().with_enabled_roots();
            for name in CERTIFICATES {
                let Some(file) = std::env::var_os(name) else { continue };
                let pem =
                    std::fs::read(&file).with_context(|| format!("{name}: cannot be read"))?;
                tls = tls.ca_certificate(Certificate::from_pem(pem));
                break;
            }
            exporter = exporter.with_tls_config(tls);
        }
        let exporter = exporter.build().context("telemetry.endpoint cannot be used")?;
        let mut batches = BatchSpanProcessor::builder(exporter).build();
        let mut resource = Resource::builder();
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name("bellringer");
        }
        let resource = resource
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attribute(KeyValue::new("service.instance.id", settings.replica.clone()))
            .build();
        batches.set_resource(&resource);
        let scope = InstrumentationScope::builder("bellringer")
            .with_version(env!("CARGO_PKG_VERSION"))
            .build();
        Ok(Self { batches, scope })
    }

    pub(super) fn send(&self, span: Span) {
        let mut links = SpanLinks::default();
        links.links.extend(span.link.map(|to| Link::with_context(place(to, true))));
        let (start, end) = (SystemTime::from(span.start), SystemTime::from(span.end));
        self.batches.on_end(SpanData {
            span_context: place(span.context, false),
            parent_span_id: SpanId::from(span.parent.unwrap_or_default()),
            parent_span_is_remote: span.kind == Kind::Server,
            span_kind: match span.kind {
                Kind::Server => SpanKind::Server,
                Kind::Producer => SpanKind::Producer,
                Kind::Internal => SpanKind::Internal,
            },
            name: span.name,
            start_time: start,
            // Clocks of two machines may differ.
            end_time: end.max(start),
            attributes: span
                .attributes
                .into_iter()
                .map(|(key, value)| match value {
                    Value::Text(text) => KeyValue::new(key, text),
                    Value::Number(number) => KeyValue::new(key, number),
                })
                .collect(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links,
            status: span.error.map_or(Status::Unset, Status::error),
            instrumentation_scope: self.scope.clone(),
        });
    }

    /// Blocks until the last spans are sent.
    pub(super) fn stop(&self, longest: Duration) -> anyhow::Result<()> {
        Ok(self.batches.shutdown_with_timeout(longest)?)
    }
}

fn place(context: TraceContext, is_remote: bool) -> SpanContext {
    let flags = if context.is_sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
    let (trace, span) = (TraceId::from(context.trace), SpanId::from(context.span));
    SpanContext::new(trace, span, flags, is_remote, TraceState::NONE)
}
