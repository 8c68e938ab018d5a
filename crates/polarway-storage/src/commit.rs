//! Commits: the small files that say what a dataset is.
//!
//! A commit is a JSON file named by its number. It holds all that a reader needs, so that the
//! newest one alone tells what the dataset is now.

use std::sync::Arc;

use arrow_ipc::convert::{IpcSchemaEncoder, fb_to_schema};
use arrow_ipc::writer::DictionaryTracker;
use arrow_schema::SchemaRef;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use polarway_model::{DatasetName, RequestId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::lease::Lease;

/// The form of commit files that this code writes, and the newest that it reads.
pub(crate) const FORMAT: u32 = 1;

/// The folder beside the data. No file of a user lies in it.
pub(crate) const CONTROL_FOLDER: &str = "_polarway";

/// What a commit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommitKind {
    /// The table was replaced, or made.
    Overwrite,
    /// Rows were added behind those there were.
    Append,
    /// The dataset was deleted.
    Delete,
    /// The same rows were put into fewer files.
    Compact,
    /// Files that no kept version needs were condemned.
    Vacuum,
    /// The lease of a table that is kept while it is used was renewed.
    Renew,
}

impl CommitKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Overwrite, Self::Append, Self::Delete, Self::Compact, Self::Vacuum, Self::Renew];

    /// Its name in commits.
    pub fn name(self) -> &'static str {
        match self {
            Self::Overwrite => "overwrite",
            Self::Append => "append",
            Self::Delete => "delete",
            Self::Compact => "compact",
            Self::Vacuum => "vacuum",
            Self::Renew => "renew",
        }
    }

    /// Whether it makes a new version: it changed rows.
    pub fn makes_version(self) -> bool {
        matches!(self, Self::Overwrite | Self::Append | Self::Delete)
    }

    /// Whether something can be removed after it.
    pub(crate) fn frees(self) -> bool {
        matches!(self, Self::Delete | Self::Vacuum)
    }
}

/// One Parquet file of a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DataFile {
    /// Its name in the dataset's data folder.
    pub(crate) name: String,
    pub(crate) rows: u64,
    /// Its length.
    pub(crate) bytes: u64,
    /// What its rows take as Arrow in memory.
    pub(crate) arrow_bytes: u64,
    /// Whether its statistics give no bounds to floats among which there is a NaN. Those of files from before this
    /// was written down do, and those of other writers may.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) nan_safe: bool,
}

/// A write that was carried out, kept for its retries to find.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DoneRequest {
    pub(crate) id: RequestId,
    /// The commit that carried it out.
    pub(crate) commit: u64,
    pub(crate) time_us: i64,
}

/// The contents of a commit file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Commit {
    pub(crate) format: u32,
    pub(crate) number: u64,
    pub(crate) kind: CommitKind,
    /// How many commits up to this one changed rows.
    pub(crate) version: u64,
    /// When: microseconds since 1970-01-01 UTC, later than the commit before, except as `ascending_from` says.
    pub(crate) time_us: i64,
    /// The first commit since which each is later than the one before, where it is not commit 1: the one before it had a time
    /// that could not be right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ascending_from: Option<u64>,
    /// Tells this commit from any other that tried its number.
    pub(crate) uuid: Uuid,
    /// The uuid of the commit that made the version: the rows never change after it.
    pub(crate) version_uuid: Uuid,
    pub(crate) files: Vec<DataFile>,
    /// The Arrow schema as a flatbuffer of Arrow's IPC format, in base64; absent after a delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) schema: Option<Arc<str>>,
    /// The newest writes with an id, oldest first: at most [`REQUESTS_KEPT`](crate::retry::REQUESTS_KEPT).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) requests: Vec<DoneRequest>,
    /// For how long the table is kept, if not for ever. That of a deletion tells that it had run out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lease: Option<Lease>,
    /// Who made the table, where its writer said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<Arc<str>>,
    /// What a vacuum removes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) vacuum: Option<Vacuum>,
}

/// What a vacuum commit says besides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Vacuum {
    /// Names of data files that no one may read or publish from here on.
    pub(crate) condemned: Vec<String>,
    /// Of the commits before this number only files are kept that later ones share.
    pub(crate) kept_from: u64,
}

