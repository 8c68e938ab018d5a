//! Conversion to and from polars' `DataFrame`. Polars has its own Arrow: arrays are passed through the [C data interface], whose
//! structures have the same layout in both. Values are shared if both store them in the same form.
//!
//! [C data interface]: https://arrow.apache.org/docs/format/CDataInterface.html

use std::mem::transmute;
use std::sync::Arc;

use arrow_array::ffi::{FFI_ArrowArray, from_ffi, to_ffi};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, make_array};
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{ArrowError, Field, Schema};
use polars::prelude::{Column, CompatLevel, DataFrame, PolarsError, Series};
use polars_arrow::array::ArrayRef as PolarsArray;
use polars_arrow::datatypes::Field as PolarsField;
use polars_arrow::ffi as polars_ffi;

use crate::Table;

/// Text and binary columns get 64-bit offsets, which every Arrow library reads; not all of them read views.
const COMPATIBILITY: CompatLevel = CompatLevel::oldest();

impl Table {
    /// The table as a polars `DataFrame`. Polars has fewer types than Arrow: text with 32-bit offsets becomes polars' text, and the
    /// schema's metadata is lost.
    ///
    /// # Errors
    /// A column of a type that polars does not have, with its name.
    pub fn to_polars(&self) -> Result<DataFrame, ArrowError> {
        let columns = (0..self.schema().fields().len()).map(|index| self.column_to_polars(index));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        DataFrame::new(self.num_rows(), columns).map_err(|error| refused("the table", &error))
    }

    fn column_to_polars(&self, index: usize) -> Result<Column, ArrowError> {
        let field = self.schema().field(index);
        let column = || format!("column {:?} of type {}", field.name(), field.data_type());
        let failed = |error: PolarsError| refused(&column(), &error);
        let polars_field = field_to_polars(field).map_err(failed)?;
        let mut arrays = Vec::with_capacity(self.batches().len());
        for batch in self.batches() {
            arrays.push(array_to_polars(batch.column(index), &polars_field)?.map_err(failed)?);
        }
        if arrays.is_empty() {
            arrays.push(polars_arrow::array::new_empty_array(polars_field.dtype().clone()));
        }
        Ok(Series::try_from((&polars_field, arrays)).map_err(failed)?.into())
    }
}

impl TryFrom<&DataFrame> for Table {
    type Error = ArrowError;

    fn try_from(frame: &DataFrame) -> Result<Self, ArrowError> {
        // Columns may have chunks of different lengths, batches can't.
        let mut aligned = frame.clone();
        aligned.align_chunks();
        let fields = aligned.columns().iter().map(|column| column.field().to_arrow(COMPATIBILITY));
        let fields = fields.map(|field| field_from_polars(&field)).collect::<Result<Vec<_>, _>>()?;
        let schema = Arc::new(Schema::new(fields));

        let mut batches = Vec::new();
        for chunk in aligned.iter_chunks(COMPATIBILITY, true) {
            let rows = RecordBatchOptions::new().with_row_count(Some(chunk.len()));
            let columns = chunk.into_arrays().into_iter().zip(schema.fields());
            let columns = columns.map(|(array, field)| array_from_polars(array, field));
            let columns = columns.collect::<Result<Vec<_>, _>>()?;
            batches.push(RecordBatch::try_new_with_options(Arc::clone(&schema), columns, &rows)?);
        }
        Ok(Self::new(schema, batches))
    }
}

impl TryFrom<DataFrame> for Table {
    type Error = ArrowError;

    fn try_from(frame: DataFrame) -> Result<Self, ArrowError> {
        Self::try_from(&frame)
    }
}

fn refused(what: &str, error: &PolarsError) -> ArrowError {
    ArrowError::CDataInterface(format!("{what} can't become polars': {error}"))
}

fn field_to_polars(field: &Field) -> Result<PolarsField, PolarsError> {
    let exported = FFI_ArrowSchema::try_from(field)
        .map_err(|error| PolarsError::ComputeError(error.to_string().into()))?;
    // SAFETY: both are the `struct ArrowSchema` of the C data interface, down to the byte; ownership moves along.
    let exported: polars_ffi::ArrowSchema = unsafe { transmute(exported) };
    // SAFETY: arrow-rs has just exported it.
    unsafe { polars_ffi::import_field_from_c(&exported) }
}

fn field_from_polars(field: &PolarsField) -> Result<Field, ArrowError> {
    let exported = polars_ffi::export_field_to_c(field);
    // SAFETY: both are the `struct ArrowSchema` of the C data interface, down to the byte; ownership moves along.
    let exported: FFI_ArrowSchema = unsafe { transmute(exported) };
    Field::try_from(&exported)
}

