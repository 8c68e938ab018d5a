use futures::StreamExt;
use polarway_core::{ErrorKind, Polarway};

use crate::support::{engine, lines, trades};

async fn check(polarway: &Polarway, sql: &str, expected: &[&str]) {
    match polarway.query(sql).await {
        Ok(table) => assert_eq!(lines(&table), expected, "{sql}"),
        Err(error) => panic!("{sql}: {error}"),
    }
}

#[tokio::test]
async fn datasets_are_tables_under_their_names() {
    let (polarway, _folder) = engine().await;
    polarway.store("trades", trades(&[("BTC", 1), ("ETH", 2), ("BTC", 3)])).await.unwrap();
    polarway.store("limits.eu-west", trades(&[("BTC", 9)])).await.unwrap();
    check(&polarway, "SELECT symbol, sum(cents) FROM trades GROUP BY ALL ORDER BY ALL", &["BTC,4", "ETH,2"])
        .await;
    check(&polarway, "FROM TRADES WHERE cents > 2", &["BTC,3"]).await;
    let join = "SELECT t.cents, l.cents FROM trades t JOIN \"limits.eu-west\" l USING (symbol) ORDER BY 1";
    check(&polarway, join, &["1,9", "3,9"]).await;
}

#[tokio::test]
async fn versions_are_queried_side_by_side() {
    let (polarway, _folder) = engine().await;
    polarway.store("trades", trades(&[("BTC", 1)])).await.unwrap();
    polarway.append("trades", trades(&[("ETH", 2)])).await.unwrap();
    polarway.append("trades", trades(&[("SOL", 3)])).await.unwrap();
    check(&polarway, "SELECT count(*) FROM trades AT (VERSION => 2)", &["2"]).await;
    let added = "SELECT * FROM trades EXCEPT SELECT * FROM trades AT (VERSION => 1) ORDER BY ALL";
    check(&polarway, added, &["ETH,2", "SOL,3"]).await;
    let error = polarway.query("FROM trades AT (VERSION => 9)").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownVersion);
    assert!(error.to_string().contains("near it are 2, 3"), "{error}");
}

#[tokio::test]
async fn a_scan_of_the_cold_tier_reads_the_datasets_whose_names_fit() {
    let (polarway, folder) = engine().await;
    polarway.store("trades_1", trades(&[("BTC", 1)])).await.unwrap();
    polarway.store("trades_2", trades(&[("ETH", 2)])).await.unwrap();
    polarway.store("quotes_1", trades(&[("SOL", 3)])).await.unwrap();
    let cold = folder.path().join("cold");
    let cold = cold.display();
    for scan in [
        format!("parquet_scan('{cold}/trades_*.parquet')"),
        format!("read_parquet(['{cold}/trades_1.parquet', '{cold}/trades_2.parquet'])"),
        "parquet_scan('trades_*.parquet')".to_owned(),
    ] {
        check(&polarway, &format!("SELECT symbol FROM {scan} ORDER BY 1"), &["BTC", "ETH"]).await;
    }
    for (path, kind) in [
        (format!("{cold}/orders_*.parquet"), ErrorKind::UnknownDataset),
        ("/etc/passwd".to_owned(), ErrorKind::QueryNotAllowed),
        (format!("{cold}/../../etc/passwd"), ErrorKind::QueryNotAllowed),
    ] {
        let error = polarway.query(&format!("FROM parquet_scan('{path}')")).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{path}: {error}");
    }
}

#[tokio::test]
async fn plain_parquet_files_in_the_cold_tier_are_queried_without_storing_them() {
    let (polarway, folder) = engine().await;
    polarway.store("source", trades(&[("BTC", 1), ("ETH", 2)])).await.unwrap();
    let cold = folder.path().join("cold");
    let data = std::fs::read_dir(cold.join("source/_polarway/data")).unwrap().next().unwrap().unwrap().path();
    std::fs::create_dir_all(cold.join("parts/year=2024")).unwrap();
    std::fs::copy(&data, cold.join("single.parquet")).unwrap();
    std::fs::copy(&data, cold.join("parts/year=2024/x.parquet")).unwrap();
    check(&polarway, "SELECT symbol, cents FROM single ORDER BY ALL", &["BTC,1", "ETH,2"]).await;
    check(&polarway, "SELECT year, sum(cents) FROM parts GROUP BY year", &["2024,3"]).await;
    let scan = format!("SELECT count(*) FROM '{}/single.parquet'", cold.display());
    check(&polarway, &scan, &["2"]).await;
}

#[tokio::test]
async fn unknown_names_are_refused_with_the_nearest() {
    let (polarway, _folder) = engine().await;
    polarway.store("flights", trades(&[("BTC", 1)])).await.unwrap();
    let error = polarway.query("SELECT * FROM fligths").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownDataset);
    assert!(error.to_string().contains("flights"), "{error}");
}

#[tokio::test]
async fn a_query_that_may_not_or_can_not_is_told_apart() {
    let (polarway, _folder) = engine().await;
    polarway.store("trades", trades(&[("BTC", 1)])).await.unwrap();
    for (sql, kind) in [
        ("SELEC 1", ErrorKind::InvalidQuery),
        ("", ErrorKind::InvalidQuery),
        ("SELECT price FROM trades", ErrorKind::InvalidQuery),
        ("DROP TABLE trades", ErrorKind::QueryNotAllowed),
        ("SELECT 1; SELECT 2", ErrorKind::QueryNotAllowed),
        ("SELECT * FROM read_csv('/etc/passwd')", ErrorKind::QueryNotAllowed),
        ("SELECT getenv('HOME')", ErrorKind::QueryNotAllowed),
        ("SELECT symbol::INT FROM trades", ErrorKind::QueryFailed),
    ] {
        let error = polarway.query(sql).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{sql}: {error}");
    }
    check(&polarway, "SELECT 42", &["42"]).await;
}

#[tokio::test]
async fn a_result_is_streamed_and_dropping_it_ends_the_query() {
    let (polarway, _folder) = engine().await;
    let mut stream = polarway.query_stream("SELECT * FROM range(1000000000000)").await.unwrap();
    assert_eq!(stream.schema().field(0).name(), "range");
    assert!(stream.next().await.unwrap().unwrap().num_rows() > 0);
    drop(stream);
    check(&polarway, "SELECT 42", &["42"]).await;
}

#[tokio::test]
async fn a_query_reads_one_version_however_often_it_is_overwritten() {
    let (polarway, _folder) = engine().await;
    polarway.store("trades", trades(&[("OLD", 1); 100_000])).await.unwrap();
    let sql = "SELECT DISTINCT a.symbol FROM trades a, range(20) WHERE a.cents > 0";
    let (queried, ()) = tokio::join!(polarway.query(sql), async {
        for _ in 0..20 {
            polarway.store("trades", trades(&[("NEW", 1)])).await.unwrap();
        }
    });
    let seen = lines(&queried.unwrap());
    assert_eq!(seen.len(), 1, "a mixture: {seen:?}");
}
