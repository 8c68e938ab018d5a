//! The Arrow types of a result's columns. docs/sql.md has the table of all types.
//!
//! Most types are returned as DuckDB converts them. Types that not every client supports are cast to text by the query itself.
//! The fields record the original type of each value.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray as _, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Schema, SchemaRef};
use polarway_sql::{identifier, subquery};
use polarway_table::DUCKDB_TYPE_KEY;

use super::sql_type::SqlType;
use crate::error::Error;

/// Numbers with this many digits fit into Arrow's 128-bit decimals.
const MOST_DIGITS: u32 = 38;

/// A column's name and its type.
pub(crate) type Column = (String, SqlType);

/// The text whose result can be returned as Arrow, for a query with these columns: `None` if that is the query's own text.
pub(crate) fn cast_for_arrow(columns: &[Column], text: &str, hugeint_as_text: bool) -> Option<String> {
    let casts: Vec<_> =
        columns.iter().map(|(_, sql_type)| sql_type.cast_for_arrow(hugeint_as_text)).collect();
    if casts.iter().all(Option::is_none) {
        return None;
    }
    // Columns are referred to by position: several may have the same name.
    let places: Vec<String> = (0..columns.len()).map(|place| format!("c{place}")).collect();
    let selected = columns.iter().zip(casts).zip(&places).map(|(((name, sql_type), cast), place)| {
        let value = match cast {
            // Otherwise a NULL value would become a JSON null.
            Some(cast) if *sql_type == SqlType::Named("VARIANT") => {
                format!("CASE WHEN {place} IS NOT NULL THEN CAST({place} AS {cast}) END")
            }
            Some(cast) => format!("CAST({place} AS {cast})"),
            None => place.clone(),
        };
        format!("{value} AS {}", identifier(name))
    });
    let selected = selected.collect::<Vec<_>>().join(", ");
    Some(format!("SELECT {selected} FROM {} AS result({})", subquery(text), places.join(", ")))
}

/// The columns of a result, in Arrow.
#[derive(Clone, Debug)]
pub(crate) struct ResultColumns {
    pub(crate) schema: SchemaRef,
    /// The positions of columns that contain HUGEINT values.
    hugeints: Arc<[usize]>,
    /// Whether the query's text was [changed](cast_for_arrow) for these columns.
    pub(crate) is_cast: bool,
}

impl ResultColumns {
    /// `schema` is DuckDB's Arrow schema for these columns, or for what they are cast to.
    pub(crate) fn new(schema: &SchemaRef, columns: &[Column], is_cast: bool) -> Self {
        let fields = schema.fields().iter().zip(columns);
        let fields: Vec<Field> = fields.map(|(field, (_, sql_type))| described(field, sql_type)).collect();
        let hugeints = (0..columns.len()).filter(|place| columns[*place].1.holds("HUGEINT")).collect();
        Self { schema: Arc::new(Schema::new(fields)), hugeints, is_cast }
    }

    /// Refuses values that the Arrow type can't hold: DuckDB puts all 39 digits of a HUGEINT into a decimal of 38 digits.
    ///
    /// # Errors
    /// [`Error::Unsupported`] with the column and the value.
    pub(crate) fn check(&self, batch: &RecordBatch) -> Result<(), Error> {
        for place in self.hugeints.iter() {
            let (field, column) = (self.schema.field(*place), batch.column(*place));
            if let Some(number) = too_long(field, column.as_ref(), None) {
                return Err(Error::Unsupported(format!(
                    "the result's column \"{}\" holds {number}, and numbers of type HUGEINT have at most \
                     {MOST_DIGITS} digits in Arrow; cast it, say to VARCHAR",
                    field.name()
                )));
            }
        }
        Ok(())
    }
}

/// A field that records its DuckDB type, and those of its inner values.
fn described(field: &Field, sql_type: &SqlType) -> Field {
    let inner = |item: &FieldRef, sql_type: &SqlType| Arc::new(described(item, sql_type));
    let data_type = match (field.data_type(), sql_type) {
        (DataType::List(item), SqlType::List(of)) => DataType::List(inner(item, of)),
        (DataType::FixedSizeList(item, size), SqlType::Array(of, _)) => {
            DataType::FixedSizeList(inner(item, of), *size)
        }
        (DataType::Struct(fields), SqlType::Struct(of)) => {
            DataType::Struct(fields.iter().zip(of).map(|(field, (_, of))| inner(field, of)).collect())
        }
        (DataType::Map(entries, is_sorted), SqlType::Map(key, value)) => {
            let pair = match entries.data_type() {
                DataType::Struct(fields) => {
                    fields.iter().zip([key, value]).map(|(field, of)| inner(field, of)).collect()
                }
                _ => return field.clone(),
            };
            let entries = entries.as_ref().clone().with_data_type(DataType::Struct(pair));
            DataType::Map(Arc::new(entries), *is_sorted)
        }
        (other, _) => other.clone(),
    };
    let mut metadata: HashMap<String, String> = field.metadata().clone();
    if *sql_type != SqlType::Unknown {
        metadata.insert(DUCKDB_TYPE_KEY.to_owned(), sql_type.to_string());
    }
    field.clone().with_data_type(data_type).with_metadata(metadata)
}

/// The first HUGEINT value that is too long for a decimal. Values below a null parent are ignored.
fn too_long(field: &Field, array: &dyn Array, nulls_above: Option<&NullBuffer>) -> Option<i128> {
    let nulls = NullBuffer::union(array.nulls(), nulls_above);
    let is_valid = |row: usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
    match field.data_type() {
        DataType::Decimal128(..) if polarway_table::duckdb_type(field) == Some("HUGEINT") => {
            let numbers = array.as_primitive::<Decimal128Type>().values();
            let most = 10_u128.pow(MOST_DIGITS);
            let mut rows = numbers.iter().enumerate();
            rows.find(|(row, number)| number.unsigned_abs() >= most && is_valid(*row))
                .map(|(_, number)| *number)
        }
        DataType::List(item) => too_long(item, array.as_list::<i32>().values().as_ref(), None),
        DataType::FixedSizeList(item, size) => {
            let nulls = usize::try_from(*size).ok().and_then(|size| nulls.map(|nulls| nulls.expand(size)));
            too_long(item, array.as_fixed_size_list().values().as_ref(), nulls.as_ref())
        }
        DataType::Map(entries, _) => too_long(entries, array.as_map().entries(), None),
        DataType::Struct(fields) => {
            let mut columns = fields.iter().zip(array.as_struct().columns());
            columns.find_map(|(field, column)| too_long(field, column.as_ref(), nulls.as_ref()))
        }
        _ => None,
    }
}
