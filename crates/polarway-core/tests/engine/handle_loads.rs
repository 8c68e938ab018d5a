//! Loads of results that are kept in memory: past the queue of queries, in bounded memory, whatever becomes of the handle.

use std::sync::Arc;

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use polarway_core::arrow::array::{AsArray as _, RecordBatch};
use polarway_core::arrow::datatypes::Int64Type;
use polarway_core::{At, Compression, ErrorKind, Polarway, Selection, Table, TableStream};
use polarway_ipc::{ChunkDecoder, DecodeLimits};
use tempfile::TempDir;

use crate::handles::engines;
use crate::support::{config, lines, until};

/// It is many batches.
const ROWS: i64 = 3_000_000;

/// An engine in which one query can run, and none can wait.
async fn with_one_slot() -> (Polarway, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&folder);
    (config.query_limits.running, config.query_limits.waiting) = (1, 0);
    (Polarway::open(config).await.unwrap(), folder)
}

/// A handle over the numbers from 0 on.
async fn numbers(polarway: &Polarway) -> String {
    let sql = format!("SELECT range AS n FROM range({ROWS})");
    polarway.query_handle(&sql).await.unwrap().handle.id.to_string()
}

fn numbers_of(batch: &RecordBatch) -> Vec<i64> {
    batch.column(0).as_primitive::<Int64Type>().values().to_vec()
}

/// Reads a stream of numbers to its end; returns how many followed one another.
async fn read_on(stream: &mut TableStream, mut next: i64) -> i64 {
    while let Some(batch) = stream.try_next().await.unwrap() {
        for number in numbers_of(&batch) {
            assert_eq!(number, next);
            next += 1;
        }
    }
    next
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handle_is_loaded_while_no_query_can_run() {
    let (polarway, _folder) = with_one_slot().await;
    let id = numbers(&polarway).await;
    let busy = polarway.query_stream("SELECT range AS n FROM range(1000000000)").await.unwrap();
    let refused = polarway.query("SELECT 1").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ResourceExhausted);
    let end = Selection::default().with_rows(ROWS as u64 - 2..);
    assert_eq!(
        lines(&polarway.load_with(&id, end).await.unwrap()),
        [(ROWS - 2).to_string(), (ROWS - 1).to_string()]
    );
    assert_eq!(read_on(&mut polarway.load_stream(&id, At::Newest).await.unwrap(), 0).await, ROWS);
    drop(busy);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_nobody_reads_lends_its_memory_and_goes_on_though_its_handle_was_dropped() {
    let (polarway, _folder) = with_one_slot().await;
    let id = numbers(&polarway).await;
    let mut stream = polarway.load_stream(&id, At::Newest).await.unwrap();
    let first = numbers_of(&stream.try_next().await.unwrap().unwrap());
    let held = polarway.memory().used();
    assert!(held > 0);
    until(|| polarway.memory().used() < held).await;
    polarway.drop_handle(&id).await.unwrap();
    assert_eq!(read_on(&mut stream, first.len() as i64).await, ROWS);
    drop(stream);
    until(|| polarway.memory().used() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_takes_no_memory_that_others_have_and_goes_on_when_they_give_it_back() {
    let (polarway, _folder) = with_one_slot().await;
    let id = numbers(&polarway).await;
    let capacity = polarway.memory().capacity();
    let all = polarway.memory().reserve(capacity).await;
    let mut stream = polarway.load_chunks(&id, At::Newest, 0, Compression::None).await.unwrap();
    for _ in 0..100 {
        assert!(stream.next().now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    assert_eq!(polarway.memory().used(), capacity);
    drop(all);
    let rows = stream.try_fold(0, async |rows, chunk| Ok(rows + chunk.rows)).await.unwrap();
    assert_eq!(rows, ROWS as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn loads_that_are_dropped_at_any_time_hold_nothing() {
    let (polarway, _folder) = with_one_slot().await;
    let id = numbers(&polarway).await;
    for wanted in [0, 1, 5] {
        let mut batches = polarway.load_stream(&id, At::Newest).await.unwrap();
        let mut chunks = polarway.load_chunks(&id, At::Newest, 7, Compression::Lz4).await.unwrap();
        for _ in 0..wanted {
            batches.next().await.unwrap().unwrap();
            chunks.next().await.unwrap().unwrap();
        }
    }
    until(|| polarway.memory().used() == 0).await;
    // Nobody reads its table, so the memory of queries is free again.
    polarway.drop_handle(&id).await.unwrap();
    assert_eq!(polarway.load(&id).await.unwrap_err().kind(), ErrorKind::HandleDropped);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handle_that_is_dropped_while_a_query_reads_it_is_read_to_the_end() {
    for (store, polarway, _folder) in engines().await {
        let id = numbers(&polarway).await;
        let mut stream = polarway.query_stream(&format!("FROM {id}")).await.unwrap();
        polarway.drop_handle(&id).await.unwrap();
        let mut rows = 0;
        while let Some(batch) = stream.try_next().await.unwrap_or_else(|error| panic!("{store}: {error}")) {
            rows += batch.num_rows() as i64;
        }
        assert_eq!(rows, ROWS, "{store}");
        assert_eq!(polarway.load(&id).await.unwrap_err().kind(), ErrorKind::HandleDropped, "{store}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_part_of_a_handle_is_the_same_in_batches_and_in_chunks_of_any_compression() {
    for (store, polarway, _folder) in engines().await {
        let sql =
            "SELECT range AS rowid, 'x' || range AS name, INTERVAL (range) SECOND AS time FROM range(200000)";
        let id = polarway.query_handle(sql).await.unwrap().handle.id.to_string();
        let all = lines(&polarway.load(&id).await.unwrap());
        assert_eq!(all.len(), 200_000, "{store}");
        for (first, end) in [(0, 200_000), (1, 3), (122_879, 122_881), (199_999, 200_000), (200_000, 200_000)]
        {
            let part = Selection::default().with_rows(first..end);
            let table = polarway.load_with(&id, part.clone()).await.unwrap();
            assert_eq!(lines(&table), all[first as usize..end as usize], "{store}");
            for compression in [Compression::None, Compression::Lz4, Compression::Zstd] {
                let chunks = polarway.load_chunks_with(&id, part.clone(), compression).await.unwrap();
                let (mut decoder, mut read) = (ChunkDecoder::new(DecodeLimits::trusting()), Vec::new());
                let chunks: Vec<_> = chunks.try_collect().await.unwrap();
                for chunk in chunks {
                    read.extend(decoder.decode(chunk.ipc).unwrap());
                }
                assert!(decoder.ended(), "{store}");
                let schema = Arc::clone(decoder.schema().unwrap());
                assert_eq!(schema, *table.schema(), "{store}");
                assert_eq!(lines(&Table::new(schema, read)), lines(&table), "{store}");
            }
        }
    }
}
