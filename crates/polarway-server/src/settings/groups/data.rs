//! Where tables and kept results are, and what of them is in memory.

use polarway_core::Location;

use crate::settings::definition::{Form, Setting};
use crate::settings::values;

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "data_dir",
        variable: "POLARWAY_DATA_DIR",
        value_name: "DIR",
        form: Form::Text,
        about: "The root of all files: `cold/` and `state/` lie in it unless set by themselves, and so do temporary files.",
        default: None,
        apply: |config, text| {
            let folder = values::directory(text)?;
            config.engine.cold_tier = Location::Directory(folder.join("cold"));
            config.engine.analytics = Some(folder.join("analytics.duckdb"));
            config.engine.handles.state = Location::Directory(folder.join("state"));
            config.engine.data_dir = folder;
            Ok(())
        },
        current: |config| config.engine.data_dir.display().to_string(),
    },
    Setting {
        key: "parquet_path",
        variable: "POLARWAY_PARQUET_PATH",
        value_name: "DIR|URL",
        form: Form::Text,
        about: "The cold tier: the directory or bucket of the datasets, which workers share. Parquet files that lie in it, and \
                folders of them, are datasets too. A bucket is `s3://bucket/prefix`, `az://container/prefix` or \
                `gs://bucket/prefix`.",
        default: Some("<data-dir>/cold"),
        apply: |config, text| values::location(text).map(|location| config.engine.cold_tier = location),
        current: |config| config.engine.cold_tier.to_string(),
    },
    Setting {
        key: "handle_store",
        variable: "POLARWAY_HANDLE_STORE",
        value_name: "KIND",
        form: Form::Text,
        about: "Where results are kept under handles: `memory`, on the worker that made them alone; `external`, in \
                `--state-dir`; or `s3`, `azure` or `gcs`, in the bucket of the setting with that name. Any worker that shares \
                the directory or bucket serves them.",
        default: None,
        apply: |config, text| {
            (config.engine.handles.store, config.handle_buckets.chosen) = values::handle_store(text)?;
            Ok(())
        },
        current: |config| {
            values::handle_store_text(config.engine.handles.store, config.handle_buckets.chosen).to_owned()
        },
    },
    Setting {
        key: "state_dir",
        variable: "POLARWAY_STATE_DIR",
        value_name: "DIR|URL",
        form: Form::Text,
        about: "The directory or bucket of the `external` handle store, which workers share and which holds nothing else.",
        default: Some("<data-dir>/state"),
        apply: |config, text| values::location(text).map(|location| config.engine.handles.state = location),
        current: |config| config.engine.handles.state.to_string(),
    },
    Setting {
        key: "handle_ttl",
        variable: "POLARWAY_HANDLE_TTL",
        value_name: "DUR",
        form: Form::Text,
        about: "For how long a handle is kept that nobody uses.",
        default: None,
        apply: |config, text| values::duration_above_zero(text).map(|ttl| config.engine.handles.ttl = ttl),
        current: |config| values::duration_text(config.engine.handles.ttl),
    },
    Setting {
        key: "handle_memory",
        variable: "POLARWAY_HANDLE_MEMORY",
        value_name: "GB",
        form: Form::Text,
        about: "What all handles of the `memory` store may take together, in GB. What does not fit in memory is spilled. \
                `auto` is two fifths of `--query-memory` and `--query-temp` together.",
        default: None,
        apply: |config, text| {
            values::gigabytes_or_auto(text).map(|bytes| config.engine.handles.budget_bytes = bytes)
        },
        current: |config| values::gigabytes_or_auto_text(config.engine.handles.budget_bytes),
    },
    Setting {
        key: "cache_size",
        variable: "POLARWAY_CACHE_SIZE",
        value_name: "GB",
        form: Form::Number,
        about: "The RAM cache of this worker, in GB (10⁹ bytes); 0 turns it off.",
        default: None,
        apply: |config, text| values::gigabytes(text).map(|bytes| config.engine.cache_bytes = bytes),
        current: |config| values::in_gigabytes(config.engine.cache_bytes),
    },
];
