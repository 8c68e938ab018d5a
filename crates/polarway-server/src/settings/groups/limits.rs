//! What clients may use.

use crate::settings::definition::{Form, Setting};
use crate::settings::values;

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "connections",
        variable: "POLARWAY_CONNECTIONS",
        value_name: "N",
        form: Form::Number,
        about: "How many connections there may be at a time; those that come beyond are closed at once. At most half as many as \
                this process may have files open.",
        default: None,
        apply: |config, text| values::count(text).map(|count| config.connections = count),
        current: |config| config.connections.to_string(),
    },
    Setting {
        key: "connections_per_address",
        variable: "POLARWAY_CONNECTIONS_PER_ADDRESS",
        value_name: "N",
        form: Form::Number,
        about: "How many connections there may be at a time from one address; with IPv6, from one /64 network. All clients behind \
                one balancer have its address.",
        default: None,
        apply: |config, text| values::count(text).map(|count| config.limits.connections_per_address = count),
        current: |config| config.limits.connections_per_address.to_string(),
    },
    Setting {
        key: "handshake_time",
        variable: "POLARWAY_HANDSHAKE_TIME",
        value_name: "DUR",
        form: Form::Text,
        about: "How long a client may take to connect: the handshake of TLS, and the first bytes of HTTP/2.",
        default: None,
        apply: |config, text| values::duration_above_zero(text).map(|time| config.limits.handshake = time),
        current: |config| values::duration_text(config.limits.handshake),
    },
    Setting {
        key: "connection_idle",
        variable: "POLARWAY_CONNECTION_IDLE",
        value_name: "DUR",
        form: Form::Text,
        about: "How long a connection may be open without a call before it is closed, or `never`. Clients connect again by themselves.",
        default: None,
        apply: |config, text| values::duration_or_never(text).map(|idle| config.limits.idle = idle),
        current: |config| values::duration_or_never_text(config.limits.idle),
    },
    Setting {
        key: "calls",
        variable: "POLARWAY_CALLS",
        value_name: "N",
        form: Form::Number,
        about: "How many calls may be in flight at a time; those that come beyond are told to come back later.",
        default: None,
        apply: |config, text| values::count(text).map(|count| config.limits.calls = count),
        current: |config| config.limits.calls.to_string(),
    },
    Setting {
        key: "calls_per_caller",
        variable: "POLARWAY_CALLS_PER_CALLER",
        value_name: "N",
        form: Form::Number,
        about: "How many calls of one caller may be in flight at a time. Without tokens, all clients at one address are one caller.",
        default: None,
        apply: |config, text| values::count(text).map(|count| config.limits.calls_per_caller = count),
        current: |config| config.limits.calls_per_caller.to_string(),
    },
    Setting {
        key: "calls_per_connection",
        variable: "POLARWAY_CALLS_PER_CONNECTION",
        value_name: "N",
        form: Form::Number,
        about: "How many calls may be open at a time on one connection; the client's HTTP/2 waits with those beyond.",
        default: None,
        apply: |config, text| {
            values::count_below_2_to_32(text).map(|count| config.limits.calls_per_connection = count)
        },
        current: |config| config.limits.calls_per_connection.to_string(),
    },
    Setting {
        key: "uploads_per_caller",
        variable: "POLARWAY_UPLOADS_PER_CALLER",
        value_name: "GB",
        form: Form::Text,
        about: "What the uploads of one caller may have brought and still wait to be worked on, in GB. `auto` is half of the memory \
                that all uploads and loads share.",
        default: None,
        apply: |config, text| {
            values::gigabytes_or_auto(text).map(|bytes| config.limits.upload_bytes_per_caller = bytes)
        },
        current: |config| values::gigabytes_or_auto_text(config.limits.upload_bytes_per_caller),
    },
    Setting {
        key: "message_size",
        variable: "POLARWAY_MESSAGE_SIZE",
        value_name: "MIB",
        form: Form::Number,
        about: "The largest chunk of a table in one message of an upload, in MiB (2²⁰ bytes), from 2 to 64. Polarway's clients send \
                chunks of about 1 MiB, and larger ones where a single row is larger.",
        default: None,
        apply: |config, text| values::chunk_mebibytes(text).map(|bytes| config.limits.chunk_bytes = bytes),
        current: |config| (config.limits.chunk_bytes >> 20).to_string(),
    },
    Setting {
        key: "keepalive",
        variable: "POLARWAY_KEEPALIVE",
        value_name: "DUR",
        form: Form::Text,
        about: "The silence of a connection after which its client is asked whether it lives. It has 20 seconds to answer.",
        default: None,
        apply: |config, text| values::duration_above_zero(text).map(|time| config.limits.keepalive = time),
        current: |config| values::duration_text(config.limits.keepalive),
    },
    Setting {
        key: "sql_check_size",
        variable: "POLARWAY_SQL_CHECK_SIZE",
        value_name: "GB",
        form: Form::Number,
        about: "What a query may read, besides its own reading, to check its data files against their checksums, in GB; 0 checks \
                none. Each file is checked once.",
        default: None,
        apply: |config, text| values::gigabytes(text).map(|bytes| config.engine.check_bytes = bytes),
        current: |config| values::in_gigabytes(config.engine.check_bytes),
    },
    Setting {
        key: "upload_silence",
        variable: "POLARWAY_UPLOAD_SILENCE",
        value_name: "DUR",
        form: Form::Text,
        about: "For how long an upload may bring nothing, not even a heartbeat, before it is given up; and how long the request \
                of any other call may take to arrive.",
        default: None,
        apply: |config, text| {
            values::duration_above_zero(text).map(|silence| config.upload_silence = silence)
        },
        current: |config| values::duration_text(config.upload_silence),
    },
];
