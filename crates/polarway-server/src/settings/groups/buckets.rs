//! Buckets: which hold handles, and how they are reached.

use polarway_core::Provider;

use crate::settings::definition::{Form, Setting};
use crate::settings::values;

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "s3_bucket",
        variable: "POLARWAY_S3_BUCKET",
        value_name: "NAME",
        form: Form::Text,
        about: "The bucket of the `s3` handle store. The handles lie under `polarway-handles/` in it, or under the prefix in \
                `NAME/prefix`.",
        default: None,
        apply: |config, text| {
            values::bucket(Provider::S3, text).map(|bucket| config.handle_buckets.s3 = bucket)
        },
        current: |config| values::bucket_text(config.handle_buckets.s3.as_ref()),
    },
    Setting {
        key: "azure_container",
        variable: "POLARWAY_AZURE_CONTAINER",
        value_name: "NAME",
        form: Form::Text,
        about: "The container of the `azure` handle store, as for `--s3-bucket`.",
        default: None,
        apply: |config, text| {
            values::bucket(Provider::Azure, text).map(|bucket| config.handle_buckets.azure = bucket)
        },
        current: |config| values::bucket_text(config.handle_buckets.azure.as_ref()),
    },
    Setting {
        key: "gcs_bucket",
        variable: "POLARWAY_GCS_BUCKET",
        value_name: "NAME",
        form: Form::Text,
        about: "The bucket of the `gcs` handle store, as for `--s3-bucket`.",
        default: None,
        apply: |config, text| {
            values::bucket(Provider::Gcs, text).map(|bucket| config.handle_buckets.gcs = bucket)
        },
        current: |config| values::bucket_text(config.handle_buckets.gcs.as_ref()),
    },
    Setting {
        key: "bucket_endpoint",
        variable: "POLARWAY_BUCKET_ENDPOINT",
        value_name: "URL",
        form: Form::Text,
        about: "The URL of the service of buckets, where it is not the cloud's own. Credentials are those that the cloud's own \
                tools use: see [Buckets](buckets.md).",
        default: None,
        apply: |config, text| values::service(text).map(|url| config.engine.buckets.endpoint = url),
        current: |config| config.engine.buckets.endpoint.clone().unwrap_or_default(),
    },
    Setting {
        key: "bucket_region",
        variable: "POLARWAY_BUCKET_REGION",
        value_name: "NAME",
        form: Form::Text,
        about: "The region of the buckets, for S3. Without it, `AWS_REGION` or the AWS profile says it.",
        default: None,
        apply: |config, text| values::optional_text(text).map(|region| config.engine.buckets.region = region),
        current: |config| config.engine.buckets.region.clone().unwrap_or_default(),
    },
    Setting {
        key: "bucket_virtual_hosted",
        variable: "POLARWAY_BUCKET_VIRTUAL_HOSTED",
        value_name: "BOOL",
        form: Form::Switch,
        about: "Whether the name of a bucket is part of the host's name, for S3. Otherwise it begins the path.",
        default: None,
        apply: |config, text| values::switch(text).map(|is_on| config.engine.buckets.virtual_hosted = is_on),
        current: |config| config.engine.buckets.virtual_hosted.to_string(),
    },
    Setting {
        key: "bucket_plain_http",
        variable: "POLARWAY_BUCKET_PLAIN_HTTP",
        value_name: "BOOL",
        form: Form::Switch,
        about: "Whether buckets may be reached over `http://`, without encryption.",
        default: None,
        apply: |config, text| values::switch(text).map(|is_on| config.engine.buckets.plain_http = is_on),
        current: |config| config.engine.buckets.plain_http.to_string(),
    },
    Setting {
        key: "bucket_ca_file",
        variable: "POLARWAY_BUCKET_CA_FILE",
        value_name: "FILE",
        form: Form::Text,
        about: "A PEM file with certificates of authorities that are trusted beside those of the system.",
        default: None,
        apply: |config, text| values::optional_file(text).map(|file| config.engine.buckets.ca_file = file),
        current: |config| values::optional_file_text(config.engine.buckets.ca_file.as_deref()),
    },
    Setting {
        key: "bucket_proxy",
        variable: "POLARWAY_BUCKET_PROXY",
        value_name: "URL",
        form: Form::Text,
        about: "A proxy for the requests to buckets. Without it, `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` decide.",
        default: None,
        apply: |config, text| values::service(text).map(|url| config.engine.buckets.proxy = url),
        current: |config| config.engine.buckets.proxy.clone().unwrap_or_default(),
    },
];
