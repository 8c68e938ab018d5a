//! One file's footer.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::{ARROW_SCHEMA_META_KEY, parquet_to_arrow_schema};
use parquet::basic::{
    Compression, ConvertedType, Encoding, LogicalType, TimeUnit as ParquetTimeUnit, Type as PhysicalType,
};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::schema::types::{Type, TypePtr};

use crate::footer_shape::check_kinds;
use crate::private_fields::without_private_fields;
use crate::repair::repaired;
use crate::schema::with_file_leaves;
use crate::thrift::{Flaw, check_footer};
use crate::{Error, ReadAt, Result, checksum, int96, kept, portable, workers};

const MAGIC: &[u8; 4] = b"PAR1";
/// Of a file whose footer is encrypted.
const ENCRYPTED_MAGIC: &[u8; 4] = b"PARE";
/// The metadata's length, then the magic.
const TAIL_BYTES: u64 = 8;
/// How many bytes [`FileReader::open`] reads from the end of a file first. Most footers are smaller.
pub const FIRST_FETCH_BYTES: u64 = 64 << 10;

/// One Parquet file, open: its footer was read and found consistent with the file's length.
#[derive(Debug, Clone)]
pub struct FileReader {
    bytes: Arc<dyn ReadAt>,
    metadata: Arc<ParquetMetaData>,
    schema: SchemaRef,
    /// There are INT96 columns, and the footer does not say which unit they had.
    has_open_time_units: bool,
    has_written_schema: bool,
    rows: u64,
    checksums: Option<Arc<[u32]>>,
    kept_values: Arc<[Option<ArrayRef>]>,
}

impl FileReader {
    /// Reads the footer.
    ///
    /// # Errors
    /// [`Error::NotParquet`], [`Error::Truncated`] or [`Error::Corrupt`] when the bytes are at fault,
    /// [`Error::Read`] when they can't be fetched.
    pub fn open(bytes: Arc<dyn ReadAt>) -> Result<Self> {
        let footer = fetch_footer(bytes.as_ref())?;
        let data_end = bytes.len() - footer.len() as u64 - TAIL_BYTES;
        // Malformed metadata can panic inside its parser.
        let Footer { metadata, schema, has_open_time_units, has_written_schema, kept_values } =
            workers::fence(|| parse_footer(&footer, data_end))
                .map_err(|payload| Error::corrupt(workers::panic_message(payload.as_ref())))??;
        let rows = check_ranges(&metadata, data_end)?;
        let checksums = checksum::from_footer(&metadata).map(Arc::from);
        let (metadata, schema) = (Arc::new(metadata), Arc::new(schema));
        let kept_values = kept_values.into();
        Ok(Self {
            bytes,
            metadata,
            schema,
            has_open_time_units,
            has_written_schema,
            rows,
            checksums,
            kept_values,
        })
    }

    /// The schema of the table in the file: exactly the one that was written if [`TableEncoder`](crate::TableEncoder)
    /// wrote it, otherwise what its columns are read as. INT96 timestamps are microseconds where the file does not tell
    /// their unit; see [`with_fitting_times`](Self::with_fitting_times).
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The number of rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// What the columns take when their compression is undone, in bytes: about what the table takes in memory.
    pub fn uncompressed_bytes(&self) -> u64 {
        let groups = self.metadata.row_groups().iter();
        groups.map(|group| u64::try_from(group.total_byte_size()).unwrap_or(0)).sum()
    }

    /// The number of row groups.
    pub fn row_groups(&self) -> usize {
        self.metadata.num_row_groups()
    }

    /// Where the chunks of a row group's columns are in the file, leaf by leaf.
    pub fn chunk_ranges(&self, row_group: usize) -> impl Iterator<Item = Range<u64>> {
        let columns = self.metadata.row_group(row_group).columns().iter();
        columns.map(|column| {
            let (start, length) = column.byte_range();
            start..start + length
        })
    }

    /// Whether the file carries the Arrow schema that it was written with, and its columns are stored as that would be.
    pub fn has_written_schema(&self) -> bool {
        self.has_written_schema
    }

    /// The schema with the types of those who don't read the Arrow schema in the file: days, where it tells of dates in
    /// milliseconds that are stored as days.
    pub fn plain_schema(&self) -> SchemaRef {
        let columns = self.metadata.file_metadata().schema_descr().root_schema().get_fields();
        let plain = |leaf: &DataType, physical: PhysicalType| match leaf {
            DataType::Date64 if physical == PhysicalType::INT32 => DataType::Date32,
            DataType::Dictionary(_, values)
                if **values == DataType::Date64 && physical == PhysicalType::INT32 =>
            {
                DataType::Date32
            }
            other => other.clone(),
        };
        let fields = self.schema.fields().iter().zip(columns);
        let fields: Vec<Field> =
            fields.map(|(field, column)| with_file_leaves(field, column, &plain)).collect();
        Arc::new(Schema::new_with_metadata(fields, self.schema.metadata().clone()))
    }

