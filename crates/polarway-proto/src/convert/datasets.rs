//! Datasets and their versions.

use polarway_model::{Dataset, DatasetVersion, Description, Version, VersionKind};

use super::{InvalidMessage, dataset_name, schema_from_ipc, schema_to_ipc};
use crate::v1;

/// A missing error is sent as an empty text.
impl From<Dataset> for v1::DatasetSummary {
    fn from(dataset: Dataset) -> Self {
        let Dataset { name, version, rows, bytes, time_us, error } = dataset;
        Self { name: name.into(), version, rows, bytes, time_us, error: error.unwrap_or_default() }
    }
}

impl TryFrom<v1::DatasetSummary> for Dataset {
    type Error = InvalidMessage;

    fn try_from(message: v1::DatasetSummary) -> Result<Self, InvalidMessage> {
        let v1::DatasetSummary { name, version, rows, bytes, time_us, error } = message;
        let error = Some(error).filter(|error| !error.is_empty());
        Ok(Self { name: dataset_name(name)?, version, rows, bytes, time_us, error })
    }
}

impl TryFrom<Description> for v1::Dataset {
    type Error = polarway_ipc::Error;

    fn try_from(description: Description) -> Result<Self, polarway_ipc::Error> {
        let Description { name, version, time_us, schema, rows, files, bytes, arrow_bytes } = description;
        let schema_ipc = schema_to_ipc(&schema)?;
        Ok(Self { name: name.into(), version, time_us, schema_ipc, rows, files, bytes, arrow_bytes })
    }
}

impl TryFrom<v1::Dataset> for Description {
    type Error = InvalidMessage;

    fn try_from(message: v1::Dataset) -> Result<Self, InvalidMessage> {
        let v1::Dataset { name, version, time_us, schema_ipc, rows, files, bytes, arrow_bytes } = message;
        let (name, schema) = (dataset_name(name)?, schema_from_ipc(schema_ipc)?);
        Ok(Self { name, version, time_us, schema, rows, files, bytes, arrow_bytes })
    }
}

impl From<Version> for v1::Version {
    fn from(version: Version) -> Self {
        let kind = match version.kind {
            VersionKind::Adopted => v1::VersionKind::Adopted,
            VersionKind::Overwrite => v1::VersionKind::Overwrite,
            VersionKind::Append => v1::VersionKind::Append,
            VersionKind::Delete => v1::VersionKind::Delete,
            _ => v1::VersionKind::Unspecified,
        };
        let Version { version, kind: _, rows, bytes, files, time_us, vacuumed } = version;
        Self { version, kind: kind.into(), rows, bytes, files, time_us, vacuumed }
    }
}

impl From<v1::Version> for Version {
    fn from(message: v1::Version) -> Self {
        let kind = match v1::VersionKind::try_from(message.kind) {
            Ok(v1::VersionKind::Adopted) => VersionKind::Adopted,
            Ok(v1::VersionKind::Overwrite) => VersionKind::Overwrite,
            Ok(v1::VersionKind::Append) => VersionKind::Append,
            Ok(v1::VersionKind::Delete) => VersionKind::Delete,
            Ok(v1::VersionKind::Unspecified) | Err(_) => VersionKind::Unknown,
        };
        let v1::Version { version, kind: _, rows, bytes, files, time_us, vacuumed } = message;
        Self { version, kind, rows, bytes, files, time_us, vacuumed }
    }
}

impl From<DatasetVersion> for v1::DatasetVersion {
    fn from(dataset: DatasetVersion) -> Self {
        Self { name: dataset.name.into(), version: dataset.version }
    }
}

impl TryFrom<v1::DatasetVersion> for DatasetVersion {
    type Error = InvalidMessage;

    fn try_from(message: v1::DatasetVersion) -> Result<Self, InvalidMessage> {
        Ok(Self { name: dataset_name(message.name)?, version: message.version })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_schema::{DataType, Field, Schema};
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_dataset_arrives_as_itself_with_and_without_an_error() {
        for error in [None, Some("a commit is damaged".to_owned())] {
            let dataset = Dataset {
                name: "trades".parse().unwrap(),
                version: 3,
                rows: 5,
                bytes: 7,
                time_us: -1,
                error,
            };
            assert_eq!(Dataset::try_from(v1::DatasetSummary::from(dataset.clone())).unwrap(), dataset);
        }
    }

    #[test]
    fn a_description_arrives_with_its_columns() {
        let schema = Arc::new(Schema::new(vec![Field::new("price", DataType::Float64, false)]));
        let description = Description {
            name: "trades".parse().unwrap(),
            version: 0,
            time_us: 1,
            schema,
            rows: 2,
            files: 3,
            bytes: 4,
            arrow_bytes: 5,
        };
        let message = v1::Dataset::try_from(description.clone()).unwrap();
        assert_eq!(Description::try_from(message.clone()).unwrap(), description);
        for ipc in [Bytes::new(), Bytes::from_static(b"no schema")] {
            let without = v1::Dataset { schema_ipc: ipc, ..message.clone() };
            assert!(Description::try_from(without).unwrap_err().to_string().contains("schema"));
        }
    }

    #[test]
    fn a_version_arrives_as_itself_and_one_of_a_kind_that_is_not_known_yet_as_such() {
        use VersionKind::{Adopted, Append, Delete, Overwrite, Unknown};

        for kind in [Adopted, Overwrite, Append, Delete, Unknown] {
            let version =
                Version { version: 1, kind, rows: 2, bytes: 3, files: 4, time_us: 5, vacuumed: true };
            assert_eq!(Version::from(v1::Version::from(version.clone())), version);
        }
        let later = v1::Version { kind: 99, ..v1::Version::default() };
        assert_eq!(Version::from(later).kind, Unknown);
    }
}
