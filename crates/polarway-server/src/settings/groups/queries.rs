//! What queries may use, and what they read besides tables.

use crate::settings::definition::{Form, Setting};
use crate::settings::values;

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "query_memory",
        variable: "POLARWAY_QUERY_MEMORY",
        value_name: "GB",
        form: Form::Number,
        about: "What all queries together may hold in memory, in GB. Beyond it they spill to disk.",
        default: None,
        apply: |config, text| {
            values::gigabytes_above_zero(text).map(|bytes| config.engine.query_memory_bytes = bytes)
        },
        current: |config| values::in_gigabytes(config.engine.query_memory_bytes),
    },
    Setting {
        key: "query_temp",
        variable: "POLARWAY_QUERY_TEMP",
        value_name: "GB",
        form: Form::Number,
        about: "What all queries together may spill to disk, in GB.",
        default: None,
        apply: |config, text| {
            values::gigabytes_above_zero(text).map(|bytes| config.engine.query_temp_bytes = bytes)
        },
        current: |config| values::in_gigabytes(config.engine.query_temp_bytes),
    },
    Setting {
        key: "query_threads",
        variable: "POLARWAY_QUERY_THREADS",
        value_name: "N",
        form: Form::Number,
        about: "The threads that queries run on.",
        default: Some("all cores"),
        apply: |config, text| values::count(text).map(|count| config.engine.query_threads = count),
        current: |config| config.engine.query_threads.to_string(),
    },
    Setting {
        key: "query_time",
        variable: "POLARWAY_QUERY_TIME",
        value_name: "DUR",
        form: Form::Text,
        about: "The longest time that a query may take, whatever deadline its caller sets. At most `grace`.",
        default: None,
        apply: |config, text| {
            values::duration_above_zero(text).map(|time| config.engine.query_limits.time = time)
        },
        current: |config| values::duration_text(config.engine.query_limits.time),
    },
    Setting {
        key: "queries_running",
        variable: "POLARWAY_QUERIES_RUNNING",
        value_name: "N",
        form: Form::Number,
        about: "How many queries run at once; others wait for them.",
        default: Some("four for each core"),
        apply: |config, text| values::count(text).map(|count| config.engine.query_limits.running = count),
        current: |config| config.engine.query_limits.running.to_string(),
    },
    Setting {
        key: "queries_waiting",
        variable: "POLARWAY_QUERIES_WAITING",
        value_name: "N",
        form: Form::Number,
        about: "How many queries may wait to run; those that come beyond are told to come back later.",
        default: None,
        apply: |config, text| values::count(text).map(|count| config.engine.query_limits.waiting = count),
        current: |config| config.engine.query_limits.waiting.to_string(),
    },
    Setting {
        key: "query_wait",
        variable: "POLARWAY_QUERY_WAIT",
        value_name: "DUR",
        form: Form::Text,
        about: "How long a query may wait to run before it is told to come back later.",
        default: None,
        apply: |config, text| {
            values::duration_above_zero(text).map(|wait| config.engine.query_limits.wait = wait)
        },
        current: |config| values::duration_text(config.engine.query_limits.wait),
    },
    Setting {
        key: "result_rows",
        variable: "POLARWAY_RESULT_ROWS",
        value_name: "N",
        form: Form::Text,
        about: "The most rows of one query's result; `unlimited` is no bound.",
        default: None,
        apply: |config, text| {
            values::count_or_unlimited(text).map(|rows| config.engine.query_limits.result_rows = rows)
        },
        current: |config| values::count_text(config.engine.query_limits.result_rows),
    },
    Setting {
        key: "result_size",
        variable: "POLARWAY_RESULT_SIZE",
        value_name: "GB",
        form: Form::Text,
        about: "The most that one query's result may have, in GB; `unlimited` is no bound.",
        default: None,
        apply: |config, text| {
            values::gigabytes_or_unlimited(text).map(|bytes| config.engine.query_limits.result_bytes = bytes)
        },
        current: |config| values::gigabytes_text(config.engine.query_limits.result_bytes),
    },
    Setting {
        key: "process_memory",
        variable: "POLARWAY_PROCESS_MEMORY",
        value_name: "GB",
        form: Form::Number,
        about: "What this process may have in memory, in GB: beyond it the newest large query is stopped.",
        default: Some("nine tenths of what its container or the machine has"),
        apply: |config, text| {
            values::gigabytes_above_zero(text).map(|bytes| config.engine.query_limits.process_bytes = bytes)
        },
        current: |config| values::in_gigabytes(config.engine.query_limits.process_bytes),
    },
    Setting {
        key: "duckdb_path",
        variable: "POLARWAY_DUCKDB_PATH",
        value_name: "FILE",
        form: Form::Text,
        about: "A DuckDB database file whose tables queries read as `analytics.<table>`. It is opened read-only, if it exists.",
        default: Some("<data-dir>/analytics.duckdb"),
        apply: |config, text| values::file(text).map(|file| config.engine.analytics = Some(file)),
        current: |config| {
            config.engine.analytics.as_ref().map_or_else(String::new, |file| file.display().to_string())
        },
    },
];
