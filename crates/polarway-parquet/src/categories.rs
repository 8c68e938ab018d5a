//! The values of a table's dictionaries: all of them, in their order, those that no row has included.
//!
//! A Parquet file has no place for them: its dictionaries hold what a row group uses, in the order of its rows. They say
//! how wide the keys must be for a reader that joins the dictionaries of all row groups, and, kept in the footer, let
//! a dictionary come back as it was stored.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow_row::{RowConverter, SortField};
use arrow_schema::{ArrowError, DataType, FieldRef, Schema, SchemaRef};
use arrow_select::concat::concat;
use arrow_select::take::take;
use polarway_table::holds_leaf;

use crate::leaves::for_each_leaf;
use crate::schema::{dictionary_leaves, with_leaves_in_schema, with_wide_keys};
use crate::{FileReader, ReadAt, ReadOptions};

/// Values beyond this number are not followed: 32-bit keys tell more apart, and narrower ones don't.
const MOST_VALUES: usize = 1 << 16;

/// What the values of all dictionaries of a table may take together; those beyond are not followed either.
const MOST_BYTES: usize = 16 << 20;

/// The values that each dictionary of a table was seen to hold, the leaves of its columns depth first.
#[derive(Clone, Debug)]
pub struct Categories {
    leaves: Vec<Leaf>,
    bytes: usize,
}

/// The values of one dictionary.
#[derive(Clone, Debug)]
struct Leaf {
    value_type: DataType,
    /// `None` once there were too many.
    values: Option<Distinct>,
    /// What was looked through last: batches of one table mostly share their dictionaries.
    last: Option<ArrayRef>,
}

/// Different values, in the order in which they came.
#[derive(Clone, Debug, Default)]
struct Distinct {
    places: HashSet<Box<[u8]>>,
    bytes: usize,
    parts: Vec<ArrayRef>,
}

impl Categories {
    /// Those of a table of which nothing was seen yet.
    pub fn new(schema: &Schema) -> Self {
        let leaf =
            |values: DataType| Leaf { value_type: values, values: Some(Distinct::default()), last: None };
        Self { leaves: dictionary_leaves(schema).into_iter().map(leaf).collect(), bytes: 0 }
    }

    /// Looks through the dictionaries of a batch of the table.
    ///
    /// # Errors
    /// Values that Arrow can't compare.
    pub fn see(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        if self.leaves.is_empty() {
            return Ok(());
        }
        let (bytes, mut leaves) = (&mut self.bytes, self.leaves.iter_mut());
        let mut seen = Ok(());
        for column in batch.columns() {
            for_each_leaf(column, &mut |leaf| {
                if let Some(dictionary) = leaf.as_any_dictionary_opt()
                    && let Some(known) = leaves.next()
                    && seen.is_ok()
                {
                    seen = known.see(dictionary.values(), bytes);
                }
            });
        }
        seen
    }

    /// Adds what another part of the same table holds.
    ///
    /// # Errors
    /// Values that Arrow can't compare.
    pub fn add(&mut self, others: &Self) -> Result<(), ArrowError> {
        for (leaf, other) in self.leaves.iter_mut().zip(&others.leaves) {
            match &other.values {
                Some(values) => values.parts.iter().try_for_each(|part| leaf.see(part, &mut self.bytes))?,
                None => leaf.forget(&mut self.bytes),
            }
        }
        Ok(())
    }

    /// The schema with keys that are wide enough for all values of each dictionary; those that are stay.
    pub fn widen_keys(&self, schema: &SchemaRef) -> SchemaRef {
        let mut leaves = self.leaves.iter();
        let widened = with_leaves_in_schema(schema, &mut |leaf| match leaf {
            DataType::Dictionary(keys, values) => {
                let count = leaves.next().map_or(Some(0), |leaf| Some(leaf.values.as_ref()?.places.len()));
                DataType::Dictionary(Box::new(keys_for(keys, count)), values.clone())
            }
            other => other.clone(),
        });
        if widened == **schema { Arc::clone(schema) } else { Arc::new(widened) }
    }

    /// The values of each dictionary, or `None` for one with too many.
    ///
    /// # Errors
    /// More than an array can hold.
    pub(crate) fn values(&self) -> Result<Vec<Option<ArrayRef>>, ArrowError> {
        self.leaves.iter().map(Leaf::joined).collect()
    }

