//! Errors and panics for Sentry: what the log says with the level ERROR, with the ids by which the same is
//! found in the log, in traces and in metrics. Only events of this program's own code are sent, whose fields
//! are known, and never the text of a panic, in which there may be anything.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use secrecy::{ExposeSecret as _, SecretString};
use sentry::protocol::{Event, Level, TraceContext};
use sentry::transports::{UreqHttpTransport, UreqHttpTransportOptions};
use sentry::types::Dsn;
use sentry::{Client, ClientOptions, Transport, TransportFactory, TransportOptions};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// How events of this program's own code are told from those of libraries.
const OURS: &str = "bellringer";
/// Fields by which an event is found elsewhere; they can be searched for in Sentry.
const IDS: [&str; 8] =
    ["trace_id", "request_id", "log_id", "task", "schedule", "method", "place", "invariant"];
/// The text of a panic; it stays in the log.
const PANIC: &str = "panic";
/// Most bytes of a value.
const LONGEST_VALUE: usize = 1024;
/// How long one report may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the last reports may take at the end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Where errors are reported, and as whose.
#[derive(Debug)]
pub struct SentrySettings {
    /// The project's DSN.
    pub dsn: SecretString,
    /// Name of the environment; may be empty.
    pub environment: String,
    /// Name of this replica.
    pub replica: String,
}

/// Whether a text is a DSN; says what it must be, and nothing of what it is: it has a key.
///
/// # Errors
/// If it is none.
pub fn check_dsn(text: &str) -> Result<(), String> {
    let dsn = text.parse::<Dsn>();
    dsn.map(drop).map_err(|error| format!("must be https://KEY@HOST/PROJECT, and has {error}"))
}

/// The way to Sentry, with a thread and a short queue of its own: what does not fit is dropped. Sends what is
/// left when it is dropped.
pub struct Reports(Arc<Client>);

impl fmt::Debug for Reports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reports").finish_non_exhaustive()
    }
}

impl Drop for Reports {
    fn drop(&mut self) {
        self.0.close(Some(LAST_WORDS));
    }
}

impl Reports {
    /// Starts reporting. Whoever is to be reported to need not be there.
    ///
    /// # Errors
    /// If the DSN is none.
    pub fn start(settings: &SentrySettings) -> anyhow::Result<Self> {
        let dsn: Dsn = settings.dsn.expose_secret().parse().context("not a DSN")?;
        let mut options = ClientOptions::new()
            .release(concat!("bellringer@", env!("CARGO_PKG_VERSION")))
            .server_name(settings.replica.clone())
            .transport(Https);
        options.dsn = Some(dsn);
        if !settings.environment.is_empty() {
            options = options.environment(settings.environment.clone());
        }
        Ok(Self(Arc::new(Client::with_options(options))))
    }

    /// What takes errors from the log.
    pub fn layer(&self) -> ErrorLayer {
        ErrorLayer(self.0.clone())
    }
}

/// Sentry's own transport, which trusts whom this machine trusts.
struct Https;

impl TransportFactory for Https {
    fn create_transport_with_options(&self, options: TransportOptions) -> Arc<dyn Transport> {
        let trusted = rustls_native_certs::load_native_certs().certs;
        let trusted: Vec<_> =
            trusted.iter().map(|one| Certificate::from_der(one).to_owned()).collect();
        let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&trusted)).build();
        let agent = ureq::Agent::config_builder()
            .tls_config(tls)
            .max_redirects(0)
            .timeout_global(Some(PATIENCE))
            .build();
        let transport: UreqHttpTransport =
            UreqHttpTransportOptions::from(options).with_agent(agent.new_agent()).build();
        Arc::new(transport)
    }
}

/// See the module.
pub struct ErrorLayer(Arc<Client>);

impl fmt::Debug for ErrorLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErrorLayer").finish_non_exhaustive()
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for ErrorLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if !is_ours(attributes.metadata()) {
            return;
        }
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        if *metadata.level() != tracing::Level::ERROR || !is_ours(metadata) {
            return;
        }
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(of_span) = span.extensions().get::<Fields>() {
                fields.0.extend(of_span.0.clone());
            }
        }
        event.record(&mut fields);
        self.0.capture_event(report(metadata.target(), fields), None);
    }
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with(OURS)
}

