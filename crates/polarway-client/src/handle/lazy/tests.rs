use std::sync::Arc;
use std::time::Duration;

use arrow_schema::{DataType, Field, Schema};

use super::*;
use crate::connection::Workers;
use crate::handle::HandleInfo;

/// A handle of these columns, at a server that nobody asks.
pub(in crate::handle) fn handle(columns: &[&str]) -> Handle {
    let workers = Workers::new(vec!["http://localhost:1".parse().unwrap()], None);
    let client = DistributedClient::new(Arc::new(workers), Duration::from_secs(1));
    let fields: Vec<Field> = columns.iter().map(|name| Field::new(*name, DataType::Int64, true)).collect();
    let info = HandleInfo {
        id: "h_0".to_owned(),
        schema: Arc::new(Schema::new(fields)),
        rows: 3,
        bytes: 24,
        created_us: 0,
        expires_us: 1,
        ttl: Duration::from_secs(1),
    };
    Handle::new(&client, info, false)
}

fn flights() -> LazyQuery {
    handle(&["carrier", "dep_delay", "n"]).lazy()
}

/// What stands behind the first step.
#[track_caller]
fn check(query: Result<LazyQuery>, select: &str) {
    let query = query.unwrap();
    let expect = format!("WITH self AS NOT MATERIALIZED (\nFROM \"h_0\"\n)\n{select}");
    assert_eq!(query.to_sql(), expect);
}

#[track_caller]
fn refused(query: Result<LazyQuery>, part: &str) {
    let error = query.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Expression);
    assert!(error.to_string().contains(part), "{error}");
}

#[tokio::test]
async fn each_step_reads_what_was_before_as_self() {
    let flights = flights();
    check(flights.filter("dep_delay > 60"), "SELECT * FROM self WHERE (dep_delay > 60)");
    check(
        flights.select(["carrier", "dep_delay / 60 AS hours"]),
        "SELECT (carrier), (dep_delay / 60) AS \"hours\" FROM self",
    );
    check(
        flights.group_by(["carrier", "n // 10 AS ten"]).agg(["count(*) AS n"]),
        "SELECT (carrier), (n // 10) AS \"ten\", (count(*)) AS \"n\" FROM self GROUP BY 1, 2",
    );
    check(flights.sort(["n DESC", "carrier"]), "SELECT * FROM self ORDER BY (n) DESC, (carrier)");
    check(Ok(flights.limit(3)), "SELECT * FROM self LIMIT 3");
    check(Ok(flights.distinct()), "SELECT DISTINCT * FROM self");
    check(flights.sql("SELECT n FROM self -- all;\n;"), "SELECT * FROM (\nSELECT n FROM self\n)");
    let two = flights.filter("n > 1").unwrap().limit(3);
    assert_eq!(
        two.to_sql(),
        "WITH self AS NOT MATERIALIZED (\nWITH self AS NOT MATERIALIZED (\nFROM \"h_0\"\n)\n\
         SELECT * FROM self WHERE (n > 1)\n)\nSELECT * FROM self LIMIT 3"
    );
}

#[tokio::test]
async fn a_column_takes_the_place_of_one_of_its_name_and_others_come_behind() {
    let flights = flights();
    check(
        flights.with_columns(["n + 1 AS N", "n * 2 AS double"]),
        "SELECT * REPLACE ((n + 1) AS \"N\"), (n * 2) AS \"double\" FROM self",
    );
    check(flights.with_columns(["1 AS one"]), "SELECT *, (1) AS \"one\" FROM self");
    check(flights.with_columns(["1 AS n"]), "SELECT * REPLACE ((1) AS \"n\") FROM self");
}

