//! Chooses each leaf column's encoding and compression by encoding a sample of its values in every promising way.
//!
//! The smallest result wins, after a handicap for what costs time: compression that gains next to nothing slows both
//! the writer and every reader, and dictionaries cost a hash per value. Only encodings are tried that DuckDB, pyarrow
//! and polars read as well. The choice depends on the data alone, so that equal tables make equal files.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, Encoding};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use polarway_table::{array_bytes, children, plain_bytes};

use crate::restore::restore;
use crate::schema::encoded_type;

/// Values beyond this tell little more.
const MOST_SAMPLE_ROWS: usize = 16_384;
/// Bytes beyond this, in one run, tell little more either.
const MOST_SAMPLE_BYTES: u64 = 16 << 20;
/// Runs that the sample is made of: long enough to show order, spread over the row group.
const SAMPLE_RUNS: usize = 4;
/// Below this there is nothing to learn, and nothing to gain.
const LEAST_SAMPLE_ROWS: usize = 32;
/// Where the writer of the `parquet` crate gives up a dictionary, after having hashed everything up to there.
const MOST_DICTIONARY_BYTES: f64 = 1_048_576.0;

/// How one leaf column is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LeafEncoding {
    encoding: Encoding,
    compression: Compression,
    dictionary: bool,
}

impl LeafEncoding {
    /// A dictionary that turns into plain values when it grows too large: good for what was not sampled.
    fn unsampled(zstd: Compression) -> Self {
        Self { encoding: Encoding::PLAIN, compression: zstd, dictionary: true }
    }

    pub(crate) fn apply(
        self,
        builder: WriterPropertiesBuilder,
        column: ColumnPath,
    ) -> WriterPropertiesBuilder {
        builder
            .set_column_encoding(column.clone(), self.encoding)
            .set_column_compression(column.clone(), self.compression)
            .set_column_dictionary_enabled(column, self.dictionary)
    }
}

/// Chooses for all leaves of one column, in the order of the file's leaf columns.
pub(crate) fn choose(parts: &[ArrayRef], zstd: Compression) -> ParquetResult<Vec<LeafEncoding>> {
    let rows: usize = parts.iter().map(Array::len).sum();
    let mut samples: Vec<Vec<ArrayRef>> = Vec::new();
    for run in sample_runs(parts, rows) {
        let run = restore(&run, &encoded_type(run.data_type()), None)
            .map_err(|error| ParquetError::External(Box::new(error)))?;
        for (place, leaf) in leaves(&run).into_iter().enumerate() {
            match samples.get_mut(place) {
                Some(sample) => sample.push(leaf),
                None => samples.push(vec![leaf]),
            }
        }
    }
    samples.iter().map(|sample| choose_leaf(sample, rows, zstd)).collect()
}

fn sample_runs(parts: &[ArrayRef], rows: usize) -> Vec<ArrayRef> {
    let wanted = (rows / 16).clamp(LEAST_SAMPLE_ROWS.max(rows.min(1_024)), MOST_SAMPLE_ROWS);
    let length = wanted.div_ceil(SAMPLE_RUNS);
    let mut runs = Vec::with_capacity(SAMPLE_RUNS);
    for run in 0..SAMPLE_RUNS {
        let mut start = rows * run / SAMPLE_RUNS;
        for part in parts {
            if start < part.len() {
                runs.push(cut_to_sample(&part.slice(start, length.min(part.len() - start))));
                break;
            }
            start -= part.len();
        }
    }
    if runs.is_empty() {
        // No rows: the leaves are still to be counted.
        runs.extend(parts.first().cloned());
    }
    runs
}

/// As many of the first rows, and one at least, as don't take too much with every value written out.
fn cut_to_sample(run: &ArrayRef) -> ArrayRef {
    let mut length = run.len();
    while length > 1 && plain_bytes(&run.slice(0, length)) > MOST_SAMPLE_BYTES {
        length /= 2;
    }
    run.slice(0, length)
}

/// The leaf arrays of a column, depth first as Parquet orders them.
fn leaves(array: &ArrayRef) -> Vec<ArrayRef> {
    let data_type = array.data_type();
    if data_type.is_nested() && !matches!(data_type, DataType::Dictionary(_, _)) {
        children(array).iter().flat_map(leaves).collect()
    } else {
        vec![array.clone()]
    }
}