impl Commit {
    pub(crate) fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    pub(crate) fn arrow_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.arrow_bytes).sum()
    }

    /// Whether this commit is the one that carried out a request.
    pub(crate) fn carries_out(&self, request: RequestId) -> bool {
        self.requests.iter().any(|done| done.id == request && done.commit == self.number)
    }

    /// Whether this is a vacuum that removes a file.
    pub(crate) fn condemns(&self, file: &DataFile) -> bool {
        self.vacuum.as_ref().is_some_and(|vacuum| vacuum.condemned.contains(&file.name))
    }

    /// Whether the numbers can be added up, and versions and times counted on, without an overflow.
    fn has_sound_numbers(&self) -> bool {
        let sum = |part: fn(&DataFile) -> u64| {
            self.files.iter().try_fold(0_u64, |sum, file| sum.checked_add(part(file)))
        };
        let sums = [sum(|file| file.rows), sum(|file| file.bytes), sum(|file| file.arrow_bytes)];
        sums.iter().all(Option::is_some) && self.version <= self.number && self.time_us < i64::MAX / 2
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.schema.is_none()
    }

    /// Whether no table was made yet: the number alone was taken, to condemn what a writer left. For a table that is kept while it
    /// is used, see [`crate::tidy`].
    pub(crate) fn is_claim(&self) -> bool {
        self.version == 0
    }

    /// The first commit of the stretch that this one ends and in which times ascend.
    pub(crate) fn ascending_from(&self) -> u64 {
        self.ascending_from.unwrap_or(1).clamp(1, self.number)
    }

    pub(crate) fn encode(&self) -> Result<Bytes, serde_json::Error> {
        Ok(serde_json::to_vec(self)?.into())
    }

    /// Reads a commit file, which must be the one of this number.
    pub(crate) fn decode(contents: &[u8], number: u64) -> Result<Self, NotACommit> {
        /// Read first: a newer form may differ in everything else.
        #[derive(Deserialize)]
        struct Form {
            format: u32,
        }

        let form: Form = serde_json::from_slice(contents)?;
        if form.format != FORMAT {
            return Err(NotACommit::UnknownFormat(form.format));
        }
        let commit: Self = serde_json::from_slice(contents)?;
        if commit.number != number {
            return Err(NotACommit::OtherNumber(commit.number));
        }
        if !commit.has_sound_numbers() {
            return Err(NotACommit::UnsoundNumbers);
        }
        if let Some(file) = commit.files.iter().find(|file| !is_plain_name(&file.name)) {
            return Err(NotACommit::FileOutside(file.name.clone()));
        }
        Ok(commit)
    }
}

/// A name from a commit becomes part of a path: it must stay in its folder.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0'])
}

/// Why a file at a commit's place can't be read as a commit.
#[derive(Debug, thiserror::Error)]
pub enum NotACommit {
    /// It is not the JSON of a commit.
    #[error("it is no commit file")]
    Malformed(#[from] serde_json::Error),
    /// It has another form, as a newer Polarway may write it.
    #[error(
        "its format is {0}, and this Polarway reads format {FORMAT}: a newer Polarway may have written it"
    )]
    UnknownFormat(u32),
    /// It says that it is another commit.
    #[error("it says that it is commit {0}")]
    OtherNumber(u64),
    /// Its numbers can't be those of a table.
    #[error("its numbers are out of all bounds")]
    UnsoundNumbers,
    /// It names a file that lies elsewhere.
    #[error("it names the data file {0:?}, which is no plain file name")]
    FileOutside(String),
    /// Its schema can't be read.
    #[error("its schema is malformed: {0}")]
    Schema(String),
}

/// A schema in the form in which commits hold it.
pub(crate) fn encode_schema(schema: &SchemaRef) -> Arc<str> {
    let mut dictionaries = DictionaryTracker::new(false);
    let message = IpcSchemaEncoder::new().with_dictionary_tracker(&mut dictionaries).schema_to_fb(schema);
    BASE64_STANDARD.encode(message.finished_data()).into()
}

