//! How the wanted columns are found in one file, and which are decoded together.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Schema, TimeUnit};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::{ARROW_SCHEMA_META_KEY, ProjectionMask, encode_arrow_schema};
use parquet::basic::Type as PhysicalType;
use parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, KeyValue, ParquetMetaData, ParquetMetaDataBuilder, RowGroupMetaData,
};

use crate::kept::KeptDictionaries;
use crate::restore::is_restorable;
use crate::schema::decoded_field;
use crate::{Error, FileReader, Result, int96, workers};

/// A batch of more bytes has fewer rows: the decoder makes room for all of them at once.
const BATCH_BYTES: u64 = 64 << 20;

/// One file, and how the wanted columns are read from it.
pub(crate) struct FilePlan {
    pub(crate) file: FileReader,
    /// The file's footer with the types that the decoder should return.
    pub(crate) decoding: ArrowReaderMetadata,
    /// The same with seconds for what `decoding` has as nanoseconds of INT96, if some column is that.
    pub(crate) seconds: Option<ArrowReaderMetadata>,
    pub(crate) columns: Vec<ColumnGroup>,
    /// For each wanted column the dictionaries that the file keeps of it.
    pub(crate) kept: Vec<Option<KeptDictionaries>>,
}

/// Columns that one task decodes, in the file's order.
pub(crate) struct ColumnGroup {
    /// For each column its place in the wanted schema.
    pub(crate) places: Vec<usize>,
    pub(crate) mask: ProjectionMask,
    /// The leaf columns of the file that these columns are made of.
    pub(crate) leaves: Vec<usize>,
    /// For columns with INT96, what they are decoded to.
    pub(crate) int96: Option<Vec<FieldRef>>,
}

impl FilePlan {
    /// Says to the file which of its column chunks will be read, from this row group on, of so many rows.
    pub(crate) fn expect(&self, first_group: usize, rows: u64) {
        let mut leaves: Vec<usize> =
            self.columns.iter().flat_map(|group| group.leaves.iter().copied()).collect();
        leaves.sort_unstable();
        let mut ranges = Vec::new();
        let mut rows_before = 0;
        for row_group in first_group..self.file.row_groups() {
            if rows_before >= rows {
                break;
            }
            rows_before += self.group_rows(row_group);
            let chunks: Vec<_> = self.file.chunk_ranges(row_group).collect();
            ranges.extend(leaves.iter().filter_map(|leaf| chunks.get(*leaf).cloned()));
        }
        self.file.bytes().expect(ranges);
    }

    /// Finds the columns of `wanted` in `file` by name and forms at most `most_groups` groups of them. The file's other
    /// columns are not read.
    pub(crate) fn new(file: FileReader, wanted: &Schema, most_groups: usize) -> Result<Self> {
        let descriptor = file.metadata().file_metadata().schema_descr();
        let in_file = descriptor.root_schema().get_fields();
        // Of columns that share a name, the first is the first.
        let mut roots: HashMap<&str, VecDeque<usize>> = HashMap::new();
        for (root, field) in in_file.iter().enumerate() {
            roots.entry(field.name()).or_default().push_back(root);
        }
        let mut columns = Vec::with_capacity(wanted.fields().len());
        for (place, field) in wanted.fields().iter().enumerate() {
            let root = roots.get_mut(field.name().as_str()).and_then(VecDeque::pop_front);
            let root = root.ok_or_else(|| Error::ColumnMissing { column: field.name().clone() })?;
            columns.push((root, place));
        }
        columns.sort_unstable();
        let (of_int96, others): (Vec<_>, Vec<_>) =
            columns.iter().copied().partition(|(root, _)| int96::holds_int96(&in_file[*root]));

        let decoding = decoding_metadata(&file, wanted, &columns, TimeUnit::Nanosecond)?;
        for (root, place) in &columns {
            let wanted = wanted.field(*place);
            let found = decoding.schema().fields().get(*root);
            let found = found.ok_or_else(|| Error::corrupt("a column has no values"))?;
            let decoded = int96::with_unit(wanted, &in_file[*root], TimeUnit::Nanosecond);
            if !is_restorable(found.data_type(), decoded.data_type()) {
                return Err(mismatch(wanted, found));
            }
        }
        let seconds = match of_int96.as_slice() {
            [] => None,
            columns => Some(decoding_metadata(&file, wanted, columns, TimeUnit::Second)?),
        };

        let per_group = columns.len().div_ceil(most_groups.max(1)).max(1);
        let group = |columns: &[(usize, usize)], int96: Option<Vec<FieldRef>>| {
            let mask = ProjectionMask::roots(descriptor, columns.iter().map(|(root, _)| *root));
            let leaves = (0..descriptor.num_columns()).filter(|leaf| mask.leaf_included(*leaf)).collect();
            ColumnGroup { places: columns.iter().map(|(_, place)| *place).collect(), mask, leaves, int96 }
        };
        let decoded = |(_, place): &(usize, usize)| Arc::new(decoded_field(wanted.field(*place)));
        let others = others.chunks(per_group).map(|columns| group(columns, None));
        let of_int96 = of_int96
            .chunks(per_group)
            .map(|columns| group(columns, Some(columns.iter().map(decoded).collect())));
        let columns = others.chain(of_int96).collect();
        let kept = kept_dictionaries(&file, wanted);
        Ok(Self { file, decoding, seconds, columns, kept })
    }

