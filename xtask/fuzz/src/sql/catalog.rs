//! A few small tables, and what was asked of them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, Int64Array, ListArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Int64Type, SchemaRef};
use parquet::arrow::ArrowWriter;
use polarway_query::{
    At, Catalog, CatalogError, FileGroup, FileReference, Listed, LocalFiles, LocalGroup, Reference, Relation,
};

/// The names of the tables; all have the same rows.
const NAMES: [&str; 3] = ["flights", "t", "secrets.of.others"];

/// The catalog of these tables, each with one version.
pub(crate) struct Tables {
    file: PathBuf,
    schema: SchemaRef,
    asked: Mutex<Vec<String>>,
}

impl Tables {
    pub(crate) fn write(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let file = folder.join("0.parquet");
        let rows = rows();
        let mut writer = ArrowWriter::try_new(File::create(&file).unwrap(), rows.schema(), None).unwrap();
        writer.write(&rows).unwrap();
        writer.close().unwrap();
        Self { file, schema: rows.schema(), asked: Mutex::default() }
    }

    pub(crate) fn forget_asked(&self) {
        self.asked.lock().unwrap().clear();
    }

    /// The names and paths that were asked for since.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn relation(&self) -> Relation {
        let path = self.file.to_str().unwrap().to_owned();
        let bytes = self.file.metadata().unwrap().len();
        let file = FileReference { path, bytes, rows: 1, foreign: None };
        let group = FileGroup::new("t".parse().unwrap(), 1, vec![file], Arc::clone(&self.schema));
        Relation::of_groups(vec![group], Arc::clone(&self.schema))
    }

    fn find(&self, reference: &Reference) -> Result<Relation, CatalogError> {
        let mut asked = self.asked.lock().unwrap();
        match reference {
            Reference::Dataset { name, at } => {
                asked.push(name.clone());
                if !NAMES.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                    return Err(CatalogError::UnknownDataset { name: name.clone(), nearest: Vec::new() });
                }
                match at {
                    At::Newest | At::Version(1) => Ok(self.relation()),
                    At::Version(_) | At::TimeUs(_) => Err(CatalogError::UnknownVersion {
                        name: name.clone(),
                        version: format!("{at:?}"),
                        hint: "its only version is 1".to_owned(),
                    }),
                }
            }
            Reference::Files { patterns, .. } => {
                asked.extend(patterns.iter().cloned());
                match patterns.iter().find(|pattern| *pattern != "flights.parquet") {
                    None => Ok(self.relation()),
                    Some(pattern) => Err(CatalogError::NoFiles { pattern: pattern.clone() }),
                }
            }
        }
    }
}

impl Catalog for Tables {
    fn sees_analytics(&self, _schema: &str, _table: &str) -> bool {
        true
    }

    fn resolve(&self, references: &[Reference]) -> Result<Vec<Relation>, CatalogError> {
        references.iter().map(|reference| self.find(reference)).collect()
    }

    fn list(&self) -> Result<Vec<Listed>, CatalogError> {
        let listed = |name: &str| Listed { name: name.to_owned(), schema: Arc::clone(&self.schema) };
        Ok(NAMES.into_iter().map(listed).collect())
    }
}

fn rows() -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(-3), Some(i64::MAX)]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), Some(""), None, Some("{\"é\": [1]}")]));
    let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![Some(0), None, Some(-1), Some(1)]));
    let lists = [Some(vec![Some(1), None]), Some(vec![]), None, Some(vec![Some(2)])];
    let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(lists));
    let columns = [("n", numbers), ("s", texts), ("at", times), ("l", lists)];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
}

/// A storage whose paths are those of this machine.
pub(crate) struct OnThisMachine;

impl LocalFiles for OnThisMachine {
    fn localize(&self, group: &FileGroup) -> Result<LocalGroup, CatalogError> {
        let paths = group.files.iter().map(|file| PathBuf::from(&file.path)).collect();
        Ok(LocalGroup { paths, pin: Box::new(()), after_scan: None })
    }
}
