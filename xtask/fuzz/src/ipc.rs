//! Arrow streams: decoded as an upload is, then stored, appended and loaded.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array as _, RecordBatch};
use bytes::Bytes;
use object_store::memory::InMemory;
use polarway_ipc::{ChunkDecoder, Compression, DecodeLimits, EncodeOptions, EncodedTable};
use polarway_storage::{At, DatasetName, ObjectBackend, Settings, Tables, WriteMode, WriteOptions};

use crate::tables::tables;

/// What a stream may ask for here: less than of a server, so that many are tried.
const BYTES: usize = 16 << 20;

/// A storage in memory, and how often it was written to.
static STORAGE: Mutex<Option<(Tables, usize)>> = Mutex::new(None);

/// After so many writes a storage is given up for an empty one.
const MOST_WRITES: usize = 500;

/// Decodes a stream, and stores what is in it.
///
/// # Panics
/// When a batch breaks the rules of its types, or is not loaded as it was stored.
pub fn check(stream: &[u8]) {
    let limits = DecodeLimits {
        max_decoded_bytes: BYTES,
        max_plain_bytes: BYTES,
        max_dictionary_bytes: BYTES,
        ..DecodeLimits::default()
    };
    let mut decoder = ChunkDecoder::new(limits);
    let Ok(batches) = decoder.decode(Bytes::copy_from_slice(stream)) else { return };
    for batch in &batches {
        batch.columns().iter().for_each(|column| column.to_data().validate_full().unwrap());
    }
    let Some(schema) = decoder.schema() else { return };
    let mut storage = STORAGE.lock().unwrap_or_else(PoisonError::into_inner);
    if storage.as_ref().is_none_or(|(_, writes)| *writes >= MOST_WRITES) {
        let backend = ObjectBackend::new(Arc::new(InMemory::new())).unwrap();
        *storage = Some((Tables::new(Arc::new(backend), Settings::default()), 0));
    }
    let (tables, writes) = storage.as_mut().unwrap();
    *writes += 1;
    for mode in [WriteMode::Overwrite, WriteMode::Append] {
        let name: DatasetName = "t".parse().unwrap();
        let Ok(mut writer) = tables.writer(&name, Arc::clone(schema), WriteOptions::new(mode)) else {
            return;
        };
        if batches.iter().any(|batch| writer.write(batch).is_err()) {
            return;
        }
        let stored = writer.publish().unwrap();
        let (_, loaded) = tables.load(&name, At::Newest).unwrap();
        assert_eq!(loaded.iter().map(RecordBatch::num_rows).sum::<usize>() as u64, stored.rows);
    }
}

/// Writes streams of many types into a folder.
///
/// # Panics
/// When they can't be written.
pub fn write_seeds(folder: &Path) {
    let compressions = [Compression::None, Compression::Lz4, Compression::Zstd];
    for (number, batches) in tables(60).into_iter().enumerate() {
        let compression = compressions[number % compressions.len()];
        let options = EncodeOptions { compression, ..EncodeOptions::default() };
        let table = EncodedTable::encode(&batches[0].schema(), &batches, options).unwrap();
        let stream: Vec<u8> = table.chunks().iter().flat_map(|chunk| chunk.ipc.to_vec()).collect();
        std::fs::write(folder.join(format!("table-{number}")), stream).unwrap();
    }
}