fn choose_leaf(sample: &[ArrayRef], rows: usize, zstd: Compression) -> ParquetResult<LeafEncoding> {
    let sampled: usize = sample.iter().map(Array::len).sum();
    let Some(first) = sample.first() else { return Ok(LeafEncoding::unsampled(zstd)) };
    let data_type = first.data_type();
    if sampled < LEAST_SAMPLE_ROWS || matches!(data_type, DataType::Null | DataType::Dictionary(_, _)) {
        return Ok(LeafEncoding::unsampled(zstd));
    }
    let mut candidates =
        vec![(Encoding::PLAIN, Compression::UNCOMPRESSED, 1.0), (Encoding::PLAIN, zstd, 1.15)];
    match data_type {
        DataType::Float32 | DataType::Float64 => {
            candidates.push((Encoding::BYTE_STREAM_SPLIT, zstd, 1.1));
        }
        _ if is_stored_as_integer(data_type) => {
            candidates.push((Encoding::DELTA_BINARY_PACKED, Compression::UNCOMPRESSED, 1.0));
            candidates.push((Encoding::DELTA_BINARY_PACKED, zstd, 1.1));
        }
        _ => {}
    }
    let mut best = (f64::MAX, LeafEncoding::unsampled(zstd));
    for (encoding, compression, handicap) in candidates {
        let candidate = LeafEncoding { encoding, compression, dictionary: false };
        let cost = encoded_bytes(sample, candidate)? as f64 * handicap;
        if cost < best.0 {
            best = (cost, candidate);
        }
    }
    let handicap = if width_of(data_type).is_some() { 1.1 } else { 1.0 };
    if let Some(size) = dictionary_bytes(sample, sampled, rows) {
        // What the sample says of the whole, in the sample's measure.
        let tried = encoded_bytes(sample, LeafEncoding::unsampled(zstd))? as f64;
        let cost = (size * sampled as f64 / rows.max(1) as f64).min(tried) * handicap;
        if cost < best.0 {
            best.1 = LeafEncoding::unsampled(zstd);
        }
    }
    Ok(best.1)
}

fn is_stored_as_integer(data_type: &DataType) -> bool {
    match data_type {
        DataType::Decimal32(precision, _)
        | DataType::Decimal64(precision, _)
        | DataType::Decimal128(precision, _)
        | DataType::Decimal256(precision, _) => *precision <= 18,
        DataType::Float16 => false,
        other => other.is_integer() || other.is_temporal(),
    }
}

fn width_of(data_type: &DataType) -> Option<usize> {
    data_type.primitive_width()
}

fn encoded_bytes(sample: &[ArrayRef], encoding: LeafEncoding) -> ParquetResult<u64> {
    let Some(first) = sample.first() else { return Ok(0) };
    let field = Field::new("sample", first.data_type().clone(), true);
    let schema: SchemaRef = Arc::new(Schema::new(vec![field.clone()]));
    let builder = WriterProperties::builder().set_statistics_enabled(EnabledStatistics::None);
    let properties = encoding.apply(builder, ColumnPath::from("sample")).build();
    let descriptor = ArrowSchemaConverter::new().convert(&schema)?;
    let file = SerializedFileWriter::new(Vec::new(), descriptor.root_schema_ptr(), Arc::new(properties))?;
    let mut bytes = 0;
    for mut writer in ArrowRowGroupWriterFactory::new(&file, schema).create_column_writers(0)? {
        for part in sample {
            for leaf in compute_leaves(&field, part)? {
                writer.write(&leaf)?;
            }
        }
        bytes += writer.close()?.close().bytes_written;
    }
    Ok(bytes)
}

/// About what a dictionary and the indices into it would take for all rows, or `None` where one makes no sense.
fn dictionary_bytes(sample: &[ArrayRef], sampled: usize, rows: usize) -> Option<f64> {
    let mut distinct = HashSet::new();
    let mut values = 0;
    for part in sample {
        values += part.len() - part.null_count();
        distinct.extend(hashes(part)?);
    }
    if values == 0 {
        return None;
    }
    let present = rows as f64 * values as f64 / sampled as f64;
    let all = estimate_distinct(distinct.len() as f64, values as f64)?;
    let met = all * (1.0 - (-present / all).exp());
    let value_bytes = sample.iter().map(|part| array_bytes(part)).sum::<u64>() as f64 / values as f64;
    let dictionary = met * value_bytes;
    (dictionary < MOST_DICTIONARY_BYTES).then(|| dictionary + present * met.max(2.0).log2().ceil() / 8.0)
}