    /// Those that a footer says a file has; where it says nothing there may be any number.
    pub(crate) fn of_footer(schema: &Schema, values: &[Option<ArrayRef>]) -> Result<Self, ArrowError> {
        let mut categories = Self::new(schema);
        for (place, leaf) in categories.leaves.iter_mut().enumerate() {
            match values.get(place).cloned().flatten() {
                Some(values) => leaf.see(&values, &mut categories.bytes)?,
                None => leaf.values = None,
            }
        }
        Ok(categories)
    }

    /// About what it takes in memory.
    pub fn bytes(&self) -> usize {
        2 * self.bytes
    }

    /// Whether the values of all dictionaries are known.
    pub(crate) fn is_complete(&self) -> bool {
        self.leaves.iter().all(|leaf| leaf.values.is_some())
    }
}

impl Leaf {
    /// Takes in what is new; `bytes` is what all dictionaries of the table take.
    fn see(&mut self, values: &ArrayRef, bytes: &mut usize) -> Result<(), ArrowError> {
        let Some(known) = &mut self.values else { return Ok(()) };
        if self.last.as_ref().is_some_and(|last| last.to_data().ptr_eq(&values.to_data())) {
            return Ok(());
        }
        if *values.data_type() != self.value_type {
            return Err(ArrowError::SchemaError(format!(
                "a dictionary of {} where one of {} was expected",
                values.data_type(),
                self.value_type
            )));
        }
        if values.len() > MOST_VALUES || !known.take_in(values, bytes)? {
            self.forget(bytes);
        } else {
            self.last = Some(Arc::clone(values));
        }
        Ok(())
    }

    /// Gives up: there may be any values.
    fn forget(&mut self, bytes: &mut usize) {
        *bytes -= self.values.take().map_or(0, |values| values.bytes);
        self.last = None;
    }

    fn joined(&self) -> Result<Option<ArrayRef>, ArrowError> {
        let Some(values) = &self.values else { return Ok(None) };
        let parts: Vec<&dyn Array> = values.parts.iter().map(AsRef::as_ref).collect();
        match parts.as_slice() {
            [] => Ok(Some(arrow_array::new_empty_array(&self.value_type))),
            parts => concat(parts).map(Some),
        }
    }
}

impl Distinct {
    /// Takes the values that are new; `false` when that makes too many.
    fn take_in(&mut self, values: &ArrayRef, bytes: &mut usize) -> Result<bool, ArrowError> {
        let rows = rows_of(values)?;
        let mut fresh = Vec::new();
        for (place, row) in rows.iter().enumerate() {
            // A NULL among the values is a NULL of the rows, and no value.
            if values.is_null(place) || self.places.contains(row.as_ref()) {
                continue;
            }
            self.bytes += row.as_ref().len();
            *bytes += row.as_ref().len();
            if self.places.len() == MOST_VALUES || *bytes > MOST_BYTES {
                return Ok(false);
            }
            self.places.insert(row.as_ref().into());
            fresh.push(place as u32);
        }
        if !fresh.is_empty() {
            self.parts.push(take(values, &UInt32Array::from(fresh), None)?);
        }
        Ok(true)
    }
}

/// The values that the dictionaries of a file hold whose table has this schema. Where its footer does not have them, the
/// columns that are dictionaries are read.
///
/// # Errors
/// Those of [`read`](crate::read).
pub fn read_categories(bytes: Arc<dyn ReadAt>, schema: &SchemaRef) -> crate::Result<Categories> {
    let file = FileReader::open(Arc::clone(&bytes))?;
    let of_table = with_wide_keys(schema);
    if with_wide_keys(file.schema()).fields() == of_table.fields() {
        let known = Categories::of_footer(schema, file.kept_values()).map_err(crate::Error::corrupt)?;
        if known.is_complete() {
            return Ok(known);
        }
    }
    let holds_dictionary =
        |field: &&FieldRef| holds_leaf(field.data_type(), &|leaf| matches!(leaf, DataType::Dictionary(_, _)));
    let columns: Vec<FieldRef> = of_table.fields().iter().filter(holds_dictionary).cloned().collect();
    let columns: SchemaRef = Arc::new(Schema::new(columns));
    let mut categories = Categories::new(&columns);
    for batch in crate::read(vec![bytes], &columns, ReadOptions::default())? {
        categories.see(&batch?).map_err(crate::Error::corrupt)?;
    }
    Ok(categories)
}

/// Values as bytes that are equal where the values are.
pub(crate) fn rows_of(values: &ArrayRef) -> Result<arrow_row::Rows, ArrowError> {
    let converter = RowConverter::new(vec![SortField::new(values.data_type().clone())])?;
    converter.convert_columns(std::slice::from_ref(values))
}