    /// Differs between files whose columns are stored under other names or types, or in another order.
    pub fn layout(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        format!("{:?}", self.metadata.file_metadata().schema_descr().root_schema()).hash(&mut hasher);
        hasher.finish()
    }

    /// Whether the file uses what DuckDB does not read, or not as a plain column: Hadoop's LZ4, LZO, byte streams of other
    /// types than floats, geometries, maps without values, nanoseconds of a day in UTC, VARIANTs that lack their parts.
    pub fn is_uncommon(&self) -> bool {
        let columns = self.metadata.file_metadata().schema_descr();
        let chunks = self.metadata.row_groups().iter().flat_map(|group| group.columns());
        has_map_without_value(columns.root_schema())
            || holds_variant(columns.root_schema(), &|variant| !has_parts_of_variant(variant))
            || columns.columns().iter().any(|column| {
                let logical = column.logical_type_ref();
                matches!(
                    logical,
                    Some(
                        LogicalType::Geometry { .. }
                            | LogicalType::Geography { .. }
                            | LogicalType::Time { is_adjusted_to_u_t_c: true, unit: ParquetTimeUnit::NANOS }
                    )
                )
            })
            || chunks.into_iter().any(|chunk| {
                let is_float = matches!(chunk.column_type(), PhysicalType::FLOAT | PhysicalType::DOUBLE);
                matches!(chunk.compression(), Compression::LZ4 | Compression::LZO)
                    || (!is_float && chunk.encodings().any(|used| used == Encoding::BYTE_STREAM_SPLIT))
            })
    }

    /// The places of the columns that are INT96 timestamps, or hold some.
    pub fn int96_columns(&self) -> Vec<usize> {
        let columns = self.metadata.file_metadata().schema_descr().root_schema().get_fields();
        (0..columns.len()).filter(|place| int96::holds_int96(&columns[*place])).collect()
    }

    /// The places of the columns that are VARIANTs, or hold some.
    pub fn variant_columns(&self) -> Vec<usize> {
        let columns = self.metadata.file_metadata().schema_descr().root_schema().get_fields();
        (0..columns.len()).filter(|place| holds_variant(&columns[*place], &|_| true)).collect()
    }

    pub(crate) fn has_open_time_units(&self) -> bool {
        self.has_open_time_units
    }

    pub(crate) fn set_schema(&mut self, schema: Schema) {
        self.schema = Arc::new(schema);
    }

    pub(crate) fn metadata(&self) -> &Arc<ParquetMetaData> {
        &self.metadata
    }

    pub(crate) fn bytes(&self) -> &Arc<dyn ReadAt> {
        &self.bytes
    }

    /// The values of the dictionaries of the schema, leaf by leaf, as far as the footer has them.
    pub(crate) fn kept_values(&self) -> &[Option<ArrayRef>] {
        &self.kept_values
    }

    pub(crate) fn has_checksums(&self) -> bool {
        self.checksums.is_some()
    }

    /// What the bytes of a column chunk must add up to, where the file says so.
    pub(crate) fn checksum(&self, row_group: usize, leaf: usize) -> Option<u32> {
        let leaves = self.metadata.file_metadata().schema_descr().num_columns();
        self.checksums.as_ref()?.get(row_group * leaves + leaf).copied()
    }
}

fn fetch_footer(file: &dyn ReadAt) -> Result<bytes::Bytes> {
    let length = file.len();
    let head = file.read_at(0, length.min(MAGIC.len() as u64) as usize).map_err(Error::from_reading)?;
    if head.as_ref() == ENCRYPTED_MAGIC {
        return Err(Error::Encrypted);
    }
    if head.as_ref() != MAGIC {
        return Err(Error::NotParquet);
    }
    if length < MAGIC.len() as u64 + TAIL_BYTES {
        return Err(Error::Truncated);
    }
    let fetched = length.min(FIRST_FETCH_BYTES);
    let end = file.read_at(length - fetched, fetched as usize).map_err(Error::from_reading)?;
    let Some((before, [a, b, c, d, magic @ ..])) = end.split_last_chunk::<8>() else {
        return Err(Error::Read(io::ErrorKind::UnexpectedEof.into()));
    };
    if magic != MAGIC {
        return Err(Error::Truncated);
    }
    let footer = u64::from(u32::from_le_bytes([*a, *b, *c, *d]));
    if footer > length - TAIL_BYTES - MAGIC.len() as u64 {
        return Err(Error::corrupt("the footer is longer than the file"));
    }
    match before.len().checked_sub(footer as usize) {
        Some(start) => Ok(end.slice(start..before.len())),
        None => file.read_at(length - TAIL_BYTES - footer, footer as usize).map_err(Error::from_reading),
    }
}

