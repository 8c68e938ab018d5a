//! Other readers of the files that Polarway writes: pyarrow, polars and DuckDB, in a Python of their own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, RecordBatch, StructArray, new_null_array};
use arrow_cast::cast;
use arrow_ipc::reader::StreamReader;
use arrow_schema::{DataType, Field, FieldRef, Fields};

use crate::not_run::not_run;

/// The variable that names the Python which has them, as `cargo xtask test` sets it.
const VARIABLE: &str = "POLARWAY_PEERS";

const SCRIPT: &str = include_str!("../peers/read.py");

/// The Python that has the other readers.
#[derive(Debug)]
pub struct Peers {
    interpreter: PathBuf,
}

/// What one of them read from a file: its rows, or why it could not read it.
pub type PeerReading = Result<Vec<RecordBatch>, String>;

impl Peers {
    /// The readers by their names. DuckDB reads Parquet files only.
    pub const NAMES: [&str; 3] = ["pyarrow", "polars", "duckdb"];

    /// The readers. `None` where they are not there, which is then noted as the reason why the test is [not run](not_run).
    pub fn find() -> Option<Self> {
        let found = std::env::var_os(VARIABLE).map(|interpreter| Self { interpreter: interpreter.into() });
        if found.is_none() {
            not_run(&format!("{VARIABLE} names no Python with pyarrow, polars and DuckDB"));
        }
        found
    }

    /// Has all files of a folder read by all of them. Names that end in `.arrow` are Arrow streams, all others Parquet.
    ///
    /// # Panics
    /// When the script can't be run.
    pub fn read_all(&self, folder: &Path) {
        let mut command = Command::new(&self.interpreter);
        let output = command.args(["-c", SCRIPT]).arg(folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// What one of them read from a file, after [`read_all`](Self::read_all).
    ///
    /// # Panics
    /// When it has not read that file.
    pub fn reading(file: &Path, peer: &str) -> PeerReading {
        let beside = |ending: &str| PathBuf::from(format!("{}.{ending}", file.display()));
        if let Ok(error) = std::fs::read_to_string(beside(&format!("{peer}.error"))) {
            return Err(error);
        }
        let stream = StreamReader::try_new(File::open(beside(peer)).unwrap(), None).unwrap();
        Ok(stream.map(Result::unwrap).collect())
    }
}

/// Says where the values of a column differ from those that a peer read, whatever its types are like: those that a file
/// can't hold are integers to it.
///
/// # Errors
/// The difference in words.
pub fn same_values(stored: &[ArrayRef], read: &[ArrayRef]) -> Result<(), String> {
    let [stored, read] = [stored, read].map(|parts| joined(&parts.iter().map(plain).collect::<Vec<_>>()));
    if stored.len() != read.len() {
        return Err(format!("{} values instead of {}", read.len(), stored.len()));
    }
    let strictly = arrow_cast::CastOptions { safe: false, ..Default::default() };
    let read_as = arrow_cast::cast_with_options(&read, stored.data_type(), &strictly)
        .map_err(|error| format!("{} for {}: {error}", read.data_type(), stored.data_type()))?;
    match (0..stored.len()).find(|row| stored.slice(*row, 1).to_data() != read_as.slice(*row, 1).to_data()) {
        None => Ok(()),
        Some(row) => {
            Err(format!("row {row}: {:?} instead of {:?}", read.slice(row, 1), stored.slice(row, 1)))
        }
    }
}

fn joined(parts: &[ArrayRef]) -> ArrayRef {
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    arrow_select::concat::concat(&parts).unwrap()
}

/// The same values without dictionaries and views, all lists of one kind, maps as lists of pairs.
fn plain(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Dictionary(_, values) => plain(&cast(array, values).unwrap()),
        DataType::LargeUtf8 | DataType::Utf8View => cast(array, &DataType::Utf8).unwrap(),
        DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            cast(array, &DataType::Binary).unwrap()
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let values = plain(list.values());
            let item = item(&values);
            let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
            Arc::new(ListArray::new(item, offsets, values, nulls))
        }
        DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => {
            plain(&cast(array, &DataType::List(FieldRef::clone(item))).unwrap())
        }
        DataType::Map(_, _) => {
            let map = array.as_map();
            let pairs: ArrayRef = Arc::new(map.entries().clone());
            let list = ListArray::new(item(&pairs), map.offsets().clone(), pairs, map.nulls().cloned());
            plain(&(Arc::new(list) as ArrayRef))
        }
        DataType::Struct(_) => {
            let structs = array.as_struct();
            let columns: Vec<ArrayRef> = structs.columns().iter().map(plain).collect();
            // Keys and values of maps have other names elsewhere.
            let field = |(place, column): (usize, &ArrayRef)| {
                Field::new(place.to_string(), column.data_type().clone(), true)
            };
            let fields: Fields = columns.iter().enumerate().map(field).collect();
            Arc::new(StructArray::new(fields, columns, structs.nulls().cloned()))
        }
        // Some readers have no type for a column of NULLs alone, and give it another one.
        DataType::Int32 if array.null_count() == array.len() => new_null_array(&DataType::Null, array.len()),
        _ => array.clone(),
    }
}

fn item(values: &ArrayRef) -> FieldRef {
    Arc::new(Field::new_list_field(values.data_type().clone(), true))
}
