//! Writes one table as one Parquet file.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType, FieldRef, Fields, Schema, SchemaRef};
use crossbeam_channel::Receiver;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use polarway_table::{arrow_bytes, plain_bytes_over, plain_parts};

use crate::bounds::MisleadingBounds;
use crate::categories::Categories;
use crate::checksum::{self, ChecksumSink};
use crate::encoding::{self, LeafEncoding};
use crate::first_row::first_row_over;
use crate::io_failure::IoFailure;
use crate::restore::restore;
use crate::schema::{encoded_field, encoded_type, same_but_for_keys};
use crate::{Error, Result, Workers, check_schema, decimal, kept, portable, workers};

/// Values are written out in parts of at most this many bytes, so that what encoding holds at a time is bounded.
const PART_BYTES: u64 = 64 << 20;
/// With every value written out, a row group may have this many times the bytes that it has in Arrow memory: what a
/// reader of it must hold.
const PLAIN_FACTOR: u64 = 4;

/// How a file is laid out.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EncodeOptions {
    /// Zstandard's level, 1 to 22, for columns that compress at all.
    pub zstd_level: i32,
    /// A row group ends at this many rows …
    pub row_group_rows: usize,
    /// … or at this many bytes of Arrow memory, or at four times as many with every value written out, whichever
    /// comes first.
    pub row_group_bytes: u64,
    /// The most bytes that one row's value in one column may take.
    pub max_cell_bytes: u64,
    /// What encodes.
    pub workers: Workers,
}

impl Default for EncodeOptions {
    fn default() -> Self {
        Self {
            zstd_level: 3,
            row_group_rows: 1_000_000,
            row_group_bytes: 128 << 20,
            max_cell_bytes: 64 << 20,
            workers: Workers::default(),
        }
    }
}

impl EncodeOptions {
    /// These options, with row groups that end at `rows` rows.
    pub fn with_row_group_rows(self, rows: usize) -> Self {
        Self { row_group_rows: rows, ..self }
    }

    /// These options, with row groups that end at `bytes` bytes of Arrow memory.
    pub fn with_row_group_bytes(self, bytes: u64) -> Self {
        Self { row_group_bytes: bytes, ..self }
    }

    /// These options, with values of at most `bytes` bytes.
    pub fn with_max_cell_bytes(self, bytes: u64) -> Self {
        Self { max_cell_bytes: bytes, ..self }
    }

    /// These options, encoding on `workers`.
    pub fn with_workers(self, workers: Workers) -> Self {
        Self { workers, ..self }
    }

    /// These options, compressing at `level`.
    pub fn with_zstd_level(self, level: i32) -> Self {
        Self { zstd_level: level, ..self }
    }
}

/// What a finished file holds.
#[derive(Debug, Clone)]
pub struct FileSummary {
    /// Rows.
    pub rows: u64,
    /// The file's length.
    pub bytes: u64,
    /// What the rows take uncompressed, as Arrow arrays.
    pub arrow_bytes: u64,
    /// Row groups.
    pub row_groups: usize,
    /// The table's schema, with keys wide enough for the values of each dictionary.
    pub schema: SchemaRef,
    /// The values of its dictionaries.
    pub categories: Categories,
}

/// Encodes record batches into one Parquet file.
///
/// Batches are collected until they make a row group, whose columns are then encoded on all cores in the background,
/// while the caller brings the next batches: at most one row group is collected and one encoded at a time.
/// Without [`finish`](Self::finish) the sink holds no readable file, and what is being encoded is given up soon.
pub struct TableEncoder<W: Write + Send> {
    schema: SchemaRef,
    options: EncodeOptions,
    compression: Compression,
    categories: Categories,
    output: Output<W>,
    failure: IoFailure,
    collected: Vec<RecordBatch>,
    collected_rows: usize,
    collected_bytes: u64,
    /// The row group that is being encoded.
    encoding: Option<EncodingGroup>,
    rows: u64,
    arrow_bytes: u64,
    row_groups: usize,
    stop: StopOnDrop,
}

/// The file is begun with the first row group: encodings are chosen from its data and hold for the whole file.
enum Output<W: Write + Send> {
    Unbegun(W),
    Begun(Box<OpenFile<W>>),
    Failed,
}

struct OpenFile<W: Write + Send> {
    writer: SerializedFileWriter<ChecksumSink<W>>,
    factory: ArrowRowGroupWriterFactory,
}

