//! Resolves names in SQL to versions of datasets, which are pinned for the query.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use polarway_handles::HandleId;
use polarway_model::DatasetVersion;
use polarway_query::{
    AfterScan, Catalog, CatalogError, FileGroup, FileOptions, FileReference, ForeignFile, Listed,
    PartitionColumn, Reference, Relation, holds_zoned_nanos,
};
use polarway_storage::{
    At, DatasetName, Error as StorageError, ServedCaller, Snapshot, SnapshotFile, partition_key,
};

use crate::access::Access;
use crate::error::Error;
use crate::files::{UnknownFiles, match_files};

/// The catalog that the query engine asks for datasets and handles.
pub(crate) struct StoredCatalog {
    access: Access,
    read: DatasetsRead,
    /// Who waits for the query.
    caller: ServedCaller,
}

/// The datasets that a query reads, recorded while its names are resolved. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct DatasetsRead(Arc<Mutex<BTreeSet<DatasetVersion>>>);

impl DatasetsRead {
    fn add(&self, snapshot: &Snapshot) {
        let dataset = DatasetVersion { name: snapshot.name.clone(), version: snapshot.version };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(dataset);
    }

    pub(crate) fn to_vec(&self) -> Vec<DatasetVersion> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

impl StoredCatalog {
    /// For a query of this caller, who stops waiting when the query has ended for it.
    pub(crate) fn new(access: Access, caller: ServedCaller) -> Self {
        Self { access, read: DatasetsRead::default(), caller }
    }

    /// Asks the storage as long as somebody waits for the query.
    fn asking<T>(&self, ask: impl FnOnce() -> T) -> T {
        self.access.engine().threads.served.serve(self.caller.clone(), ask)
    }

    /// The datasets that names were resolved to.
    pub(crate) fn datasets_read(&self) -> DatasetsRead {
        self.read.clone()
    }

    fn dataset(&self, name: &str, at: At) -> Result<Relation, CatalogError> {
        if let Some(id) = HandleId::from_name(name) {
            return self.handle(id, at);
        }
        let snapshot = match DatasetName::new(name) {
            Ok(exact) => match self.access.snapshot_if_any(&exact, at)? {
                Some(snapshot) => snapshot,
                None => self.dataset_in_other_case(name, at)?,
            },
            // No dataset can have this name.
            Err(_) => self.dataset_in_other_case(name, at)?,
        };
        self.relation(vec![snapshot], false)
    }

    fn handle(&self, id: HandleId, at: At) -> Result<Relation, CatalogError> {
        if !matches!(at, At::Newest | At::Version(1)) {
            let reason = format!("the handle {id} has one version: leave AT away");
            return Err(CatalogError::FilesNotAllowed { pattern: id.to_string(), reason });
        }
        Ok(self.access.handle_relation(id)?)
    }

    /// Names in SQL are not case-sensitive: the only dataset whose name differs just in case.
    fn dataset_in_other_case(&self, name: &str, at: At) -> Result<Arc<Snapshot>, CatalogError> {
        let mut alike = Vec::new();
        for there in self.access.possible_names()? {
            if there.as_str().eq_ignore_ascii_case(name)
                && self.access.snapshot_if_any(&there, At::Newest)?.is_some()
            {
                alike.push(there);
            }
        }
        match alike.as_slice() {
            [only] => Ok(self.access.snapshot(only, at)?),
            _ => Err(CatalogError::UnknownDataset {
                name: name.to_owned(),
                nearest: self.access.nearest_names(name)?,
            }),
        }
    }

    fn files(&self, patterns: &[String], options: FileOptions) -> Result<Relation, CatalogError> {
        let names = self.access.possible_names()?;
        let mut snapshots = Vec::new();
        for pattern in patterns {
            let matched =
                match_files(pattern, &self.access.engine().cold_folders, &names).map_err(|unknown| {
                    match unknown {
                        UnknownFiles::Outside => CatalogError::FilesNotAllowed {
                            pattern: pattern.clone(),
                            reason:
                                "queries read the cold tier only: write a path under it, or a dataset's name"
                                    .to_owned(),
                        },
                        UnknownFiles::NoPattern(reason) => {
                            CatalogError::FilesNotAllowed { pattern: pattern.clone(), reason }
                        }
                    }
                })?;
            let before = snapshots.len();
            for name in matched {
                snapshots.extend(self.access.snapshot_if_any(name, At::Newest)?);
            }
            if snapshots.len() == before {
                return Err(CatalogError::NoFiles { pattern: pattern.clone() });
            }
        }
        self.relation(snapshots, options.union_by_name == Some(true))
    }

