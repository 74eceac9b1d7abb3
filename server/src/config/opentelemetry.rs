//! What OpenTelemetry's and Sentry's own variables say of our settings. They are stronger than the file, and
//! weaker than `BELLRINGER__TELEMETRY__…`. What they say of the exporter itself is read by the exporter.

use toml::{Table, Value};

use super::read::set;

/// Sets `telemetry` by the standard variables. An empty variable counts as not set, as the standard says.
pub(super) fn overlay(
    tree: &mut Table,
    environment: &[(String, String)],
    problems: &mut Vec<String>,
) {
    let variable = |wanted: &str| {
        let found = environment.iter().find(|(name, value)| name == wanted && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    };
    let endpoint = variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
        .or_else(|| variable("OTEL_EXPORTER_OTLP_ENDPOINT"));
    if let Some(endpoint) = endpoint {
        set(tree, "telemetry", "endpoint", Value::String(endpoint.to_owned()));
        let protocol = variable("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
            .or_else(|| variable("OTEL_EXPORTER_OTLP_PROTOCOL"));
        if let Some(other) = protocol.filter(|protocol| *protocol != "grpc") {
            problems.push(format!("OTEL_EXPORTER_OTLP_PROTOCOL: must be grpc, is {other:?}"));
        }
    }
    if let Some(sampler) = variable("OTEL_TRACES_SAMPLER") {
        set(tree, "telemetry", "sampler", Value::String(sampler.to_owned()));
    }
    if let Some(argument) = variable("OTEL_TRACES_SAMPLER_ARG") {
        match argument.parse() {
            Ok(ratio) => set(tree, "telemetry", "ratio", Value::Float(ratio)),
            Err(_) => {
                problems.push(format!("OTEL_TRACES_SAMPLER_ARG: must be 0 to 1, is {argument:?}"));
            }
        }
    }
    for (name, key) in [("SENTRY_DSN", "sentry_dsn"), ("SENTRY_ENVIRONMENT", "sentry_environment")]
    {
        if let Some(value) = variable(name) {
            set(tree, "telemetry", key, Value::String(value.to_owned()));
        }
    }
    let is_disabled =
        variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if is_disabled || variable("OTEL_TRACES_EXPORTER") == Some("none") {
        set(tree, "telemetry", "endpoint", Value::String(String::new()));
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::super::{Config, Flags};

    fn load(environment: &[(&str, &str)]) -> Result<Config, String> {
        let environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load(None, environment, &Flags::default()).map_err(|problems| problems.to_string())
    }

    #[test]
    fn the_standard_variables_set_where_traces_go_and_which() {
        let config = load(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://one:4317"),
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", ""),
        ]);
        let telemetry = config.unwrap().telemetry;
        assert_eq!(telemetry.endpoint, "http://one:4317");
        assert_eq!((telemetry.sampler.name(), telemetry.ratio), ("traceidratio", 0.25));

        let sentry = [("SENTRY_DSN", "https://k@h/1"), ("SENTRY_ENVIRONMENT", "staging")];
        let config = load(&sentry).unwrap();
        assert_eq!(config.sentry_dsn().unwrap().unwrap().expose_secret(), "https://k@h/1");
        assert_eq!(config.telemetry.sentry_environment, "staging");
        assert!(load(&[("SENTRY_DSN", "")]).unwrap().sentry_dsn().unwrap().is_none());

        let ours = [
            ("BELLRINGER__TELEMETRY__ENDPOINT", "https://two:4317"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://one:4317"),
        ];
        assert_eq!(load(&ours).unwrap().telemetry.endpoint, "https://two:4317");
        let off =
            [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://one:4317"), ("OTEL_SDK_DISABLED", "true")];
        assert_eq!(load(&off).unwrap().telemetry.endpoint, "");
    }

    #[test]
    fn what_is_wrong_with_them_is_said_by_name() {
        for (name, value, why) in [
            ("OTEL_TRACES_SAMPLER", "sometimes", "telemetry.sampler: unknown variant `sometimes`"),
            ("OTEL_TRACES_SAMPLER_ARG", "half", "OTEL_TRACES_SAMPLER_ARG: must be 0 to 1"),
            ("OTEL_TRACES_SAMPLER_ARG", "2", "telemetry.ratio: must be 0 to 1"),
            (
                "SENTRY_DSN",
                "https://errors.example.org/1",
                "telemetry.sentry_dsn: must be https://KEY@",
            ),
            (
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "collector:4317",
                "telemetry.endpoint: must be http://",
            ),
        ] {
            let problems = load(&[(name, value)]).unwrap_err();
            assert!(problems.contains(why), "{name}: {problems}");
        }
        let http = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://one:4318"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ];
        assert!(load(&http).unwrap_err().contains("must be grpc"));
    }
}
