//! The columns of a stored table as a scan has them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use polarway_query::{FileGroup, PartitionColumn, StoredTable};

use super::types::{check_result_type, scanned_type};

/// The columns of a table: those that can't be scanned exactly have a place, and selecting one is refused.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) schema: SchemaRef,
    /// Why a column can't be scanned.
    pub(super) refused: Vec<Option<String>>,
}

impl Columns {
    pub(super) fn of(table: &StoredTable) -> Self {
        let fields = table.schema.fields();
        let mut alike: HashMap<String, usize> = HashMap::with_capacity(fields.len());
        for field in fields {
            *alike.entry(field.name().to_lowercase()).or_default() += 1;
        }
        let mut scanned = Vec::with_capacity(fields.len());
        let mut refused = Vec::with_capacity(fields.len());
        for (place, field) in fields.iter().enumerate() {
            let is_ambiguous = alike.get(&field.name().to_lowercase()).is_some_and(|count| *count > 1);
            let found = match is_ambiguous {
                true => Err("shares its name with another column, apart from case".to_owned()),
                false => column_type(table, field),
            };
            let name = match is_ambiguous {
                true => format!("{} ({place})", field.name()),
                false => field.name().clone(),
            };
            let (data_type, reason) = match found {
                Ok(data_type) => (data_type, None),
                Err(reason) => (DataType::Null, Some(format!("column \"{}\" {reason}", field.name()))),
            };
            scanned.push(Field::new(name, data_type, true));
            refused.push(reason);
        }
        Self { schema: Arc::new(Schema::new(scanned)), refused }
    }
}

/// The type of a column in all files of a table.
fn column_type(table: &StoredTable, field: &FieldRef) -> Result<DataType, String> {
    let name = field.name();
    if name.is_empty() || name.contains('\0') {
        return Err("has a name that SQL can't write".to_owned());
    }
    if table.is_result {
        check_result_type(field)?;
    }
    let scanned = scanned_type(field.data_type())?;
    for group in &table.files {
        if let Some((_, reason)) = group.refused_columns.iter().find(|(refused, _)| refused == name) {
            return Err(format!("can't be read: {reason}"));
        }
        let mut found = group.schema.fields().iter().filter(|found| found.name() == name);
        let Some(first) = found.next() else { continue };
        if found.next().is_some() {
            return Err("is in some files more than once".to_owned());
        }
        if partition_column(group, name).is_some() {
            check_partition_values(group, name, &scanned)?;
        } else {
            // From this type it is cast to the table's: both must be exact.
            scanned_type(first.data_type())?;
        }
    }
    Ok(scanned)
}

fn partition_column<'g>(group: &'g FileGroup, name: &str) -> Option<(usize, &'g PartitionColumn)> {
    group.partition_columns.iter().enumerate().find(|(_, column)| column.name == name)
}

/// Checks that all folders' values are values of the type: DuckDB reports the others when it reads them.
fn check_partition_values(group: &FileGroup, name: &str, scanned: &DataType) -> Result<(), String> {
    let Some((place, _)) = partition_column(group, name) else { return Ok(()) };
    for file in &group.files {
        let foreign = file.foreign.as_ref().ok_or("has no value for a file")?;
        let text = foreign.partition_values.get(place).ok_or("has no value for a file")?;
        partition_value(text.as_deref(), scanned)?;
    }
    Ok(())
}

/// The value of a folder in a partition column of this type.
pub(super) fn partition_value(text: Option<&str>, scanned: &DataType) -> Result<ScalarValue, String> {
    let Some(text) = text else {
        return ScalarValue::try_from(scanned).map_err(|error| error.to_string());
    };
    let refused = || format!("has the value {text:?}, which only DuckDB reads as its type");
    // Only what has one form: DuckDB and Arrow could read others differently.
    let is_plain = match scanned {
        DataType::Utf8View => true,
        scanned if scanned.is_integer() => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
        }
        DataType::Date32 => text.len() == 10 && text.bytes().filter(|byte| *byte == b'-').count() == 2,
        _ => false,
    };
    if !is_plain {
        return Err(refused());
    }
    ScalarValue::try_from_string(text.to_owned(), scanned).map_err(|_| refused())
}
