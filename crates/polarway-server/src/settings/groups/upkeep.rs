//! Versions: how long they are kept, and how fresh they are; and the copies that queries read.

use crate::settings::definition::{Form, Setting};
use crate::settings::values;

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "keep_versions",
        variable: "POLARWAY_KEEP_VERSIONS",
        value_name: "N",
        form: Form::Number,
        about: "How many of a dataset's newest versions are always kept.",
        default: None,
        apply: |config, text| values::count(text).map(|count| config.engine.retention.versions = count),
        current: |config| config.engine.retention.versions.to_string(),
    },
    Setting {
        key: "grace",
        variable: "POLARWAY_GRACE",
        value_name: "DUR",
        form: Form::Text,
        about: "For how long superseded data is kept, whatever its version. At least ten minutes, and longer than the longest \
                query and load.",
        default: None,
        apply: |config, text| values::grace(text).map(|grace| config.engine.retention.grace = grace),
        current: |config| values::duration_text(config.engine.retention.grace),
    },
    Setting {
        key: "orphan_grace",
        variable: "POLARWAY_ORPHAN_GRACE",
        value_name: "DUR",
        form: Form::Text,
        about: "For how long data that no version names is kept: a slow upload may yet publish it.",
        default: None,
        apply: |config, text| {
            values::duration(text).map(|grace| config.engine.retention.orphan_grace = grace)
        },
        current: |config| values::duration_text(config.engine.retention.orphan_grace),
    },
    Setting {
        key: "max_staleness",
        variable: "POLARWAY_MAX_STALENESS",
        value_name: "DUR",
        form: Form::Text,
        about: "For how long the newest version is believed to be the newest without asking the storage.",
        default: None,
        apply: |config, text| values::duration(text).map(|staleness| config.engine.max_staleness = staleness),
        current: |config| values::duration_text(config.engine.max_staleness),
    },
    Setting {
        key: "janitor_interval",
        variable: "POLARWAY_JANITOR_INTERVAL",
        value_name: "DUR",
        form: Form::Text,
        about: "How often superseded data is removed and small files are put together; `never` leaves it to other workers.",
        default: None,
        apply: |config, text| {
            values::duration_or_never(text).map(|interval| config.engine.janitor_interval = interval)
        },
        current: |config| values::duration_or_never_text(config.engine.janitor_interval),
    },
    Setting {
        key: "mirror_size",
        variable: "POLARWAY_MIRROR_SIZE",
        value_name: "GB",
        form: Form::Number,
        about: "What SQL has read of data files in a bucket or on a network filesystem is kept on disk for the next query. This is how much it may take, in GB. Copies of files that DuckDB can't read may take as much besides.",
        default: None,
        apply: |config, text| {
            values::gigabytes_above_zero(text).map(|bytes| config.engine.mirror_bytes = bytes)
        },
        current: |config| values::in_gigabytes(config.engine.mirror_bytes),
    },
];