    /// One relation over the files of one or more snapshots.
    fn relation(&self, snapshots: Vec<Arc<Snapshot>>, union_by_name: bool) -> Result<Relation, CatalogError> {
        snapshots.iter().for_each(|snapshot| self.read.add(snapshot));
        self.relation_of(snapshots, union_by_name)
    }

    /// The same, where it is not certain yet that the query reads them.
    fn relation_of(
        &self,
        snapshots: Vec<Arc<Snapshot>>,
        union_by_name: bool,
    ) -> Result<Relation, CatalogError> {
        let schema = common_schema(&snapshots, union_by_name)?;
        let mut groups: Vec<FileGroup> = Vec::new();
        for snapshot in &snapshots {
            for files in snapshot.files.chunk_by(are_alike) {
                groups.extend(self.group(snapshot, files));
            }
        }
        let has_adopted =
            snapshots.iter().flat_map(|snapshot| &snapshot.files).any(|file| file.adopted.is_some());
        let after_scan = has_adopted.then(|| self.check_unchanged(snapshots));
        Ok(Relation { after_scan, ..Relation::of_groups(groups, schema) })
    }

    /// The group of files of a snapshot that are alike.
    fn group(&self, snapshot: &Snapshot, files: &[SnapshotFile]) -> Option<FileGroup> {
        let mut group = group_of(snapshot, files)?;
        self.look_through_times(&mut group, snapshot, files);
        Some(group)
    }

    /// Finds the columns of times that SQL can read without loss: it has only microseconds for times with a zone and INT96.
    fn look_through_times(&self, group: &mut FileGroup, snapshot: &Snapshot, files: &[SnapshotFile]) {
        let adopted = files.first().and_then(|file| file.adopted.as_ref());
        let schema = adopted.map_or(&group.schema, |adopted| &adopted.schema);
        let int96: Vec<FieldRef> = adopted.map_or(Vec::new(), |adopted| {
            adopted.int96_columns.iter().map(|place| Arc::clone(&schema.fields()[*place])).collect()
        });
        let zoned = schema.fields().iter().filter(|field| holds_zoned_nanos(field.data_type()));
        let mut asked: Vec<FieldRef> = zoned.cloned().collect();
        asked.extend(int96.iter().filter(|field| !holds_zoned_nanos(field.data_type())).cloned());
        if asked.is_empty() {
            return;
        }
        let open = |file: &SnapshotFile| self.access.open_file(snapshot, file).ok();
        group.whole_micros = self.access.engine().whole_micros.columns(&asked, files, &open);
        let why = "it holds times (INT96) that SQL would cut to microseconds, or that reach too far";
        let whole = &group.whole_micros;
        let cut = int96.iter().map(|field| field.name()).filter(|name| !whole.contains(name));
        group.refused_columns.extend(cut.map(|name| (name.clone(), why.to_owned())));
    }

    /// After the query has read its files, checks again that adopted files are unchanged.
    fn check_unchanged(&self, snapshots: Vec<Arc<Snapshot>>) -> AfterScan {
        let access = self.access.clone();
        Box::new(move || {
            for snapshot in &snapshots {
                for file in &snapshot.files {
                    access.check_unchanged(snapshot, file)?;
                }
            }
            Ok(())
        })
    }
}

impl Catalog for StoredCatalog {
    fn sees_analytics(&self, schema: &str, table: &str) -> bool {
        self.access.sees_analytics(schema, table)
    }

    fn resolve(&self, references: &[Reference]) -> Result<Vec<Relation>, CatalogError> {
        let resolve = |reference: &Reference| match reference {
            Reference::Dataset { name, at } => self.dataset(name, *at),
            Reference::Files { patterns, options } => self.files(patterns, *options),
        };
        self.asking(|| references.iter().map(resolve).collect())
    }

    fn suppose(&self, references: &[Reference]) -> Option<Vec<Relation>> {
        let suppose = |reference: &Reference| match reference {
            Reference::Dataset { name, at: At::Newest } => {
                let snapshot = self.access.supposed(&DatasetName::new(name).ok()?)?;
                self.relation_of(vec![snapshot], false).ok()
            }
            Reference::Dataset { .. } | Reference::Files { .. } => None,
        };
        self.asking(|| references.iter().map(suppose).collect())
    }