    pub(crate) fn group_rows(&self, row_group: usize) -> u64 {
        u64::try_from(self.file.metadata().row_group(row_group).num_rows()).unwrap_or(0)
    }

    /// How many rows of a row group are decoded to one batch: `most_rows`, or fewer where they are large.
    pub(crate) fn batch_rows(&self, row_group: usize, most_rows: usize) -> usize {
        let group_rows = self.group_rows(row_group).max(1);
        let row_bytes = self.decoded_bytes(row_group) / group_rows;
        let fitting = BATCH_BYTES.checked_div(row_bytes).unwrap_or(group_rows).min(group_rows);
        most_rows.min(usize::try_from(fitting).unwrap_or(most_rows)).max(1)
    }

    /// About how many bytes of Arrow memory the wanted columns take in a row group.
    pub(crate) fn decoded_bytes(&self, row_group: usize) -> u64 {
        let metadata: &RowGroupMetaData = self.file.metadata().row_group(row_group);
        let leaves = self.columns.iter().flat_map(|columns| &columns.leaves);
        leaves.fold(0, |sum, leaf| leaf_bytes(metadata.column(*leaf)).saturating_add(sum))
    }
}

fn kept_dictionaries(file: &FileReader, wanted: &Schema) -> Vec<Option<KeptDictionaries>> {
    let mut leaves = file.kept_values().iter().cloned();
    let mut by_name: HashMap<&str, KeptDictionaries> = HashMap::new();
    for field in file.schema().fields() {
        if let Some(kept) = KeptDictionaries::of_column(field.data_type(), &mut leaves) {
            by_name.insert(field.name(), kept);
        }
    }
    wanted.fields().iter().map(|field| by_name.remove(field.name().as_str())).collect()
}

fn leaf_bytes(chunk: &ColumnChunkMetaData) -> u64 {
    let values = u64::try_from(chunk.num_values()).unwrap_or(0);
    let width = match chunk.column_type() {
        PhysicalType::BOOLEAN => 1,
        PhysicalType::INT32 | PhysicalType::FLOAT => 4,
        PhysicalType::INT64 | PhysicalType::DOUBLE => 8,
        PhysicalType::INT96 => 12,
        PhysicalType::FIXED_LEN_BYTE_ARRAY => u64::try_from(chunk.column_descr().type_length()).unwrap_or(0),
        PhysicalType::BYTE_ARRAY => {
            let known = chunk.unencoded_byte_array_data_bytes().unwrap_or_else(|| chunk.uncompressed_size());
            return values.saturating_mul(8).saturating_add(u64::try_from(known).unwrap_or(0));
        }
    };
    values.saturating_mul(width)
}

/// The decoder takes the types that it returns from the Arrow schema in the footer, as hints that must not
/// contradict the columns: so the footer is given one that asks for what is wanted, and for INT96 in this unit.
fn decoding_metadata(
    file: &FileReader,
    wanted: &Schema,
    columns: &[(usize, usize)],
    int96_unit: TimeUnit,
) -> Result<ArrowReaderMetadata> {
    let metadata = file.metadata();
    let in_file = metadata.file_metadata().schema_descr().root_schema().get_fields();
    let own = |root: usize| {
        let name = in_file[root].name();
        let own = file.schema().fields().get(root).filter(|own| own.name() == name);
        own.map_or_else(|| Field::new(name, DataType::Null, true), |own| own.as_ref().clone())
    };
    let mut hints: Vec<Field> = (0..in_file.len()).map(own).collect();
    for (root, place) in columns {
        hints[*root] = decoded_field(wanted.field(*place));
    }
    let hints: Vec<FieldRef> = hints
        .iter()
        .zip(in_file)
        .map(|(hint, column)| Arc::new(int96::with_unit(hint, column, int96_unit)))
        .collect();
    let metadata = with_arrow_schema(metadata, &Schema::new(hints));
    match workers::fence(|| ArrowReaderMetadata::try_new(Arc::new(metadata), ArrowReaderOptions::new())) {
        Ok(Ok(decoding)) => Ok(decoding),
        failed => {
            // The decoder says that shapes differ, but not where.
            for (root, place) in columns {
                let (wanted, own) = (wanted.field(*place), own(*root));
                if !is_restorable(decoded_field(&own).data_type(), wanted.data_type()) {
                    return Err(mismatch(wanted, &own));
                }
            }
            Err(match failed {
                Ok(Err(error)) => Error::corrupt(error),
                Err(payload) => Error::corrupt(workers::panic_message(payload.as_ref())),
                Ok(Ok(_)) => Error::corrupt("its columns can't be decoded"),
            })
        }
    }
}

fn with_arrow_schema(metadata: &ParquetMetaData, schema: &Schema) -> ParquetMetaData {
    let file = metadata.file_metadata();
    let entry = KeyValue::new(ARROW_SCHEMA_META_KEY.to_owned(), encode_arrow_schema(schema));
    let file = FileMetaData::new(
        file.version(),
        file.num_rows(),
        file.created_by().map(str::to_owned),
        Some(vec![entry]),
        file.schema_descr_ptr(),
        file.column_orders().cloned(),
    );
    ParquetMetaDataBuilder::new(file).set_row_groups(metadata.row_groups().to_vec()).build()
}

fn mismatch(wanted: &Field, found: &Field) -> Error {
    Error::ColumnType {
        column: wanted.name().clone(),
        wanted: wanted.data_type().clone(),
        found: found.data_type().clone(),
    }
}
