//! What can be asked besides a SELECT, and tables of another database, through the network.

use polarway_client::{DistributedClient, Reason, Table};

use crate::support::{Server, numbers, refused, rows_of};

async fn setup() -> (Server, DistributedClient) {
    let server = Server::start();
    let client = server.client().await;
    client.store("flights", numbers(0..10)).await.unwrap();
    client.store("eu.trades", numbers(5..8)).await.unwrap();
    (server, client)
}

async fn ask(client: &DistributedClient, sql: &str) -> Table {
    client.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

#[tokio::test]
async fn explain_gives_a_plan_and_names_no_file() {
    let (server, client) = setup().await;
    let folder = server.folder().to_str().unwrap();
    for sql in [
        "EXPLAIN SELECT n FROM flights WHERE n > 1",
        "EXPLAIN ANALYZE SELECT f.n FROM flights f JOIN eu.trades USING (n)",
        "EXPLAIN (FORMAT json) SELECT n FROM flights",
    ] {
        let plan = ask(&client, sql).await;
        assert_eq!(plan.num_rows(), 1, "{sql}");
        let text = rows_of(&plan).join("\n");
        assert!(text.contains("PARQUET"), "{sql}: {text}");
        assert!(!text.contains(folder) && !text.contains(".parquet"), "{sql}: {text}");
    }
}

#[tokio::test]
async fn columns_and_statistics_of_datasets_and_queries_are_told() {
    let (_server, client) = setup().await;
    for (sql, expected) in [
        ("SELECT column_name, column_type FROM (DESCRIBE flights)", "n|BIGINT"),
        ("SELECT column_name, column_type FROM (DESCRIBE SELECT 1::DOUBLE AS half)", "half|DOUBLE"),
        ("SELECT min, max, count FROM (SUMMARIZE eu.trades)", "5|7|3"),
    ] {
        assert_eq!(rows_of(&ask(&client, sql).await), [expected], "{sql}");
    }
    assert!(rows_of(&ask(&client, "DESCRIBE flights").await)[0].starts_with("n|BIGINT|"));
    assert!(rows_of(&ask(&client, "SUMMARIZE flights").await)[0].starts_with("n|BIGINT|0|9|"));
    assert_eq!(refused(client.query("DESCRIBE flihgts").await).0, Reason::UnknownDataset);
}

#[tokio::test]
async fn lists_of_tables_are_the_datasets() {
    let (_server, client) = setup().await;
    for sql in [
        "SHOW TABLES",
        "SELECT name FROM (SHOW ALL TABLES) ORDER BY name",
        "SELECT table_name FROM information_schema.tables ORDER BY table_name",
    ] {
        assert_eq!(rows_of(&ask(&client, sql).await), ["eu.trades", "flights"], "{sql}");
    }
    let sql = "SELECT table_name, column_name, data_type FROM information_schema.columns ORDER BY ALL";
    assert_eq!(rows_of(&ask(&client, sql).await), ["eu.trades|n|BIGINT", "flights|n|BIGINT"]);
    // What is stored later is listed at once.
    client.store("airports", numbers(0..1)).await.unwrap();
    assert_eq!(rows_of(&ask(&client, "SHOW TABLES").await), ["airports", "eu.trades", "flights"]);
}

#[tokio::test]
async fn tables_of_a_duckdb_file_are_read_beside_the_datasets() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prices.duckdb");
    let made = duckdb::Connection::open(&file).unwrap();
    made.execute_batch("CREATE TABLE prices AS SELECT n, n * 2 AS price FROM range(5) t(n)").unwrap();
    made.close().unwrap();
    let server = Server::start_with(&["--duckdb-path", file.to_str().unwrap()]);
    let client = server.client().await;
    client.store("flights", numbers(3..10)).await.unwrap();
    let sql = "SELECT n, price FROM flights JOIN analytics.prices USING (n) ORDER BY n";
    assert_eq!(rows_of(&ask(&client, sql).await), ["3|6", "4|8"]);
    let (reason, said) = refused(client.query("FROM analytics.price").await);
    assert_eq!(reason, Reason::UnknownDataset, "{said}");
    assert!(said.contains("analytics.prices"), "{said}");
    for sql in ["INSERT INTO analytics.prices VALUES (1, 2)", "DROP TABLE analytics.prices"] {
        assert_eq!(refused(client.query(sql).await).0, Reason::QueryNotAllowed, "{sql}");
    }
}

#[tokio::test]
async fn without_a_duckdb_file_a_query_for_its_tables_is_told_so() {
    let (_server, client) = setup().await;
    let (_, said) = refused(client.query("FROM analytics.prices").await);
    assert!(said.contains("no analytics database"), "{said}");
}