/// An event of the log as Sentry wants it.
fn report(target: &str, mut fields: Fields) -> Event<'static> {
    let message = fields.0.remove("message").unwrap_or_default();
    let place = fields.0.get("place").cloned().unwrap_or_default();
    let mut event = Event {
        level: Level::Error,
        logger: Some(target.to_owned()),
        fingerprint: vec![target.to_owned().into(), message.clone().into(), place.into()].into(),
        message: Some(message),
        ..Event::default()
    };
    if let Some(trace_id) = fields.0.get("trace_id").and_then(|id| id.parse().ok()) {
        let trace = TraceContext { trace_id, ..TraceContext::default() };
        event.contexts.insert("trace".to_owned(), trace.into());
    }
    for (name, value) in fields.0 {
        match IDS.contains(&name) {
            true => drop(event.tags.insert(name.to_owned(), value)),
            false => drop(event.extra.insert(name.to_owned(), value.into())),
        }
    }
    event
}

/// Fields of an event or a span, as text.
#[derive(Debug, Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() != PANIC {
            let end = value.floor_char_boundary(LONGEST_VALUE);
            self.0.insert(field.name(), value[..end].to_owned());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use sentry::Envelope;
    use sentry::protocol::EnvelopeItem;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const TOLD: &str = "it went wrong";

    #[derive(Default)]
    struct Kept(Mutex<Vec<Event<'static>>>);

    impl Transport for Kept {
        fn send_envelope(&self, envelope: Envelope) {
            let events = envelope.into_items().filter_map(|item| match item {
                EnvelopeItem::Event(event) => Some(*event),
                _ => None,
            });
            self.0.lock().unwrap().extend(events);
        }
    }

    fn reported(what: impl FnOnce()) -> Vec<Event<'static>> {
        let kept = Arc::new(Kept::default());
        let mut options = ClientOptions::new().transport(kept.clone());
        options.dsn = Some("http://key@localhost/1".parse().unwrap());
        let layer = ErrorLayer(Arc::new(Client::with_options(options)));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), what);
        std::mem::take(&mut kept.0.lock().unwrap())
    }

    #[test]
    fn errors_are_reported_with_ids_that_can_be_searched_for() {
        let events = reported(|| {
            let call = tracing::info_span!("call", method = "/a/B", trace_id = TRACE);
            let _entered = call.entered();
            tracing::warn!("{TOLD}, perhaps");
            tracing::error!(target: "sqlx", "{TOLD} in a library");
            tracing::error!(log_id = "x1", error = "it broke", times = 3, "{TOLD}");
        });
        let [event] = &events[..] else { panic!("{events:?}") };
        assert_eq!(event.message.as_deref(), Some(TOLD));
        let tags = [("log_id", "x1"), ("method", "/a/B"), ("trace_id", TRACE)];
        let told: Vec<_> =
            event.tags.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(told, tags);
        assert_eq!(
            (&event.extra["error"], &event.extra["times"]),
            (&"it broke".into(), &"3".into())
        );
        let trace = serde_json::to_value(&event.contexts["trace"]).unwrap();
        assert_eq!(trace["trace_id"], TRACE);
    }

    #[test]
    fn the_text_of_a_panic_stays_here_and_long_values_are_cut() {
        let long = "ö".repeat(LONGEST_VALUE);
        let events = reported(|| {
            tracing::error!(panic = "payload", place = "a.rs:1:2", error = long, "{TOLD}");
        });
        let [event] = &events[..] else { panic!("{events:?}") };
        assert!(!format!("{event:?}").contains("payload"));
        assert_eq!(event.tags["place"], "a.rs:1:2");
        assert_eq!(event.extra["error"].as_str().unwrap().len(), LONGEST_VALUE);
    }

    #[test]
    fn what_is_no_dsn_is_refused_without_being_shown() {
        check_dsn("https://key@errors.example.org/42").unwrap();
        for wrong in ["canary", "https://errors.example.org/42", "https://canary@h/", "ftp://k@h/1"]
        {
            let why = check_dsn(wrong).unwrap_err();
            assert!(why.contains("KEY@HOST/PROJECT") && !why.contains("canary"), "{why}");
        }
    }
}
