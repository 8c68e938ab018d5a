//! Converts rows to the schema of the dataset that they are appended to.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};
use polarway_model::DatasetName;
use polarway_parquet::with_wide_keys;
use polarway_table::{parts_that, plain_bytes_over};

use crate::error::{Error, Result};
use crate::widening::{field_differences, widen, widened_null_bytes};

/// Turns batches of one schema into batches of another, without losing anything.
#[derive(Debug)]
pub(crate) struct Conform {
    name: DatasetName,
    target: SchemaRef,
    /// The same, with keys wide enough for the dictionaries of any rows.
    target_of_rows: SchemaRef,
    /// For each target column, the index of its source.
    sources: Vec<usize>,
}

/// Rows are converted in parts of at most this many bytes, with every value of dictionaries written out, since that can be
/// more than there is memory.
const PART_BYTES: u64 = 64 << 20;

impl Conform {
    /// Plans the conversion of `source` to `target`. Columns are matched by name, in any order.
    ///
    /// # Errors
    /// [`Error::SchemaMismatch`] with every difference that can't be converted without loss.
    pub(crate) fn new(name: &DatasetName, source: &Schema, target: &SchemaRef) -> Result<Self> {
        let differences = field_differences(None, source.fields(), target.fields());
        if !differences.is_empty() {
            return Err(Error::SchemaMismatch { name: name.clone(), differences });
        }
        let places = target.fields().iter().filter_map(|field| source.fields().find(field.name()));
        let sources = places.map(|(place, _)| place).collect();
        let target_of_rows = Arc::new(with_wide_keys(target));
        Ok(Self { name: name.clone(), target: Arc::clone(target), target_of_rows, sources })
    }

    /// Converts a batch in parts, and calls `take` with each. Their dictionaries may have wider keys than the target's.
    ///
    /// # Errors
    /// [`Error::SchemaMismatch`] for a NULL in a column without NULLs, or a value that does not fit; and errors of
    /// `take`.
    pub(crate) fn apply_in_parts(
        &self,
        batch: &RecordBatch,
        mut take: impl FnMut(&RecordBatch) -> Result<()>,
    ) -> Result<()> {
        if batch.schema_ref() == &self.target {
            return take(batch);
        }
        let fits = |part: &RecordBatch| {
            plain_bytes_over(part.columns(), PART_BYTES).is_none() && self.null_bytes(part) <= PART_BYTES
        };
        for part in parts_that(batch, fits) {
            self.check_nulls(&part)?;
            take(&self.apply(&part)?)?;
        }
        Ok(())
    }

    /// The size of NULLs without a type in the dataset's columns.
    fn null_bytes(&self, batch: &RecordBatch) -> u64 {
        let columns = self.sources.iter().map(|source| batch.column(*source)).zip(self.target.fields());
        columns
            .fold(0, |sum, (column, field)| sum.saturating_add(widened_null_bytes(column, field.data_type())))
    }

    fn check_nulls(&self, part: &RecordBatch) -> Result<()> {
        for (field, source) in self.target.fields().iter().zip(&self.sources) {
            let bytes = widened_null_bytes(part.column(*source), field.data_type());
            if bytes > PART_BYTES {
                return Err(self.refuse(format!(
                    "column {:?}: the NULLs of one row would take {bytes} bytes as {}",
                    field.name(),
                    field.data_type()
                )));
            }
        }
        Ok(())
    }

    fn refuse(&self, difference: String) -> Error {
        Error::SchemaMismatch { name: self.name.clone(), differences: vec![difference] }
    }

    /// Converts a batch of a file to exactly the target, for which no values of dictionaries may have to be written out.
    ///
    /// # Errors
    /// As [`apply_in_parts`](Self::apply_in_parts).
    pub(crate) fn apply_whole(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        self.check_nulls(batch)?;
        self.fit(batch, &self.target)
    }