struct Footer {
    metadata: ParquetMetaData,
    schema: Schema,
    has_open_time_units: bool,
    has_written_schema: bool,
    kept_values: Vec<Option<ArrayRef>>,
}

fn parse_footer(footer: &[u8], data_end: u64) -> Result<Footer> {
    // The parser makes room for as many elements as a list declares.
    let flawed = |flaw| match flaw {
        Flaw::Encrypted => Error::Encrypted,
        flaw => Error::corrupt(format!("its metadata: {flaw:?}")),
    };
    check_footer(footer).map_err(flawed)?;
    let footer = without_private_fields(footer).map_err(flawed)?;
    check_kinds(&footer).map_err(flawed)?;
    let metadata = ParquetMetaDataReader::decode_metadata(&footer).map_err(Error::corrupt)?;
    let metadata = repaired(metadata, data_end)?;
    if let Some(schema) = portable::of_footer(&metadata) {
        let kept_values = kept::of_footer(&metadata, &schema);
        let (has_open_time_units, has_written_schema) = (false, true);
        return Ok(Footer { metadata, schema, has_open_time_units, has_written_schema, kept_values });
    }
    let file = metadata.file_metadata();
    let (columns, entries) = (file.schema_descr(), file.key_value_metadata());
    let mut schema = parquet_to_arrow_schema(columns, entries).map_err(Error::corrupt)?;
    let tells_units = entries.into_iter().flatten().any(|entry| entry.key == ARROW_SCHEMA_META_KEY);
    let has_open_time_units = !tells_units && int96::holds_int96(columns.root_schema());
    if has_open_time_units {
        let fields = schema.fields().iter().zip(columns.root_schema().get_fields());
        let fields = fields.map(|(field, column)| int96::with_unit(field, column, TimeUnit::Microsecond));
        schema = Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone());
    }
    let (has_written_schema, kept_values) = (false, Vec::new());
    Ok(Footer { metadata, schema, has_open_time_units, has_written_schema, kept_values })
}

fn has_map_without_value(column: &Type) -> bool {
    let Type::GroupType { basic_info, fields } = column else { return false };
    let is_map = matches!(basic_info.logical_type_ref(), Some(LogicalType::Map))
        || matches!(basic_info.converted_type(), ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE);
    let lacks_value = |pair: &TypePtr| pair.is_group() && pair.get_fields().len() < 2;
    (is_map && fields.iter().any(lacks_value)) || fields.iter().any(|field| has_map_without_value(field))
}

/// Whether a column is, or holds, a VARIANT that is looked for.
fn holds_variant(column: &Type, is_wanted: &impl Fn(&Type) -> bool) -> bool {
    let is_variant = matches!(column.get_basic_info().logical_type_ref(), Some(LogicalType::Variant { .. }));
    let holds = || column.get_fields().iter().any(|field| holds_variant(field, is_wanted));
    (is_variant && is_wanted(column)) || (column.is_group() && holds())
}

/// Whether a VARIANT has the parts that DuckDB calls an internal error to miss.
fn has_parts_of_variant(variant: &Type) -> bool {
    let is_bytes =
        |part: &TypePtr| part.is_primitive() && part.get_physical_type() == PhysicalType::BYTE_ARRAY;
    let parts = if variant.is_group() { variant.get_fields() } else { &[] };
    match parts {
        [metadata, value, rest @ ..] => {
            (metadata.name(), value.name()) == ("metadata", "value")
                && is_bytes(metadata)
                && is_bytes(value)
                && rest.len() < 2
                && rest.iter().all(|part| part.name() == "typed_value")
        }
        _ => false,
    }
}

/// Checks what decoding relies on, so that a damaged number is an error before it is an allocation.
fn check_ranges(metadata: &ParquetMetaData, data_end: u64) -> Result<u64> {
    let leaves = metadata.file_metadata().schema_descr().num_columns();
    let mut rows = 0u64;
    for group in metadata.row_groups() {
        let count = u64::try_from(group.num_rows()).map_err(Error::corrupt)?;
        rows = rows.checked_add(count).ok_or_else(|| Error::corrupt("too many rows"))?;
        if group.num_columns() != leaves {
            return Err(Error::corrupt("a row group lacks columns"));
        }
        for chunk in group.columns() {
            let offset = chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
            let inside = u64::try_from(offset)
                .ok()
                .zip(u64::try_from(chunk.compressed_size()).ok())
                .and_then(|(start, length)| start.checked_add(length))
                .is_some_and(|end| end <= data_end);
            if !inside {
                return Err(Error::corrupt("a column chunk lies outside the file"));
            }
        }
    }
    match u64::try_from(metadata.file_metadata().num_rows()) {
        Ok(total) if total == rows => Ok(rows),
        _ => Err(Error::corrupt("the row groups do not add up to the file's rows")),
    }
}