struct EncodingGroup {
    columns: usize,
    /// What its rows take.
    bytes: u64,
    results: Receiver<(usize, ParquetResult<Vec<ArrowColumnChunk>>)>,
}

impl<W: Write + Send> TableEncoder<W> {
    /// Prepares to write a table of `schema`. Nothing reaches the sink before the first row group is full.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the schema does not fit, [`Error::Encode`] if the compression level does not exist.
    pub fn new(sink: W, schema: SchemaRef, options: EncodeOptions) -> Result<Self> {
        check_schema(&schema)?;
        let level = ZstdLevel::try_new(options.zstd_level).map_err(Error::Encode)?;
        Ok(Self {
            categories: Categories::new(&schema),
            schema,
            options,
            compression: Compression::ZSTD(level),
            output: Output::Unbegun(sink),
            failure: IoFailure::default(),
            collected: Vec::new(),
            collected_rows: 0,
            collected_bytes: 0,
            encoding: None,
            rows: 0,
            arrow_bytes: 0,
            row_groups: 0,
            stop: StopOnDrop::default(),
        })
    }

    /// Adds a batch's rows. Its columns must have the schema's names, types and nullability; the keys of dictionaries may
    /// be of any width. Where the schema's are too narrow for all values, the file and its summary get wider ones.
    ///
    /// # Errors
    /// [`Error::BatchSchema`], [`Error::CellTooLarge`] or [`Error::DecimalOutOfRange`] before any row of the batch was
    /// taken: the encoder stays usable. After any other error it is not.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if matches!(self.output, Output::Failed) {
            return Err(Error::EncoderFailed);
        }
        self.check_batch(batch)?;
        self.categories.see(batch).map_err(arrow_failure)?;
        let mut rest = batch.clone();
        while rest.num_rows() > 0 {
            let size = Size::of(&rest);
            let rows = self.rows_that_fit(&rest, size);
            if rows == 0 {
                self.encode_collected()?;
                continue;
            }
            let part = rest.slice(0, rows);
            let part_size = if rows == rest.num_rows() { size } else { Size::of(&part) };
            self.collected_rows += rows;
            self.collected_bytes = self.collected_bytes.saturating_add(part_size.grouped_bytes);
            self.rows += rows as u64;
            self.arrow_bytes = self.arrow_bytes.saturating_add(part_size.arrow_bytes);
            self.collected.extend(plain_parts(&part, PART_BYTES));
            rest = rest.slice(rows, rest.num_rows() - rows);
            if self.collected_rows >= self.options.row_group_rows
                || self.collected_bytes >= self.options.row_group_bytes
            {
                self.encode_collected()?;
            }
        }
        Ok(())
    }

    /// About what the rows that are not in the sink yet take in memory, with what they are encoded to.
    pub fn held_bytes(&self) -> u64 {
        let encoding = self.encoding.as_ref().map_or(0, |group| group.bytes);
        let buffer = if matches!(self.output, Output::Begun(_)) { checksum::BUFFER_BYTES as u64 } else { 0 };
        self.collected_bytes.saturating_add(encoding).saturating_add(encoding / 2) + buffer
    }

    /// Ends the row group that is being collected, and puts all rows into the sink: for a caller that is short of memory.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub fn flush(&mut self) -> Result<()> {
        if self.collected_rows > 0 {
            self.encode_collected()?;
        }
        self.encoding.take().map_or(Ok(()), |group| self.write_group(group))
    }

    /// Writes what is left and the footer, flushes the sink and hands it back. The caller makes it durable.
    ///
    /// # Errors
    /// [`Error::Write`] if the sink refuses bytes, [`Error::Encode`] if encoding fails.
    pub fn finish(mut self) -> Result<(W, FileSummary)> {
        self.flush()?;
        self.begin()?;
        let Output::Begun(file) = std::mem::replace(&mut self.output, Output::Failed) else {
            return Err(Error::EncoderFailed);
        };
        let mut writer = file.writer;
        let failure = self.failure;
        writer.flush().map_err(|error| Error::Write(failure.take().unwrap_or(error)))?;
        let schema = self.categories.widen_keys(&self.schema);
        let checksums = writer.inner().footer_value();
        let mut entries = portable::footer_entries(&schema);
        entries.push((checksum::FOOTER_KEY, checksums));
        let values = self.categories.values().and_then(|values| kept::footer_value(&schema, &values));
        entries.extend(values.map_err(arrow_failure)?.map(|values| (kept::FOOTER_KEY, values)));
        for (key, value) in entries {
            writer.append_key_value_metadata(KeyValue::new(key.to_owned(), value));
        }
        let sink = writer.into_inner().map_err(|error| failed(&failure, error))?;
        let bytes = sink.position();
        let sink = sink.into_inner().map_err(Error::Write)?;
        let (rows, arrow_bytes, row_groups) = (self.rows, self.arrow_bytes, self.row_groups);
        let categories = self.categories;
        Ok((sink, FileSummary { rows, bytes, arrow_bytes, row_groups, schema, categories }))
    }

    fn check_batch(&self, batch: &RecordBatch) -> Result<()> {
        let schema = batch.schema_ref();
        if !Arc::ptr_eq(schema, &self.schema) {
            compare_columns(&self.schema, schema)?;
        }
        for (field, column) in self.schema.fields().iter().zip(batch.columns()) {
            if let Some(row) = first_row_over(column, self.options.max_cell_bytes) {
                let (column, row) = (field.name().clone(), self.rows + row as u64);
                return Err(Error::CellTooLarge { column, row, limit_bytes: self.options.max_cell_bytes });
            }
            if let Some(row) = decimal::first_row_out_of_range(column) {
                return Err(Error::DecimalOutOfRange {
                    column: field.name().clone(),
                    row: self.rows + row as u64,
                });
            }
        }
        Ok(())
    }

    /// How many rows of `batch` the collected row group takes; 0 if it should end first.
    fn rows_that_fit(&self, batch: &RecordBatch, size: Size) -> usize {
        let rows = batch.num_rows();
        let by_rows = self.options.row_group_rows.saturating_sub(self.collected_rows).min(rows);
        let room = self.options.row_group_bytes.saturating_sub(self.collected_bytes);
        let at_least = usize::from(self.collected_rows == 0);
        let bytes = size.grouped_bytes;
        if bytes <= room {
            return by_rows.max(at_least);
        }
        let by_bytes = (u128::from(room) * rows as u128 / u128::from(bytes)) as usize;
        let mut fitting = by_rows.min(by_bytes).max(at_least);
        // The first rows may be much larger than the average.
        while fitting > 1 && Size::of(&batch.slice(0, fitting)).grouped_bytes > room.saturating_mul(2) {
            fitting /= 2;
        }
        fitting
    }

    /// Starts to encode the collected rows, and writes the row group before them.
    fn encode_collected(&mut self) -> Result<()> {
        self.begin()?;
        let collected = std::mem::take(&mut self.collected);
        let bytes = std::mem::take(&mut self.collected_bytes);
        self.collected_rows = 0;
        let Output::Begun(file) = &self.output else { return Err(Error::EncoderFailed) };
        let started = start_group(
            &self.schema,
            &file.factory,
            self.row_groups,
            &collected,
            bytes,
            &self.stop.0,
            &self.options.workers,
        );
        drop(collected);
        let before = match started {
            Ok(group) => self.encoding.replace(group),
            Err(error) => {
                self.output = Output::Failed;
                return Err(Error::Encode(error));
            }
        };
        self.row_groups += 1;
        before.map_or(Ok(()), |group| self.write_group(group))
    }

    /// Opens the file, if it is not, with encodings that suit the collected rows.
    fn begin(&mut self) -> Result<()> {
        let sink = match std::mem::replace(&mut self.output, Output::Failed) {
            Output::Unbegun(sink) => sink,
            begun => {
                self.output = begun;
                return Ok(());
            }
        };
        let columns = columns_of(&self.schema, &self.collected);
        let encodings =
            choose_encodings(columns, self.compression, &self.options.workers).map_err(Error::Encode)?;
        let sink = ChecksumSink::new(sink, self.failure.clone());
        let file = begin_file(sink, &self.schema, self.compression, &encodings)
            .map_err(|error| failed(&self.failure, error))?;
        self.output = Output::Begun(Box::new(file));
        Ok(())
    }

    /// Waits for an encoded row group and writes it to the sink.
    fn write_group(&mut self, group: EncodingGroup) -> Result<()> {
        let Output::Begun(mut file) = std::mem::replace(&mut self.output, Output::Failed) else {
            return Err(Error::EncoderFailed);
        };
        append_group(&mut file.writer, group).map_err(|error| failed(&self.failure, error))?;
        self.output = Output::Begun(file);
        Ok(())
    }
}