/// The inverse of [`encode_schema`].
pub(crate) fn decode_schema(text: &str) -> Result<SchemaRef, NotACommit> {
    let message = BASE64_STANDARD.decode(text).map_err(|error| NotACommit::Schema(error.to_string()))?;
    let schema =
        arrow_ipc::root_as_schema(&message).map_err(|error| NotACommit::Schema(error.to_string()))?;
    // arrow-ipc panics on a well-formed message that describes no schema.
    std::panic::catch_unwind(|| Arc::new(fb_to_schema(schema)))
        .map_err(|_| NotACommit::Schema("it describes no columns that Arrow knows".to_owned()))
}

/// The path of the commit with this number, from 1.
pub(crate) fn commit_path(name: &DatasetName, number: u64) -> String {
    format!("{name}/{CONTROL_FOLDER}/commits/{number:010}.json")
}

/// The file that gives a cold worker a start when it looks for the newest commit.
pub(crate) fn hint_path(name: &DatasetName) -> String {
    format!("{name}/{CONTROL_FOLDER}/hint")
}

/// The folder of a dataset's commits.
pub(crate) fn commits_folder(name: &DatasetName) -> String {
    format!("{name}/{CONTROL_FOLDER}/commits")
}

/// Where a writer on disk keeps a commit before it has its name.
pub(crate) fn staging_folder(name: &DatasetName) -> String {
    format!("{name}/{CONTROL_FOLDER}/staging")
}

/// The folder of a dataset's data files.
pub(crate) fn data_folder(name: &DatasetName) -> String {
    format!("{name}/{CONTROL_FOLDER}/data")
}

/// The path of a data file.
pub(crate) fn data_path(name: &DatasetName, file: &str) -> String {
    format!("{name}/{CONTROL_FOLDER}/data/{file}")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use arrow_schema::{DataType, Field, Schema};

    use super::*;

    fn commit() -> Commit {
        Commit {
            format: FORMAT,
            number: 7,
            kind: CommitKind::Append,
            version: 5,
            time_us: 1_770_000_000_000_000,
            ascending_from: None,
            uuid: Uuid::from_u128(7),
            version_uuid: Uuid::from_u128(7),
            files: vec![DataFile {
                name: "a.parquet".into(),
                rows: 3,
                bytes: 400,
                arrow_bytes: 24,
                nan_safe: true,
            }],
            schema: Some("c2NoZW1h".into()),
            requests: vec![],
            lease: None,
            owner: None,
            vacuum: None,
        }
    }

    #[test]
    fn a_commit_survives_its_file() {
        let bytes = commit().encode().unwrap();
        assert_eq!(Commit::decode(&bytes, 7).unwrap(), commit());
    }

    #[test]
    fn a_file_that_is_no_commit_is_refused_with_the_reason() {
        let newer = r#"{"format": 2, "parts": []}"#;
        let mut outside = commit();
        outside.files[0].name = "../../x.parquet".into();
        let outside = outside.encode().unwrap();
        let fine = commit().encode().unwrap();
        let check = |contents: &[u8], number, reason: &str| {
            let refused = Commit::decode(contents, number).unwrap_err().to_string();
            assert!(refused.contains(reason), "{refused}");
        };
        check(b"", 7, "no commit file");
        check(b"\0\0\0\0", 7, "no commit file");
        check(&fine[..fine.len() / 2], 7, "no commit file");
        check(newer.as_bytes(), 7, "newer Polarway");
        check(&fine, 8, "commit 7");
        check(&outside, 7, "no plain file name");
    }

    #[test]
    fn a_schema_survives_with_all_it_carries() {
        let dictionary = DataType::Dictionary(Box::new(DataType::Int16), Box::new(DataType::Utf8));
        let inner =
            Field::new("item", dictionary, true).with_metadata(HashMap::from([("k".into(), "v".into())]));
        let schema = Schema::new_with_metadata(
            vec![
                Field::new("list", DataType::List(Arc::new(inner)), false),
                Field::new(
                    "time",
                    DataType::Timestamp(arrow_schema::TimeUnit::Second, Some("Europe/Paris".into())),
                    true,
                ),
            ],
            HashMap::from([("origin".into(), "a test".into())]),
        );
        let schema = Arc::new(schema);
        assert_eq!(decode_schema(&encode_schema(&schema)).unwrap(), schema);
    }
}
