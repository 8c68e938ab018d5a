//! Files that are loaded into are read by other programs.

use std::sync::Arc;

use arrow_array::types::Int8Type;
use arrow_array::{ArrayRef, DictionaryArray, Int8Array, RecordBatch, StringArray};
use polarway_parquet::{EncodeOptions, TableEncoder};
use polarway_testing::{Peers, same_values};

use crate::support::Server;

#[test]
fn pyarrow_polars_and_duckdb_read_what_is_loaded_of_a_dictionary_that_grew_over_its_keys() {
    let Some(peers) = Peers::find() else { return };
    let server = Server::start(&[]);
    let mut stored: Vec<ArrayRef> = Vec::new();
    for part in 0..5 {
        let texts: StringArray = (0..60).map(|place| Some(format!("{part}/{place}"))).collect();
        let keys = Int8Array::from_iter_values((0..60).rev());
        let column: ArrayRef = Arc::new(DictionaryArray::<Int8Type>::new(keys, Arc::new(texts)));
        let batch = RecordBatch::try_from_iter([("c", column.clone())]).unwrap();
        let path = server.folder.path().join("part.parquet");
        let file = std::fs::File::create(&path).unwrap();
        let mut encoder = TableEncoder::new(file, batch.schema(), EncodeOptions::default()).unwrap();
        encoder.write(&batch).unwrap();
        encoder.finish().unwrap();
        server.run(&[if part == 0 { "store" } else { "append" }, "words", &path.display().to_string()]);
        stored.push(column);
    }
    let folder = tempfile::tempdir().unwrap();
    for format in ["parquet", "arrow"] {
        let file = folder.path().join(format!("words.{format}"));
        server.run(&["load", "words", "-o", &file.display().to_string()]);
    }
    peers.read_all(folder.path());
    let readings = Peers::NAMES.map(|peer| ("parquet", peer)).into_iter();
    for (format, peer) in readings.chain([("arrow", "pyarrow"), ("arrow", "polars")]) {
        let file = folder.path().join(format!("words.{format}"));
        let read = Peers::reading(&file, peer).unwrap_or_else(|why| panic!("{peer}, {format}: {why}"));
        let read: Vec<ArrayRef> = read.iter().map(|batch| batch.column(0).clone()).collect();
        assert_eq!(same_values(&stored, &read), Ok(()), "{peer}, {format}");
    }
}
