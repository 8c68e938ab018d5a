use futures::{StreamExt, TryStreamExt};
use polarway_core::arrow::array::RecordBatch;
use polarway_core::{At, Compression, ErrorKind, LoadOptions, Selection};

use crate::support::{engine, lines, trades};

#[tokio::test]
async fn an_older_version_is_loaded_by_its_number() {
    let (polarway, _folder) = engine().await;
    polarway.store("trades", trades(&[("BTC", 1)])).await.unwrap();
    polarway.store("trades", trades(&[("ETH", 2)])).await.unwrap();
    assert_eq!(lines(&polarway.load_at("trades", At::Version(1)).await.unwrap()), ["BTC,1"]);
    let error = polarway.load_at("trades", At::Version(3)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownVersion);
    assert!(error.to_string().ends_with("near it are 1, 2"), "{error}");
}

#[tokio::test]
async fn a_stream_gives_all_rows_in_order_and_one_version() {
    let (polarway, _folder) = engine().await;
    let batch = trades(&[("BTC", 1); 200_000]);
    polarway.store("trades", &batch).await.unwrap();
    let stream = polarway.load_stream("trades", At::Newest).await.unwrap();
    assert_eq!((stream.version(), stream.rows()), (1, 200_000));
    polarway.store("trades", trades(&[("ETH", 2)])).await.unwrap();
    let batches: Vec<RecordBatch> = stream.try_collect().await.unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 200_000);
}

#[tokio::test]
async fn a_second_load_comes_from_the_cache() {
    let (polarway, _folder) = engine().await;
    polarway.store("trades", trades(&[("BTC", 1)])).await.unwrap();
    assert_eq!(polarway.cache_stats().unwrap().hit_rate(), 0.0);
    for _ in 0..4 {
        polarway.load("trades").await.unwrap();
    }
    let stats = polarway.cache_stats().unwrap();
    assert_eq!((stats.hits, stats.misses, stats.hit_rate()), (3, 1, 0.75));
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_can_be_asked_for_on_a_runtime_of_many_threads() {
    let (polarway, _folder) = engine().await;
    polarway.store("trades", trades(&[("BTC", 1), ("ETH", 2)])).await.unwrap();
    for _ in 0..3 {
        let chunks = polarway.load_chunks("trades", At::Newest, 0, Compression::None).await.unwrap();
        let rows: Vec<u64> = chunks.map(|chunk| chunk.unwrap().rows).collect().await;
        assert_eq!(rows.iter().sum::<u64>(), 2);
    }
    let unknown = polarway.load_chunks("trade", At::Newest, 0, Compression::None).await.err().unwrap();
    assert_eq!(unknown.kind(), ErrorKind::UnknownDataset);
}

#[tokio::test]
async fn chunks_can_be_asked_for_from_any_row_on() {
    let (polarway, _folder) = engine().await;
    polarway.store("trades", trades(&[("BTC", 1), ("ETH", 2), ("SOL", 3)])).await.unwrap();
    for first_row in 0..=3 {
        let mut chunks =
            polarway.load_chunks("trades", At::Newest, first_row, Compression::None).await.unwrap();
        let mut rows = first_row;
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.unwrap();
            assert_eq!(chunk.first_row, rows);
            rows += chunk.rows;
        }
        assert_eq!(rows, 3);
    }
    let behind = polarway.load_chunks("trades", At::Newest, 4, Compression::None).await;
    assert_eq!(behind.err().unwrap().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_description_tells_columns_rows_and_sizes() {
    let (polarway, _folder) = engine().await;
    let batch = trades(&[("BTC", 1), ("ETH", 2)]);
    polarway.store("trades", &batch).await.unwrap();
    let described = polarway.describe("trades").await.unwrap();
    assert_eq!((described.version, described.rows, described.files), (1, 2, 1));
    assert_eq!(described.schema, batch.schema());
    assert!(described.bytes > 0 && described.arrow_bytes > 0);
}

#[tokio::test]
async fn some_columns_and_rows_of_a_dataset_or_a_handle_are_loaded_alone() {
    let (polarway, _folder) = engine().await;
    polarway.store("trades", trades(&[("BTC", 1), ("ETH", 2), ("SOL", 3)])).await.unwrap();
    polarway.append("trades", trades(&[("BTC", 4)])).await.unwrap();
    let kept = polarway.query_handle("FROM trades ORDER BY cents").await.unwrap();
    let all = Selection::default();
    for name in ["trades", &kept.handle.id.to_string()] {
        let load = async |selection: Selection| lines(&polarway.load_with(name, selection).await.unwrap());
        let names = all.clone().with_columns(["cents", "symbol"]);
        assert_eq!(load(names.clone()).await, ["1,BTC", "2,ETH", "3,SOL", "4,BTC"]);
        assert_eq!(load(names.clone().with_rows(1..3)).await, ["2,ETH", "3,SOL"]);
        assert_eq!(load(all.clone().with_columns(["symbol"]).with_rows(3..99)).await, ["BTC"]);
        assert_eq!(load(all.clone().with_rows(..1)).await, ["BTC,1"]);
        assert_eq!(load(all.clone().with_rows(2..)).await, ["SOL,3", "BTC,4"]);
        assert!(load(names.clone().with_rows(4..)).await.is_empty());
        let stream = polarway.load_stream_with(name, names.clone().with_rows(1..2)).await.unwrap();
        assert_eq!((stream.rows(), stream.schema().field(0).name().as_str()), (4, "cents"));
        let rows: Vec<RecordBatch> = stream.try_collect().await.unwrap();
        assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);

        for compression in [Compression::None, Compression::Lz4] {
            let options = LoadOptions::from(names.clone().with_rows(1..3));
            let mut chunks = polarway.load_chunks_with(name, options, compression).await.unwrap();
            let mut next_row = 1;
            while let Some(chunk) = chunks.next().await {
                let chunk = chunk.unwrap();
                assert_eq!(chunk.first_row, next_row, "{name}");
                next_row += chunk.rows;
            }
            assert_eq!(next_row, 3, "{name}");
        }

        let refused = async |selection: Selection| polarway.load_with(name, selection).await.unwrap_err();
        let error = refused(all.clone().with_columns(["symbl"])).await;
        assert_eq!(error.kind(), ErrorKind::UnknownColumn);
        assert!(error.to_string().contains("\"symbl\"; near it: symbol"), "{error}");
        for wrong in [
            all.clone().with_columns(["cents", "cents"]),
            all.clone().with_columns([""; 0]),
            all.clone().with_rows(5..),
            Selection { first_row: 2, end_row: Some(1), ..all.clone() },
        ] {
            assert_eq!(refused(wrong).await.kind(), ErrorKind::InvalidInput, "{name}");
        }
    }
    let older = LoadOptions { at: At::Version(1), selection: all.with_columns(["cents"]).with_rows(1..) };
    assert_eq!(lines(&polarway.load_with("trades", older).await.unwrap()), ["2", "3"]);
}
