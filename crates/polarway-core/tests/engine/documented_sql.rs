//! The statements of the page on SQL do what the page says.

use std::path::Path;

use polarway_core::{Config, ErrorKind, Polarway};
use tempfile::TempDir;

const PAGE: &str = include_str!("../../../../docs/sql.md");

/// Statements of the fenced blocks that begin with this line.
fn statements(fence: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut statement = None;
    for line in PAGE.lines() {
        match (&mut statement, line) {
            (None, line) if line == fence => statement = Some(String::new()),
            (Some(_), "```") => statement = None,
            (Some(text), line) => {
                text.push_str(line);
                text.push('\n');
                let without_comment = line.split("--").next().unwrap_or_default().trim_end();
                if without_comment.ends_with(';') {
                    statements.push(std::mem::take(text));
                }
            }
            (None, _) => {}
        }
    }
    statements
}

/// The tables that the page is about, in a cold tier at a place of its own.
async fn engine() -> (Polarway, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/data/nycflights13");
    let source =
        Polarway::open(Config::new(dir.path().join("source")).with_cold_tier(examples)).await.unwrap();
    duckdb::Connection::open(dir.path().join("analytics.duckdb"))
        .unwrap()
        .execute_batch("CREATE TABLE carriers AS SELECT 'UA' AS carrier, 'Star Alliance' AS alliance")
        .unwrap();
    let polarway = Polarway::open(Config::new(dir.path())).await.unwrap();
    for name in ["flights", "airlines", "airports", "planes", "weather"] {
        polarway.store(name, source.load(name).await.unwrap()).await.unwrap();
    }
    polarway.store("eu.airports", source.load("airports").await.unwrap()).await.unwrap();
    polarway.append("flights", source.load("flights").await.unwrap().slice(0, 1)).await.unwrap();
    (polarway, dir)
}

#[tokio::test]
async fn every_statement_of_the_page_is_answered() {
    let (polarway, dir) = engine().await;
    let cold = dir.path().join("cold");
    let statements = statements("```sql");
    assert!(statements.len() > 25, "{}", statements.len());
    for statement in statements {
        let sql = statement.replace("/data/cold", cold.to_str().unwrap());
        let answer = polarway.query(&sql).await.unwrap_or_else(|error| panic!("{sql}\n{error}"));
        assert!(answer.num_rows() > 0, "{sql}");
    }
}

#[tokio::test]
async fn every_statement_that_the_page_calls_refused_is_refused() {
    let (polarway, _dir) = engine().await;
    let statements = statements("```sql refused");
    assert!(statements.len() > 5, "{}", statements.len());
    for sql in statements {
        let error = polarway.query(&sql).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::QueryNotAllowed, "{sql}\n{error}");
    }
}