#[tokio::test]
async fn columns_are_known_through_steps_that_tell_them() {
    let flights = flights();
    let other = handle(&["carrier", "name"]);
    for (query, columns) in [
        (flights.filter("true"), Some(vec!["carrier", "dep_delay", "n"])),
        (flights.with_columns(["1 AS x", "2 AS N"]), Some(vec!["carrier", "dep_delay", "n", "x"])),
        (flights.select(["n", "*"]), None),
        (flights.select(["n AS m", "*"]), Some(vec!["m", "carrier", "dep_delay", "n"])),
        (flights.select(["n + 1"]), None),
        (flights.group_by(["n"]).agg(["count(*) AS c"]), Some(vec!["n", "c"])),
        (flights.group_by(["n"]).agg(["count(*)"]), None),
        (flights.join(&other, JoinHow::Left, ["carrier"]), Some(vec!["carrier", "dep_delay", "n", "name"])),
        (flights.join(&other, JoinHow::Left, ["n"]), None),
        (flights.join("airlines", JoinHow::Left, ["carrier"]), None),
        (flights.join("airlines", JoinHow::Semi, ["carrier"]), Some(vec!["carrier", "dep_delay", "n"])),
        (flights.sql("FROM self"), None),
    ] {
        let query = query.unwrap();
        let expect = columns.map(|names| names.into_iter().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(query.columns, expect, "{}", query.to_sql());
    }
    let unknown = flights.sql("FROM self").unwrap().with_columns(["1 AS \"It's\""]).unwrap();
    let last = unknown.to_sql().lines().last().unwrap();
    assert_eq!(last, "SELECT COLUMNS(lambda name: lower(name) NOT IN ('it''s')), (1) AS \"It's\" FROM self");
}

#[tokio::test]
async fn the_right_of_a_join_is_a_handle_a_query_or_a_dataset() {
    let flights = flights();
    let other = handle(&["carrier"]);
    check(
        flights.join(&other, JoinHow::Anti, ["carrier", "a \"b\""]),
        "SELECT * FROM (SELECT * FROM self ANTI JOIN \"h_0\" USING (\"carrier\", \"a \"\"b\"\"\"))",
    );
    check(
        flights.join("eu.airlines", JoinHow::Full, ["carrier"]),
        "SELECT * FROM (SELECT * FROM self FULL JOIN \"eu.airlines\" USING (\"carrier\"))",
    );
    check(
        flights.join("Self", JoinHow::Inner, ["carrier"]),
        "SELECT * FROM (SELECT * FROM self INNER JOIN main.\"Self\" USING (\"carrier\"))",
    );
    check(
        flights.join(other.lazy().limit(1), JoinHow::Right, ["carrier"]),
        "SELECT * FROM (SELECT * FROM self RIGHT JOIN (\nWITH self AS NOT MATERIALIZED (\nFROM \"h_0\"\n)\n\
         SELECT * FROM self LIMIT 1\n) AS other USING (\"carrier\"))",
    );
    assert_eq!(flights.join(&other, JoinHow::Left, ["carrier"]).unwrap().handles.len(), 2);
}

#[tokio::test]
async fn what_is_no_expression_or_missing_is_refused_before_anything_is_sent() {
    let flights = flights();
    let none: [&str; 0] = [];
    refused(flights.filter("true) OR (true"), "`)`");
    refused(flights.filter("n AS m"), "AS");
    refused(flights.select(none), "columns to select");
    refused(flights.select(["n", "n; DROP"]), "\"n; DROP\"");
    refused(flights.with_columns(none), "columns to add");
    refused(flights.with_columns(["n + 1"]), "AS name");
    refused(flights.with_columns(["1 AS a", "2 AS A"]), "\"A\"");
    refused(flights.sort(none), "sort by");
    refused(flights.sort(["n DESC, m"]), "`,`");
    refused(flights.group_by(none).agg(["count(*)"]), "keys");
    refused(flights.group_by(["*"]).agg(none), "*");
    refused(flights.group_by(["n"]).agg(["count(*"]), "`)`");
    refused(flights.join("t", JoinHow::Inner, none), "join on");
    refused(flights.join("t", JoinHow::Inner, ["a\0"]), "join on");
    refused(flights.join("t\0", JoinHow::Inner, ["a"]), "NUL");
    refused(flights.sql("SELECT 1) FROM (SELECT 2"), "`)`");
}
