//! An upload that becomes a dataset's next version.

use std::convert::Infallible;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use polarway_model::{DatasetName, Published, WriteMode};
use polarway_parquet::Categories;

use crate::change::{Change, Conclusion, Decided, Decision, Draft, LeaseDraft, Origin};
use crate::commit::{Commit, CommitKind, DataFile, encode_schema};
use crate::conform::Conform;
use crate::dictionaries::differ_in_keys_only;
use crate::error::{Error, Result};
use crate::snapshot::Snapshot;
use crate::tables::{Dataset, Tables};
use crate::upload::Upload;
use crate::writer::Write;

/// An upload that looks for its place behind the newest commit.
pub(crate) struct Publication<'a> {
    tables: &'a Tables,
    dataset: &'a Dataset,
    write: Write,
    upload: Upload,
    /// The files of other workers that a table is made of, before the upload's.
    staged: Vec<Upload>,
    /// The adopted files that a first append takes in.
    copies: Vec<Upload>,
    /// What the dictionaries of the version will hold, if that is known.
    categories: Option<Arc<Categories>>,
}

impl Tables {
    /// Makes an upload the dataset's next version.
    pub(crate) fn publish(
        &self,
        dataset: &Dataset,
        write: Write,
        upload: Upload,
        origin: &Origin,
    ) -> Result<Published> {
        self.publish_with(dataset, write, upload, Vec::new(), origin)
    }

    /// The same with files of other workers before the upload's, where a table is made or replaced.
    pub(crate) fn publish_with(
        &self,
        dataset: &Dataset,
        write: Write,
        upload: Upload,
        staged: Vec<Upload>,
        origin: &Origin,
    ) -> Result<Published> {
        let (copies, categories) = (Vec::new(), None);
        let mut publication =
            Publication { tables: self, dataset, write, upload, staged, copies, categories };
        let conclusion = self.carry_out(dataset, origin, &mut publication)?;
        if let Conclusion::Committed(commit) = &conclusion {
            publication.check_kept(commit)?;
            if let Some(categories) = &publication.categories {
                self.categories.remember(commit.version_uuid, categories);
            }
        }
        Ok(conclusion.published(&dataset.name))
    }

    /// Checks a write against what the dataset is now, and returns that.
    pub(crate) fn check(
        &self,
        dataset: &Dataset,
        write: &Write,
        newest: Option<&Commit>,
    ) -> Result<Option<Arc<Snapshot>>> {
        let (name, mode) = (&dataset.name, write.options.mode);
        check_version(name, write.options.expected_version, newest)?;
        // An overwrite need not be able to read what it replaces.
        if mode == WriteMode::Overwrite {
            return Ok(None);
        }
        match (mode, self.present(name, newest)?) {
            (WriteMode::Create, Some(present)) => {
                Err(Error::AlreadyExists { name: name.clone(), version: present.version })
            }
            // A table that is kept while it is used is made once: one that ended stays so.
            (WriteMode::Create, None) if write.ttl.is_some() => match newest {
                Some(ended) if !ended.is_claim() => {
                    Err(Error::AlreadyExists { name: name.clone(), version: ended.version })
                }
                _ => Ok(None),
            },
            (WriteMode::Append, None) => Err(self.unknown(name, newest)),
            (_, present) => Ok(present),
        }
    }

    /// What the dataset is now, adopted files included; `None` where there is nothing to read.
    pub(crate) fn present(
        &self,
        name: &DatasetName,
        newest: Option<&Commit>,
    ) -> Result<Option<Arc<Snapshot>>> {
        match newest.filter(|commit| !commit.is_claim()) {
            Some(commit) if commit.is_deleted() => Ok(None),
            Some(commit) => self.snapshot_of(name, commit).map(Some),
            None => self.adopted(name),
        }
    }
}

