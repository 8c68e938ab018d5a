//! A storage whose paths are those of this machine.

use std::path::PathBuf;

use arrow::datatypes::SchemaRef;
use polarway_query::{CatalogError, FileGroup, FileReference, ForeignFile, LocalFiles, LocalGroup, Relation};
use uuid::Uuid;

/// Where the files are that a plan names.
pub(crate) struct OnThisMachine;

impl LocalFiles for OnThisMachine {
    fn localize(&self, group: &FileGroup) -> Result<LocalGroup, CatalogError> {
        let paths = group.files.iter().map(|file| PathBuf::from(&file.path)).collect();
        Ok(LocalGroup { paths, pin: Box::new(()), after_scan: None })
    }
}

/// Files that Polarway wrote.
pub(crate) fn group(paths: &[PathBuf], schema: SchemaRef) -> FileGroup {
    let file = |path: &PathBuf| FileReference {
        path: path.to_str().unwrap().to_owned(),
        bytes: path.metadata().map_or(0, |file| file.len()),
        rows: 1,
        foreign: None,
    };
    FileGroup::new("t".parse().unwrap(), 1, paths.iter().map(file).collect(), schema)
}

/// Files that somebody else wrote, and may write again.
pub(crate) fn foreign_group(paths: &[PathBuf], schema: SchemaRef) -> FileGroup {
    let mut group = group(paths, schema);
    for file in &mut group.files {
        let state = Uuid::now_v7();
        file.foreign = Some(ForeignFile {
            state,
            identity: String::new(),
            partition_values: Vec::new(),
            rewritten_as: None,
        });
    }
    group
}

/// A table in files that Polarway wrote.
pub(crate) fn relation(paths: &[PathBuf], schema: SchemaRef) -> Relation {
    Relation::of_groups(vec![group(paths, schema.clone())], schema)
}