    /// Converts one part.
    fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        if batch.schema_ref() == &self.target {
            return Ok(batch.clone());
        }
        self.fit(batch, &self.target_of_rows)
    }

    fn fit(&self, batch: &RecordBatch, target: &SchemaRef) -> Result<RecordBatch> {
        let mut columns = Vec::with_capacity(self.sources.len());
        for (field, source) in target.fields().iter().zip(&self.sources) {
            let given = batch.column(*source);
            if !field.is_nullable() && given.null_count() > 0 {
                return Err(self.refuse(format!("column {:?} has NULLs and may have none", field.name())));
            }
            let column = widen(given, field.data_type())
                .map_err(|error| self.refuse(format!("column {:?}: {error}", field.name())))?;
            columns.push(column);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(target), columns, &options)?)
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Array, Int32Array, Int64Array, StringArray};
    use arrow_schema::{DataType, Field, TimeUnit};

    use super::*;

    fn schema(fields: &[(&str, DataType)]) -> SchemaRef {
        let fields: Vec<Field> =
            fields.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true)).collect();
        Arc::new(Schema::new(fields))
    }

    fn differences(given: &[(&str, DataType)], wanted: &[(&str, DataType)]) -> Vec<String> {
        match Conform::new(&"t".parse().unwrap(), &schema(given), &schema(wanted)) {
            Err(Error::SchemaMismatch { differences, .. }) => differences,
            Ok(_) => vec![],
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn narrower_columns_in_another_order_fit() {
        let wanted = schema(&[("a", DataType::Int64), ("b", DataType::Utf8)]);
        let given = schema(&[("b", DataType::Utf8), ("a", DataType::Int32)]);
        let conform = Conform::new(&"t".parse().unwrap(), &given, &wanted).unwrap();
        let batch = RecordBatch::try_new(
            given,
            vec![Arc::new(StringArray::from(vec!["x"])), Arc::new(Int32Array::from(vec![Some(7)]))],
        );
        let fitted = conform.apply(&batch.unwrap()).unwrap();
        assert_eq!(fitted.schema(), wanted);
        assert_eq!(fitted.column(0).as_any().downcast_ref::<Int64Array>().unwrap().value(0), 7);
    }

    #[test]
    fn every_difference_is_named() {
        let found = differences(
            &[("a", DataType::Int64), ("extra", DataType::Utf8)],
            &[("a", DataType::Int32), ("missing", DataType::Boolean)],
        );
        assert_eq!(
            found,
            [
                "column \"a\" is Int64 and must be Int32",
                "column \"missing\" (Boolean) is missing",
                "column \"extra\" (Utf8) is not in the dataset",
            ]
        );
    }

    #[test]
    fn casts_that_could_lose_something_are_refused() {
        use DataType::*;

        let zone = || Some("UTC".into());
        for (given, wanted) in [
            (Int64, Float64),
            (UInt64, Int64),
            (Int8, UInt64),
            (Float64, Float32),
            (Utf8, Binary),
            (Utf8, Int64),
            (Decimal128(10, 2), Decimal128(10, 3)),
            (Timestamp(TimeUnit::Microsecond, None), Timestamp(TimeUnit::Millisecond, None)),
            (Timestamp(TimeUnit::Microsecond, None), Timestamp(TimeUnit::Microsecond, zone())),
        ] {
            assert_eq!(
                differences(&[("c", given.clone())], &[("c", wanted.clone())]).len(),
                1,
                "{given} {wanted}"
            );
        }
    }

    #[test]
    fn a_null_where_the_dataset_has_none_is_refused() {
        let wanted = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, false)]));
        let given = schema(&[("a", DataType::Int64)]);
        let conform = Conform::new(&"t".parse().unwrap(), &given, &wanted).unwrap();
        let batch =
            RecordBatch::try_new(given, vec![Arc::new(Int64Array::from(vec![None, Some(1)]))]).unwrap();
        assert!(conform.apply(&batch).unwrap_err().to_string().contains("NULL"));
    }
}