/// Refuses a change of a dataset that is at another version than its caller expects.
pub(crate) fn check_version(
    name: &DatasetName,
    expected: Option<u64>,
    newest: Option<&Commit>,
) -> Result<()> {
    let actual = newest.map_or(0, |commit| commit.version);
    match expected {
        Some(expected) if expected != actual => {
            Err(Error::VersionConflict { name: name.clone(), expected, actual })
        }
        _ => Ok(()),
    }
}

impl Change for Publication<'_> {
    type Left = Infallible;

    const WAITS_ITS_TURN: bool = true;

    fn decide(&mut self, newest: Option<&Arc<Commit>>) -> Result<Decision<Infallible>> {
        let newest = newest.map(Arc::as_ref);
        let present = self.tables.check(self.dataset, &self.write, newest)?;
        let draft = match (self.write.options.mode, present) {
            (WriteMode::Append, Some(present)) => self.append_to(&present, newest)?,
            _ => {
                self.categories = self.upload.categories.clone();
                let uploads = self.staged.iter().chain([&self.upload]);
                let files = uploads.filter_map(|upload| upload.file.clone()).collect();
                self.draft(CommitKind::Overwrite, &self.upload.schema, files)
            }
        };
        Ok(Decision::Commit(draft))
    }

    fn uploads(&mut self) -> impl Iterator<Item = &mut Upload> {
        self.copies.iter_mut().chain(&mut self.staged).chain([&mut self.upload])
    }
}

impl Publication<'_> {
    fn draft(&self, kind: CommitKind, schema: &SchemaRef, files: Vec<DataFile>) -> Draft {
        let lease = self.write.ttl.map_or(LeaseDraft::Same, LeaseDraft::Start);
        Draft { kind, schema: Some(encode_schema(schema)), files, lease, vacuum: None }
    }

    /// The commit that puts the upload behind the rows there are.
    fn append_to(&mut self, present: &Snapshot, newest: Option<&Commit>) -> Result<Draft> {
        if !differ_in_keys_only(&present.schema, &self.upload.schema) {
            // Another writer replaced the table meanwhile: fit the rows to what it is now.
            let conform = Conform::new(&self.dataset.name, &self.upload.schema, &present.schema)?;
            self.upload = self.tables.rewrite(&self.dataset.name, &self.upload, &present.schema, &conform)?;
        }
        let mut files = match newest {
            Some(commit) => {
                self.copies.clear(); // another writer's first append took the files in
                commit.files.clone()
            }
            None => {
                if self.copies.is_empty() {
                    self.copies = self.tables.take_in(present)?;
                }
                self.copies.iter().filter_map(|copy| copy.file.clone()).collect()
            }
        };
        files.extend(self.upload.file.clone());
        let (schema, categories) = self.tables.schema_with(present, &self.upload)?;
        self.categories = categories;
        Ok(self.draft(CommitKind::Append, &schema, files))
    }

    /// Of a table that is kept while it is used, commits are removed in the end. A writer that slept while all of that happened
    /// to what it had begun finds its number free and its files gone.
    fn check_kept(&self, commit: &Arc<Commit>) -> Result<()> {
        if self.write.ttl.is_none() {
            return Ok(());
        }
        let mut is_whole = true;
        for upload in self.staged.iter().chain([&self.upload]).filter(|upload| upload.file.is_some()) {
            is_whole &= self.tables.backend.head(upload.path())?.is_some();
        }
        if is_whole {
            return Ok(());
        }
        let mut end = Decided(|newest: Option<&Arc<Commit>>| match newest {
            Some(newest) if newest.uuid == commit.uuid => {
                Ok(Decision::Commit(Draft::deletion(LeaseDraft::Same)))
            }
            _ => Ok(Decision::Leave(())),
        });
        let _ = self.tables.carry_out(self.dataset, &Origin::own(), &mut end); // without its rows it can't be read anyway
        Err(Error::UploadExpired { name: self.dataset.name.clone() })
    }
}
