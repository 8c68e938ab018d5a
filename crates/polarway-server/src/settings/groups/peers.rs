//! Queries that several workers run together: how the workers find each other, and what such a query may use.

use crate::settings::definition::{Form, Setting};
use crate::settings::values;

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "engine",
        variable: "POLARWAY_ENGINE",
        value_name: "ENGINE",
        form: Form::Text,
        about: "Which workers run a query that does not choose: `local` is the worker that is asked, `distributed` all of them \
                together, and `auto` lets large queries run on all of them if they can.",
        default: None,
        apply: |config, text| {
            text.parse().map(|engine| config.query_engine = engine).map_err(|_| "auto, local or distributed")
        },
        current: |config| config.query_engine.to_string(),
    },
    Setting {
        key: "distributed_from",
        variable: "POLARWAY_DISTRIBUTED_FROM",
        value_name: "GB",
        form: Form::Number,
        about: "With the engine `auto`, a query whose files have at least so many GB runs on all workers, if it can. Smaller ones are \
                faster on one.",
        default: None,
        apply: |config, text| {
            values::gigabytes(text).map(|bytes| config.engine.distributed_from_bytes = bytes)
        },
        current: |config| values::in_gigabytes(config.engine.distributed_from_bytes),
    },
    Setting {
        key: "peers",
        variable: "POLARWAY_PEERS",
        value_name: "HOST:PORT,…",
        form: Form::Text,
        about: "The workers that run queries together, this one among them: the host of each, and the port of its `--peer-bind`, with \
                commas between them.",
        default: Some("none"),
        apply: |config, text| values::workers(text).map(|list| config.peers.list = list),
        current: |config| config.peers.list.join(","),
    },
    Setting {
        key: "peers_dns",
        variable: "POLARWAY_PEERS_DNS",
        value_name: "NAME:PORT",
        form: Form::Text,
        about: "In place of `--peers`: a name that has an address for each worker, and the port of their `--peer-bind`. It is looked up \
                again and again. A headless service of Kubernetes is such a name.",
        default: Some("none"),
        apply: |config, text| values::workers_name(text).map(|name| config.peers.dns = name),
        current: |config| config.peers.dns.clone().unwrap_or_default(),
    },
    Setting {
        key: "peer_bind",
        variable: "POLARWAY_PEER_BIND",
        value_name: "ADDR:PORT",
        form: Form::Text,
        about: "The address on which other workers call this one. It is not for clients: keep it inside of your network.",
        default: Some("none"),
        apply: |config, text| values::optional_address(text).map(|address| config.peers.bind = address),
        current: |config| config.peers.bind.map_or_else(String::new, |address| address.to_string()),
    },
    Setting {
        key: "peer_tls_cert",
        variable: "POLARWAY_PEER_TLS_CERT",
        value_name: "FILE",
        form: Form::Text,
        about: "The certificate that this worker shows to other workers, as PEM. With it, its key and the CAs, workers speak TLS with \
                each other, and both ends show a certificate. With `--peers-dns` it has that name. It is read again when it changes.",
        default: Some("none"),
        apply: |config, text| values::optional_file(text).map(|file| config.peers.tls.certificate = file),
        current: |config| values::optional_file_text(config.peers.tls.certificate.as_deref()),
    },
    Setting {
        key: "peer_tls_key",
        variable: "POLARWAY_PEER_TLS_KEY",
        value_name: "FILE",
        form: Form::Text,
        about: "That certificate's private key, as PEM, without a password.",
        default: Some("none"),
        apply: |config, text| values::optional_file(text).map(|file| config.peers.tls.key = file),
        current: |config| values::optional_file_text(config.peers.tls.key.as_deref()),
    },
    Setting {
        key: "peer_tls_ca",
        variable: "POLARWAY_PEER_TLS_CA",
        value_name: "FILE",
        form: Form::Text,
        about: "The CAs of the workers' certificates, as PEM. Whoever has a certificate of theirs is taken for a worker, so use CAs that \
                sign for nobody else.",
        default: Some("none"),
        apply: |config, text| values::optional_file(text).map(|file| config.peers.tls.ca = file),
        current: |config| values::optional_file_text(config.peers.tls.ca.as_deref()),
    },
    Setting {
        key: "query_workers",
        variable: "POLARWAY_QUERY_WORKERS",
        value_name: "N",
        form: Form::Number,
        about: "The most workers that one query runs on.",
        default: None,
        apply: |config, text| values::count(text).map(|count| config.peers.query_workers = count),
        current: |config| config.peers.query_workers.to_string(),
    },
    Setting {
        key: "peer_queries",
        variable: "POLARWAY_PEER_QUERIES",
        value_name: "N",
        form: Form::Number,
        about: "In how many queries of several workers this one takes part at a time.",
        default: None,
        apply: |config, text| values::count(text).map(|count| config.peers.queries = count),
        current: |config| config.peers.queries.to_string(),
    },
    Setting {
        key: "peer_memory",
        variable: "POLARWAY_PEER_MEMORY",
        value_name: "GB",
        form: Form::Number,
        about: "What all queries of several workers may hold in the memory of this one, in GB, beside `--query-memory`.",
        default: None,
        apply: |config, text| {
            values::gigabytes_above_zero(text).map(|bytes| config.peers.memory_bytes = bytes)
        },
        current: |config| values::in_gigabytes(config.peers.memory_bytes),
    },
    Setting {
        key: "peer_query_memory",
        variable: "POLARWAY_PEER_QUERY_MEMORY",
        value_name: "GB",
        form: Form::Number,
        about: "What one query of several workers may hold in the memory of this one, in GB. Beyond it sorts and aggregates spill to \
                disk, up to `--query-temp`, and joins fail.",
        default: None,
        apply: |config, text| {
            values::gigabytes_above_zero(text).map(|bytes| config.peers.query_memory_bytes = bytes)
        },
        current: |config| values::in_gigabytes(config.peers.query_memory_bytes),
    },
];