/// The narrowest type of keys that can number `count` values, not narrower than `keys` and signed as it is; `None` stands for
/// any number of values.
fn keys_for(keys: &DataType, count: Option<usize>) -> DataType {
    use DataType::*;
    let holds = |most: usize| count.is_some_and(|count| count <= most);
    match keys {
        Int8 if !holds(1 << 7) => keys_for(&Int16, count),
        UInt8 if !holds(1 << 8) => keys_for(&UInt16, count),
        Int16 if !holds(1 << 15) => Int32,
        UInt16 if !holds(1 << 16) => UInt32,
        enough => enough.clone(),
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::types::{ArrowDictionaryKeyType, Int8Type, Int32Type};
    use arrow_array::{DictionaryArray, Int64Array, PrimitiveArray, StringArray};
    use arrow_schema::Field;

    use super::*;

    fn batch<K: ArrowDictionaryKeyType>(keys: Vec<Option<K::Native>>, values: ArrayRef) -> RecordBatch {
        let column = DictionaryArray::<K>::new(PrimitiveArray::from_iter(keys), values);
        RecordBatch::try_from_iter([("c", Arc::new(column) as ArrayRef)]).unwrap()
    }

    fn words(words: &[&str]) -> ArrayRef {
        Arc::new(StringArray::from(words.to_vec()))
    }

    fn keys(schema: &Schema) -> DataType {
        match schema.field(0).data_type() {
            DataType::Dictionary(keys, _) => keys.as_ref().clone(),
            other => panic!("{other} is no dictionary"),
        }
    }

    #[test]
    fn values_are_joined_in_their_order_those_without_a_row_and_none_twice() {
        let first = batch::<Int8Type>(vec![Some(2)], words(&["low", "middle", "high"]));
        let second = batch::<Int8Type>(vec![Some(0), None], words(&["higher", "low"]));
        let mut seen = Categories::new(&first.schema());
        for batch in [&first, &first, &second] {
            seen.see(batch).unwrap();
        }
        let values = seen.values().unwrap();
        assert_eq!(values[0].as_ref().unwrap(), &words(&["low", "middle", "high", "higher"]));
        let mut sum = Categories::new(&first.schema());
        sum.see(&second).unwrap();
        sum.add(&seen).unwrap();
        assert_eq!(sum.values().unwrap()[0].as_ref().unwrap(), &words(&["higher", "low", "middle", "high"]));
    }

    #[test]
    fn a_null_among_the_values_is_no_value() {
        let values: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("b")]));
        let batch = batch::<Int8Type>(vec![Some(1)], values);
        let mut seen = Categories::new(&batch.schema());
        seen.see(&batch).unwrap();
        assert_eq!(seen.values().unwrap()[0].as_ref().unwrap(), &words(&["a", "b"]));
    }

    #[test]
    fn keys_widen_when_they_have_to_and_stay_of_their_kind() {
        use DataType::*;
        for (declared, values, expected) in [
            (Int8, 128, Int8),
            (Int8, 129, Int16),
            (Int8, 32_768, Int16),
            (Int8, 32_769, Int32),
            (UInt8, 256, UInt8),
            (UInt8, 257, UInt16),
            (UInt16, 65_536, UInt16),
            (UInt16, 65_537, UInt32),
            (Int16, 65_537, Int32),
            (Int32, 65_537, Int32),
            (UInt64, 65_537, UInt64),
        ] {
            let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..values));
            let (first, second) = (numbers.slice(0, 100), numbers.slice(50, numbers.len() - 50));
            let mut seen: Option<Categories> = None;
            for values in [first, second] {
                let batch = batch::<Int32Type>(vec![Some(0)], values);
                seen.get_or_insert_with(|| Categories::new(&batch.schema())).see(&batch).unwrap();
            }
            let data_type = Dictionary(Box::new(declared.clone()), Box::new(Int64));
            let schema: SchemaRef = Arc::new(Schema::new(vec![Field::new("c", data_type, true)]));
            assert_eq!(keys(&seen.unwrap().widen_keys(&schema)), expected, "{declared} {values}");
        }
    }

    #[test]
    fn values_of_too_many_bytes_ask_for_wide_keys() {
        let long = "x".repeat(1 << 20);
        let texts: Vec<String> = (0..20).map(|place| format!("{place}{long}")).collect();
        let batch = batch::<Int8Type>(vec![Some(0)], Arc::new(StringArray::from(texts)));
        let mut seen = Categories::new(&batch.schema());
        seen.see(&batch).unwrap();
        assert!(!seen.is_complete());
        assert_eq!(keys(&seen.widen_keys(&batch.schema())), DataType::Int32);
    }
}