    fn list(&self) -> Result<Vec<Listed>, CatalogError> {
        let snapshots = self.asking(|| self.access.newest_snapshots())?;
        let listed = |snapshot: &Arc<Snapshot>| Listed {
            name: snapshot.name.to_string(),
            schema: Arc::clone(&snapshot.schema),
        };
        Ok(snapshots.iter().map(listed).collect())
    }
}

/// Whether two files of a snapshot can be read as one group.
fn are_alike(a: &SnapshotFile, b: &SnapshotFile) -> bool {
    let are_stored_alike = match (&a.adopted, &b.adopted) {
        (Some(a), Some(b)) => {
            a.layout == b.layout && a.is_uncommon == b.is_uncommon && a.schema.fields() == b.schema.fields()
        }
        (None, None) => true,
        _ => false,
    };
    are_stored_alike && a.nan_safe == b.nan_safe
}

/// What files of a snapshot that are alike have in common; `None` if there are none.
fn group_of(snapshot: &Snapshot, files: &[SnapshotFile]) -> Option<FileGroup> {
    let file = files.first()?;
    let group = FileGroup {
        has_exact_float_statistics: file.nan_safe,
        ..FileGroup::new(
            snapshot.name.clone(),
            snapshot.version,
            files.iter().map(file_reference).collect(),
            Arc::clone(&snapshot.schema),
        )
    };
    let Some(adopted) = &file.adopted else { return Some(group) };
    let of_table = snapshot.schema.fields();
    let partitions = &of_table[of_table.len() - snapshot.partition_columns..];
    // A file that the mirror has rewritten is our own.
    let is_ours = adopted.is_uncommon;
    let in_file = if is_ours { &adopted.schema } else { &adopted.plain_schema };
    let fields: Vec<FieldRef> = in_file.fields().iter().chain(partitions).cloned().collect();
    let keyed = |(place, field): (usize, &FieldRef)| PartitionColumn {
        name: field.name().clone(),
        key: partition_key(place),
    };
    // DuckDB has a type of its own for them, and does not survive some of them.
    let why = "it holds a VARIANT, which SQL does not read from files of other programs";
    let variants = adopted.variant_columns.iter().map(|place| adopted.schema.field(*place).name());
    Some(FileGroup {
        schema: Arc::new(Schema::new(fields)),
        partition_columns: partitions.iter().enumerate().map(keyed).collect(),
        has_exact_types: is_ours,
        has_exact_float_statistics: is_ours || file.nan_safe,
        refused_columns: variants.map(|name| (name.clone(), why.to_owned())).collect(),
        ..group
    })
}

/// A stored file as a plan names it.
pub(crate) fn file_reference(file: &SnapshotFile) -> FileReference {
    let foreign = file.adopted.as_ref().map(|adopted| ForeignFile {
        state: adopted.state,
        identity: adopted.identity.clone(),
        partition_values: adopted.partition_values.clone(),
        rewritten_as: adopted.is_uncommon.then(|| Arc::clone(&adopted.schema)),
    });
    FileReference { path: file.path.clone(), bytes: file.bytes, rows: file.rows, foreign }
}

/// The columns of several tables that are read as one.
fn common_schema(snapshots: &[Arc<Snapshot>], union_by_name: bool) -> Result<SchemaRef, CatalogError> {
    let Some((first, rest)) = snapshots.split_first() else {
        return Ok(Arc::new(arrow::datatypes::Schema::empty()));
    };
    let mut fields = first.schema.fields().to_vec();
    let mut types: HashMap<String, DataType> = HashMap::new();
    for field in rest.iter().take(1).flat_map(|_| &fields) {
        types.entry(field.name().clone()).or_insert_with(|| field.data_type().clone());
    }
    for other in rest {
        let differ = |what: String| -> CatalogError {
            let hint =
                if union_by_name { "" } else { "; columns that only some have need union_by_name = true" };
            let difference = format!("{what} in {} and {}{hint}", first.name, other.name);
            Error::from(StorageError::AdoptedFilesDiffer { name: other.name.clone(), difference }).into()
        };
        for field in other.schema.fields() {
            match types.get(field.name()) {
                Some(there) if there == field.data_type() => {}
                Some(_) => return Err(differ(format!("column {:?} has different types", field.name()))),
                None if union_by_name => {
                    types.insert(field.name().clone(), field.data_type().clone());
                    fields.push(Arc::clone(field));
                }
                None => return Err(differ(format!("column {:?} is not the same", field.name()))),
            }
        }
        if !union_by_name && other.schema.fields().len() != first.schema.fields().len() {
            return Err(differ("the columns differ".to_owned()));
        }
        if other.partition_columns != first.partition_columns {
            return Err(differ("the partition columns differ".to_owned()));
        }
    }
    Ok(Arc::new(arrow::datatypes::Schema::new(fields)))
}
