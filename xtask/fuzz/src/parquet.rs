//! Parquet files: opened as those of strangers are, and read.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayData, RecordBatch};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterVersion};
use polarway_parquet::{EncodeOptions, FileReader, ReadOptions, TableEncoder, check_schema, read};

use crate::tables::tables;

/// Rows that are read of one file: more tell nothing new.
const MOST_ROWS: usize = 200_000;

/// Opens a file and reads it.
///
/// # Panics
/// When a batch breaks the rules of its types.
pub fn check(file: &[u8]) {
    let file = Arc::new(Bytes::copy_from_slice(file));
    let Ok(reader) = FileReader::open(file.clone()) else { return };
    if check_schema(reader.schema()).is_err() {
        return;
    }
    let options = ReadOptions::default().with_buffered_bytes(16 << 20);
    let Ok(batches) = read(vec![file], reader.schema(), options) else { return };
    let mut rows = 0;
    for batch in batches.map_while(Result::ok) {
        batch.columns().iter().for_each(|column| validate(&column.to_data()));
        rows += batch.num_rows();
        if rows > MOST_ROWS {
            return;
        }
    }
}

/// Validates all but one thing: under a null, a child that may have no nulls may have some.
fn validate(data: &ArrayData) {
    data.validate().unwrap();
    data.validate_values().unwrap();
    data.child_data().iter().for_each(validate);
}

/// Writes files of many types, encodings and compressions into a folder.
///
/// # Panics
/// When they can't be written.
pub fn write_seeds(folder: &Path) {
    for (number, batches) in tables(40).into_iter().enumerate() {
        let schema = batches[0].schema();
        let path = |kind: &str| folder.join(format!("{kind}-{number}"));
        let file = File::create(path("ours")).unwrap();
        let mut encoder = TableEncoder::new(file, schema.clone(), EncodeOptions::default()).unwrap();
        batches.iter().for_each(|batch| encoder.write(batch).unwrap());
        encoder.finish().unwrap();
        for (kind, properties) in properties() {
            let bytes = catch_unwind(AssertUnwindSafe(|| written(&batches, properties)));
            // Some of what we store, Arrow's writer does not, and says so in its own way.
            if let Ok(Some(bytes)) = bytes {
                std::fs::write(path(kind), bytes).unwrap();
            }
        }
    }
}

fn written(batches: &[RecordBatch], properties: WriterProperties) -> Option<Vec<u8>> {
    let mut writer = ArrowWriter::try_new(Vec::new(), batches[0].schema(), Some(properties)).ok()?;
    batches.iter().try_for_each(|batch| writer.write(batch)).ok()?;
    writer.into_inner().ok()
}

fn properties() -> [(&'static str, WriterProperties); 4] {
    let plain = WriterProperties::builder().set_dictionary_enabled(false);
    let second = WriterProperties::builder().set_writer_version(WriterVersion::PARQUET_2_0);
    [
        ("plain", plain.clone().set_compression(Compression::UNCOMPRESSED).build()),
        ("prefixes", plain.set_encoding(Encoding::DELTA_BYTE_ARRAY).build()),
        ("dictionaries", WriterProperties::builder().set_compression(Compression::SNAPPY).build()),
        ("second", second.set_compression(Compression::ZSTD(ZstdLevel::default())).build()),
    ]
}