/// What a batch takes.
#[derive(Clone, Copy)]
struct Size {
    arrow_bytes: u64,
    /// What it counts for in its row group.
    grouped_bytes: u64,
}

impl Size {
    fn of(batch: &RecordBatch) -> Self {
        let arrow_bytes = arrow_bytes(batch);
        let plain_bytes = plain_bytes_over(batch.columns(), arrow_bytes.saturating_mul(PLAIN_FACTOR));
        let grouped_bytes = plain_bytes.map_or(arrow_bytes, |bytes| bytes / PLAIN_FACTOR);
        Self { arrow_bytes, grouped_bytes }
    }
}

/// Set when nobody waits for the file any more: what is being encoded then stops.
#[derive(Clone, Debug, Default)]
struct Stopped(Arc<AtomicBool>);

/// Sets it when the encoder is dropped.
#[derive(Debug, Default)]
struct StopOnDrop(Stopped);

impl Stopped {
    fn check(&self) -> ParquetResult<()> {
        match self.0.load(Ordering::Relaxed) {
            true => Err(ParquetError::General("the encoder is gone".to_owned())),
            false => Ok(()),
        }
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

impl<W: Write + Send> std::fmt::Debug for TableEncoder<W> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("TableEncoder")
            .field("schema", &self.schema)
            .field("options", &self.options)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

fn arrow_failure(error: ArrowError) -> Error {
    Error::Encode(ParquetError::External(Box::new(error)))
}

/// Why the `parquet` crate failed: the sink's own error, if the sink was it.
fn failed(failure: &IoFailure, error: ParquetError) -> Error {
    failure.take().map_or(Error::Encode(error), Error::Write)
}

fn compare_columns(wanted: &SchemaRef, found: &SchemaRef) -> Result<()> {
    let differ = |difference| Err(Error::BatchSchema { difference });
    if wanted.fields().len() != found.fields().len() {
        let (wanted, found) = (wanted.fields().len(), found.fields().len());
        return differ(format!("{found} columns instead of {wanted}"));
    }
    for (wanted, found) in wanted.fields().iter().zip(found.fields()) {
        let name = wanted.name();
        if name != found.name() {
            return differ(format!("column `{}` stands where `{name}` should", found.name()));
        }
        if !same_but_for_keys(wanted.data_type(), found.data_type()) {
            let (wanted, found) = (wanted.data_type(), found.data_type());
            return differ(format!("column `{name}` is {found} instead of {wanted}"));
        }
        if found.is_nullable() && !wanted.is_nullable() {
            return differ(format!("column `{name}` may be null"));
        }
    }
    Ok(())
}

fn columns_of(schema: &SchemaRef, batches: &[RecordBatch]) -> Vec<Vec<ArrayRef>> {
    (0..schema.fields().len())
        .map(|column| batches.iter().map(|batch| batch.column(column).clone()).collect())
        .collect()
}

fn choose_encodings(
    columns: Vec<Vec<ArrayRef>>,
    zstd: Compression,
    workers: &Workers,
) -> ParquetResult<Vec<Vec<LeafEncoding>>> {
    let count = columns.len();
    if columns.iter().all(|parts| parts.is_empty()) {
        return Ok(Vec::new());
    }
    let (sender, results) = crossbeam_channel::unbounded();
    for (column, parts) in columns.into_iter().enumerate() {
        let sender = sender.clone();
        workers.spawn(move || {
            let chosen = fenced(|| encoding::choose(&parts, zstd));
            // The receiver is gone only when another column failed.
            let _ = sender.send((column, chosen));
        });
    }
    drop(sender);
    in_order(count, &results)
}

fn begin_file<W: Write + Send>(
    sink: ChecksumSink<W>,
    schema: &SchemaRef,
    zstd: Compression,
    encodings: &[Vec<LeafEncoding>],
) -> ParquetResult<OpenFile<W>> {
    let descriptor = ArrowSchemaConverter::new().convert(schema)?;
    let mut builder = WriterProperties::builder()
        .set_compression(zstd)
        .set_created_by(concat!("polarway ", env!("CARGO_PKG_VERSION")).to_owned());
    for (leaf, encoding) in descriptor.columns().iter().zip(encodings.iter().flatten()) {
        builder = encoding.apply(builder, leaf.path().clone());
    }
    let root = descriptor.root_schema_ptr();
    let writer = SerializedFileWriter::new(sink, root, Arc::new(builder.build()))?;
    let encoded: Fields = schema.fields().iter().map(|field| Arc::new(encoded_field(field))).collect();
    let factory = ArrowRowGroupWriterFactory::new(&writer, Arc::new(Schema::new(encoded)));
    Ok(OpenFile { writer, factory })
}

/// Starts one task for each column.
fn start_group(
    schema: &SchemaRef,
    factory: &ArrowRowGroupWriterFactory,
    row_group: usize,
    batches: &[RecordBatch],
    bytes: u64,
    stopped: &Stopped,
    workers: &Workers,
) -> ParquetResult<EncodingGroup> {
    let mut writers = factory.create_column_writers(row_group)?.into_iter();
    let (sender, results) = crossbeam_channel::unbounded();
    let columns = columns_of(schema, batches);
    for (column, (field, parts)) in schema.fields().iter().zip(columns).enumerate() {
        let writers: Vec<_> = writers.by_ref().take(leaf_count(field.data_type())).collect();
        let (field, sender, stopped) = (Arc::clone(field), sender.clone(), stopped.clone());
        workers.spawn(move || {
            let encoded = fenced(|| encode_column(&field, parts, writers, &stopped));
            // The receiver is gone only when the encoder is.
            let _ = sender.send((column, encoded));
        });
    }
    Ok(EncodingGroup { columns: schema.fields().len(), bytes, results })
}

/// Some column writers of the `parquet` crate panic where others return errors.
fn fenced<T>(encode: impl FnOnce() -> ParquetResult<T>) -> ParquetResult<T> {
    workers::fence(encode)
        .unwrap_or_else(|payload| Err(ParquetError::General(workers::panic_message(payload.as_ref()))))
}

fn encode_column(
    field: &FieldRef,
    parts: Vec<ArrayRef>,
    mut writers: Vec<ArrowColumnWriter>,
    stopped: &Stopped,
) -> ParquetResult<Vec<ArrowColumnChunk>> {
    let mut bounds = MisleadingBounds::new(field.data_type(), writers.len());
    // Each part is freed as soon as it is encoded.
    for part in parts {
        stopped.check()?;
        // The part's own type: the keys of its dictionaries may be wider than the schema's.
        let field = field.as_ref().clone().with_data_type(encoded_type(part.data_type()));
        let part = restore(&part, field.data_type(), None)
            .map_err(|error| ParquetError::External(Box::new(error)))?;
        bounds.look_through(&part);
        for (leaf, writer) in compute_leaves(&field, &part)?.iter().zip(&mut writers) {
            writer.write(leaf)?;
        }
    }
    let close = |(leaf, writer): (usize, ArrowColumnWriter)| {
        let mut chunk = writer.close()?;
        bounds.correct(leaf, chunk.close_mut())?;
        Ok(chunk)
    };
    writers.into_iter().enumerate().map(close).collect()
}

fn leaf_count(data_type: &DataType) -> usize {
    match data_type {
        DataType::Struct(fields) => fields.iter().map(|field| leaf_count(field.data_type())).sum(),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => leaf_count(item.data_type()),
        _ => 1,
    }
}

fn append_group<W: Write + Send>(
    writer: &mut SerializedFileWriter<ChecksumSink<W>>,
    group: EncodingGroup,
) -> ParquetResult<()> {
    let chunks: Vec<ArrowColumnChunk> =
        in_order(group.columns, &group.results)?.into_iter().flatten().collect();
    let mut start = writer.bytes_written() as u64;
    for chunk in &chunks {
        let length = u64::try_from(chunk.close().metadata.compressed_size())?;
        writer.inner_mut().announce(start, length);
        start += length;
    }
    let mut row_group = writer.next_row_group()?;
    for chunk in chunks {
        chunk.append_to_row_group(&mut row_group)?;
    }
    row_group.close()?;
    Ok(())
}

/// Waits for the results of `count` tasks and puts them in the order of their numbers.
fn in_order<T>(count: usize, results: &Receiver<(usize, ParquetResult<T>)>) -> ParquetResult<Vec<T>> {
    let mut places: Vec<Option<T>> = (0..count).map(|_| None).collect();
    for (place, result) in results.iter().take(count) {
        if let Some(slot) = places.get_mut(place) {
            *slot = Some(result?);
        }
    }
    let complete: Option<Vec<T>> = places.into_iter().collect();
    complete.ok_or_else(|| ParquetError::General("an encoding task was lost".to_owned()))
}