/// How many different values there are in all, if `distinct` of `values` drawn at random were different.
fn estimate_distinct(distinct: f64, values: f64) -> Option<f64> {
    if distinct >= values {
        return None;
    }
    let (mut low, mut high) = (distinct, values * values);
    for _ in 0..64 {
        let middle = (low + high) / 2.0;
        if middle * (1.0 - (-values / middle).exp()) < distinct { low = middle } else { high = middle }
    }
    Some(high)
}

/// A hash of each value that is not null.
fn hashes(array: &ArrayRef) -> Option<Vec<u64>> {
    fn hash(bytes: impl Hash) -> u64 {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        hasher.finish()
    }
    Some(match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().iter().flatten().map(hash).collect(),
        DataType::LargeUtf8 => array.as_string::<i64>().iter().flatten().map(hash).collect(),
        DataType::Utf8View => array.as_string_view().iter().flatten().map(hash).collect(),
        DataType::Binary => array.as_binary::<i32>().iter().flatten().map(hash).collect(),
        DataType::LargeBinary => array.as_binary::<i64>().iter().flatten().map(hash).collect(),
        DataType::BinaryView => array.as_binary_view().iter().flatten().map(hash).collect(),
        DataType::FixedSizeBinary(_) => array.as_fixed_size_binary().iter().flatten().map(hash).collect(),
        data_type => {
            let width = width_of(data_type)?;
            let data = array.to_data();
            let bytes = data.buffers().first()?.as_slice();
            let value =
                |row: usize| bytes.get((data.offset() + row) * width..(data.offset() + row + 1) * width);
            (0..array.len()).filter(|row| array.is_valid(*row)).filter_map(value).map(hash).collect()
        }
    })
}

#[cfg(test)]
mod tests {
    use arrow_array::{Float64Array, Int32Array, Int64Array, StringArray};
    use parquet::basic::ZstdLevel;

    use super::*;

    const ROWS: usize = 100_000;

    /// A sequence that looks random and is the same in each run.
    fn noise() -> impl Iterator<Item = u64> {
        let mut state = 88_172_645_463_325_252u64;
        std::iter::repeat_with(move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        })
    }

    fn check(array: impl Array + 'static, encoding: Encoding, compressed: bool, dictionary: bool) {
        let zstd = Compression::ZSTD(ZstdLevel::default());
        let chosen = choose(&[Arc::new(array)], zstd).unwrap();
        let compression = if compressed { zstd } else { Compression::UNCOMPRESSED };
        assert_eq!(chosen, vec![LeafEncoding { encoding, compression, dictionary }]);
    }

    #[test]
    fn the_encoding_follows_the_data() {
        check(Int64Array::from_iter_values(0..ROWS as i64), Encoding::DELTA_BINARY_PACKED, true, false);
        let random = noise().take(ROWS).map(|value| value as i32);
        check(Int32Array::from_iter_values(random), Encoding::PLAIN, false, false);
        let floats = noise().take(ROWS).map(|value| value as f64 / u64::MAX as f64);
        check(Float64Array::from_iter_values(floats), Encoding::BYTE_STREAM_SPLIT, true, false);
        let symbols = noise().take(ROWS).map(|value| format!("symbol {}", value % 1_000));
        check(StringArray::from_iter_values(symbols), Encoding::PLAIN, true, true);
        let keys = noise().take(ROWS).map(|value| format!("{value:016x}"));
        check(StringArray::from_iter_values(keys), Encoding::PLAIN, true, false);
    }

    #[test]
    fn the_number_of_distinct_values_is_guessed_from_collisions() {
        for all in [10u64, 1_000, 100_000] {
            let drawn: HashSet<u64> = noise().take(16_384).map(|value| value % all).collect();
            let guess = estimate_distinct(drawn.len() as f64, 16_384.0).unwrap();
            assert!((guess / all as f64 - 1.0).abs() < 0.1, "{guess} for {all}");
        }
        assert_eq!(estimate_distinct(16_384.0, 16_384.0), None);
    }
}