fn array_to_polars(
    array: &ArrayRef,
    field: &PolarsField,
) -> Result<Result<PolarsArray, PolarsError>, ArrowError> {
    let (exported, _) = to_ffi(&array.to_data())?;
    // SAFETY: both are the `struct ArrowArray` of the C data interface, down to the byte; ownership moves along.
    let exported: polars_ffi::ArrowArray = unsafe { transmute(exported) };
    // SAFETY: arrow-rs has just exported it, and the field is that of the array.
    Ok(unsafe { polars_ffi::import_array_from_c(exported, field.dtype().clone()) })
}

fn array_from_polars(array: PolarsArray, field: &Field) -> Result<ArrayRef, ArrowError> {
    let exported = polars_ffi::export_array_to_c(array);
    // SAFETY: both are the `struct ArrowArray` of the C data interface, down to the byte; ownership moves along.
    let exported: FFI_ArrowArray = unsafe { transmute(exported) };
    let schema = FFI_ArrowSchema::try_from(field)?;
    // SAFETY: polars has just exported it, and the schema is that of the array.
    let data = unsafe { from_ffi(exported, &schema)? };
    Ok(make_array(data))
}

#[cfg(test)]
mod tests {
    use arrow_array::types::IntervalMonthDayNano;
    use arrow_array::{Int64Array, IntervalMonthDayNanoArray, StringArray, TimestampMicrosecondArray};
    use polars::prelude::df;

    use super::*;

    fn trades() -> DataFrame {
        df! {
            "symbol" => &[Some("BTC"), None, Some("SOL")],
            "price" => &[50_000, 3_000, 100],
        }
        .unwrap()
    }

    #[test]
    fn a_frame_survives_being_a_table() {
        let table = Table::try_from(&trades()).unwrap();
        assert_eq!(table.num_rows(), 3);
        assert_eq!(table.schema().field(0).data_type(), &arrow_schema::DataType::LargeUtf8);
        assert!(table.to_polars().unwrap().equals_missing(&trades()));
    }

    #[test]
    fn a_frame_whose_columns_are_cut_differently_keeps_its_rows() {
        let mut frame = trades().vstack(&trades()).unwrap();
        frame.with_column(Column::new("n".into(), [1, 2, 3, 4, 5, 6])).unwrap();
        assert!(Table::try_from(&frame).unwrap().to_polars().unwrap().equals_missing(&frame));
    }

    #[test]
    fn a_table_of_several_batches_becomes_one_frame() {
        let batch = |numbers: Vec<i64>, names: Vec<&str>| {
            RecordBatch::try_from_iter([
                ("n", Arc::new(Int64Array::from(numbers)) as ArrayRef),
                ("name", Arc::new(StringArray::from(names)) as ArrayRef),
            ])
            .unwrap()
        };
        let batches = vec![batch(vec![1], vec!["a"]), batch(vec![2, 3], vec!["b", "c"])];
        let frame = Table::new(batches[0].schema(), batches).to_polars().unwrap();
        assert!(frame.equals(&df! {"n" => &[1i64, 2, 3], "name" => &["a", "b", "c"]}.unwrap()));
    }

    #[test]
    fn time_zones_cross() {
        let times = TimestampMicrosecondArray::from(vec![1, 2]).with_timezone("Europe/Berlin");
        let table = Table::from(RecordBatch::try_from_iter([("time", Arc::new(times) as ArrayRef)]).unwrap());
        let frame = table.to_polars().unwrap();
        let again = Table::try_from(&frame).unwrap();
        // In polars every column may have nulls.
        assert_eq!(again.schema().field(0).data_type(), table.schema().field(0).data_type());
        assert_eq!(again.batches()[0].columns(), table.batches()[0].columns());
    }

    #[test]
    fn tables_without_rows_or_batches_keep_their_columns() {
        let empty = Table::try_from(&trades().clear()).unwrap();
        assert_eq!(empty.schema().fields().len(), 2);
        assert!(empty.to_polars().unwrap().equals(&trades().clear()));
        let no_batches = Table::new(Arc::clone(empty.schema()), vec![]);
        assert!(no_batches.to_polars().unwrap().equals(&trades().clear()));
    }

    #[test]
    fn a_type_that_polars_lacks_is_refused_by_column() {
        let intervals = IntervalMonthDayNanoArray::from(vec![IntervalMonthDayNano::new(1, 2, 3)]);
        let batch = RecordBatch::try_from_iter([("every", Arc::new(intervals) as ArrayRef)]).unwrap();
        let error = Table::from(batch).to_polars().unwrap_err().to_string();
        assert!(error.contains("\"every\""), "{error}");
    }
}
