//! What operators see, and how a server ends.

use crate::settings::definition::{Form, Setting};
use crate::settings::values;

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "log_format",
        variable: "POLARWAY_LOG_FORMAT",
        value_name: "FORMAT",
        form: Form::Text,
        about: "The form of the log's lines: `text`, or `json` with one object a line.",
        default: None,
        apply: |config, text| values::log_format(text).map(|format| config.log_format = format),
        current: |config| values::log_format_text(config.log_format).to_owned(),
    },
    Setting {
        key: "slow_query",
        variable: "POLARWAY_SLOW_QUERY",
        value_name: "DUR",
        form: Form::Text,
        about: "A query that takes this long, waiting included, is logged as slow, with the time of each phase; `never` logs none.",
        default: None,
        apply: |config, text| values::duration_or_never(text).map(|slow| config.slow_query = slow),
        current: |config| values::duration_or_never_text(config.slow_query),
    },
    Setting {
        key: "otlp_endpoint",
        variable: "POLARWAY_OTLP_ENDPOINT",
        value_name: "URL",
        form: Form::Text,
        about: "The collector that gets a trace of each call over OTLP (gRPC), such as `http://localhost:4317`. Headers for it are \
                taken from `OTEL_EXPORTER_OTLP_HEADERS`, the part of calls that is recorded from `OTEL_TRACES_SAMPLER`.",
        default: Some("none"),
        apply: |config, text| values::collector(text).map(|endpoint| config.otlp_endpoint = endpoint),
        current: |config| config.otlp_endpoint.clone().unwrap_or_default(),
    },
    Setting {
        key: "metrics",
        variable: "POLARWAY_METRICS_ENABLED",
        value_name: "true|false",
        form: Form::Switch,
        about: "Whether the server measures itself and has an HTTP port with `/metrics` for Prometheus, `/healthz` and `/readyz`.",
        default: None,
        apply: |config, text| values::switch(text).map(|is_on| config.metrics = is_on),
        current: |config| config.metrics.to_string(),
    },
    Setting {
        key: "metrics_port",
        variable: "POLARWAY_METRICS_PORT",
        value_name: "N",
        form: Form::Number,
        about: "The HTTP port of `--metrics`, at the IP address of `--bind`. Port 0 picks a free one, which the log tells.",
        default: None,
        apply: |config, text| values::port(text).map(|port| config.metrics_port = port),
        current: |config| config.metrics_port.to_string(),
    },
    Setting {
        key: "drain_timeout",
        variable: "POLARWAY_DRAIN_TIMEOUT",
        value_name: "DUR",
        form: Form::Text,
        about: "How long calls may take to finish once the server is told to end (SIGTERM). Then they are ended with \
                `SHUTTING_DOWN`, and another worker can be asked.",
        default: None,
        apply: |config, text| values::duration(text).map(|time| config.drain_timeout = time),
        current: |config| values::duration_text(config.drain_timeout),
    },
];
