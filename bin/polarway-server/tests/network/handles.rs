//! Results that stay on the server: how they are made, used, continued and dropped.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use polarway_client::{
    DistributedClient, ErrorKind, Handle, HandleOptions, JoinHow, QueryOptions, Reason, Table, params,
};
use polarway_testing::{Noise, is_long};

use crate::cuts::bytes_of;
use crate::support::{
    Break, ENDLESS_SUM, Proxy, Server, all_ended, client_of, numbers, refused, rows_of, same, sum_of, until,
    wide,
};

const ROWS: i64 = 40_000;

fn living_for(ttl: Duration) -> HandleOptions {
    HandleOptions { ttl: Some(ttl), ..HandleOptions::default() }
}

fn resumable() -> QueryOptions {
    QueryOptions { resumable: true, ..QueryOptions::default() }
}

async fn ids(client: &DistributedClient) -> Vec<String> {
    client.handles().await.unwrap().into_iter().map(|handle| handle.id.to_string()).collect()
}

/// Waits until the server has no handles any more: what drops them does not wait.
async fn none_left(client: &DistributedClient) {
    until("the end of all handles", async || ids(client).await.is_empty().then_some(())).await;
}

/// The names and types of the columns, and the rows.
fn content(table: &Table) -> (Vec<String>, Vec<String>) {
    let fields = table.schema().fields().iter();
    (fields.map(|field| format!("{} {}", field.name(), field.data_type())).collect(), rows_of(table))
}

#[tokio::test]
async fn a_kept_result_is_loaded_streamed_and_named_in_sql() {
    let server = Server::start();
    let client = server.client().await;
    client.store("flights", wide(ROWS, 1)).await.unwrap();
    let sql = "SELECT n, name FROM flights WHERE n % 2 = 0 ORDER BY n";
    let expected = client.query(sql).await.unwrap();
    let handle = client.query_handle(sql).await.unwrap();
    assert!(handle.id().starts_with("h_") && handle.id().len() == 28, "{}", handle.id());
    assert_eq!(handle.rows(), ROWS as u64 / 2);
    assert!(handle.bytes() >= 8 * handle.rows(), "{}", handle.bytes());
    assert_eq!(handle.schema().field(1).name(), "name");
    assert_eq!(handle.ttl(), Duration::from_secs(30 * 60));
    assert!(handle.expires_us() >= handle.created_us() + 30 * 60 * 1_000_000, "{:?}", handle.info());

    assert!(same(&handle.load().await.unwrap(), &expected));
    assert!(same(&client.load(handle.id()).await.unwrap(), &expected));
    let stream = handle.load_stream().await.unwrap();
    assert_eq!((stream.rows(), stream.schema().fields().len()), (handle.rows(), 2));
    let batches = stream.try_collect::<Vec<_>>().await.unwrap();
    assert!(same(&Table::new(batches[0].schema(), batches), &expected));
    let sum = format!("SELECT sum(f.n)::BIGINT FROM {} h JOIN flights f USING (n)", handle.id());
    assert_eq!(sum_of(&client.query(&sum).await.unwrap()), (0..ROWS).step_by(2).sum::<i64>());

    // It is what it was, whatever becomes of its tables.
    client.delete("flights").await.unwrap();
    assert!(same(&handle.load().await.unwrap(), &expected));
}

#[tokio::test]
async fn a_result_without_rows_is_kept_with_its_columns() {
    let server = Server::start();
    let client = server.client().await;
    let handle = client.query_handle("SELECT 1 AS a, 'x' AS b WHERE false").await.unwrap();
    assert_eq!((handle.rows(), handle.schema().fields().len()), (0, 2));
    assert_eq!(handle.load().await.unwrap().num_rows(), 0);
    assert_eq!(handle.select(["count(*) AS n"]).await.unwrap().rows(), 1);
}

#[tokio::test]
async fn values_of_parameters_and_a_time_to_live_go_with_the_query() {
    let server = Server::start();
    let client = server.client().await;
    let handle = client.query_handle_with("SELECT $a + 1 AS n", params![a = 41]).await.unwrap();
    assert_eq!(rows_of(&handle.load().await.unwrap()), ["42"]);
    let handle = client.query_handle_with("SELECT 1", living_for(Duration::from_secs(77))).await.unwrap();
    assert_eq!(handle.ttl(), Duration::from_secs(77));
    assert_eq!(refused(client.query_handle("SELECT $a").await).0, Reason::InvalidQuery);
}

#[tokio::test]
async fn what_fails_keeps_nothing() {
    let server = Server::start();
    let client = server.client().await;
    assert_eq!(refused(client.query_handle("FROM nobody").await).0, Reason::UnknownDataset);
    assert_eq!(refused(client.query_handle("SELEC 1").await).0, Reason::InvalidQuery);
    refused(client.query_handle("EXPLAIN SELECT 1").await);
    let failing = "SELECT CAST(range || 'x' AS INT) FROM range(10)";
    assert_eq!(refused(client.query_handle(failing).await).0, Reason::QueryFailed);
    let soon = HandleOptions { time: Some(Duration::from_secs(1)), ..HandleOptions::default() };
    assert_eq!(refused(client.query_handle_with(ENDLESS_SUM, soon).await).0, Reason::DeadlineExceeded);
    all_ended(&client).await;
    assert!(ids(&client).await.is_empty());
}

#[tokio::test]
async fn handles_are_listed_and_found_by_their_ids() {
    let server = Server::start();
    let client = server.client().await;
    assert!(client.handles().await.unwrap().is_empty());
    let mut made = Vec::new();
    for n in 0..5 {
        made.push(client.query_handle(&format!("FROM range({n})")).await.unwrap());
    }
    let mut expected: Vec<String> = made.iter().map(|handle| handle.id().to_owned()).collect();
    expected.sort_unstable();
    assert_eq!(ids(&client).await, expected);
    for handle in &made {
        let found = client.handle(handle.id()).await.unwrap();
        assert_eq!(
            (found.rows(), found.schema(), found.created_us()),
            (handle.rows(), handle.schema(), handle.created_us())
        );
    }
}

#[tokio::test]
async fn more_time_is_given_when_it_is_asked_for() {
    let server = Server::start();
    let client = server.client().await;
    let handle = client.query_handle_with("SELECT 1", living_for(Duration::from_secs(60))).await.unwrap();
    let before = handle.expires_us();
    handle.extend(Some(Duration::from_secs(600))).await.unwrap();
    assert_eq!(handle.ttl(), Duration::from_secs(600));
    assert!(handle.expires_us() >= before + 500_000_000, "{} after {before}", handle.expires_us());
    let info = client.extend_handle(handle.id(), None).await.unwrap();
    assert_eq!(info.ttl, Duration::from_secs(600));
    assert!(info.expires_us >= handle.expires_us());
}

#[tokio::test]
async fn what_is_gone_says_why() {
    let server = Server::start();
    let client = server.client().await;
    let short = client.query_handle_with("SELECT 1", living_for(Duration::from_millis(50))).await.unwrap();
    short.keep();
    // Asking for a handle does not count as using it.
    until("the end of its time", async || client.handle(short.id()).await.err().map(drop)).await;
    let dropped = client.query_handle("SELECT 1").await.unwrap();
    client.drop_handle(dropped.id()).await.unwrap();
    client.drop_handle(dropped.id()).await.unwrap();
    for (id, expected) in [(short.id(), Reason::HandleExpired), (dropped.id(), Reason::HandleDropped)] {
        assert_eq!(refused(client.handle(id).await).0, expected);
        assert_eq!(refused(client.load(id).await).0, expected);
        assert_eq!(refused(client.extend_handle(id, None).await).0, expected);
        let (reason, said) = refused(client.query(&format!("FROM {id}")).await);
        assert_eq!(reason, expected);
        assert!(said.contains(id), "{said}");
    }
    assert!(ids(&client).await.is_empty());
}

#[tokio::test]
async fn an_id_that_nobody_was_given_is_unknown_and_other_text_is_no_id() {
    let server = Server::start();
    let client = server.client().await;
    let handle = client.query_handle("SELECT 1").await.unwrap();
    // Of the same characters, one changed.
    let id = handle.id();
    let other = id[2..].chars().find(|other| Some(*other) != id.chars().nth(5)).unwrap();
    let unknown = format!("{}{other}{}", &id[..5], &id[6..]);
    assert_eq!(refused(client.handle(&unknown).await).0, Reason::UnknownHandle);
    assert_eq!(refused(client.load(&unknown).await).0, Reason::UnknownHandle);
    assert_eq!(refused(client.query(&format!("FROM {unknown}")).await).0, Reason::UnknownHandle);
    assert_eq!(refused(client.extend_handle(&unknown, None).await).0, Reason::UnknownHandle);
    let longer = format!("{id}0");
    for text in ["", "h_", "nonsense", "flights", "h_!", "../h_0", &longer, &id[..27], "h_'; DROP TABLE x"] {
        assert_eq!(refused(client.handle(text).await).0, Reason::InvalidHandle, "{text:?}");
        assert_eq!(refused(client.drop_handle(text).await).0, Reason::InvalidHandle, "{text:?}");
        assert_eq!(refused(client.extend_handle(text, None).await).0, Reason::InvalidHandle, "{text:?}");
    }
    assert_eq!(ids(&client).await, [id]);
}

#[tokio::test]
async fn the_last_clone_of_a_handle_takes_the_servers_with_it() {
    let server = Server::start();
    let client = server.client().await;
    let handle = client.query_handle("SELECT 1").await.unwrap();
    let clone = handle.clone();
    drop(handle);
    assert_eq!(rows_of(&clone.load().await.unwrap()), ["1"]);
    // A stream reads on though it holds the last clone of its handle.
    let stream = client.query_handle("FROM range(300000)").await.unwrap().load_stream().await.unwrap();
    assert_eq!(ids(&client).await.len(), 2);
    assert_eq!(
        stream.try_collect::<Vec<_>>().await.unwrap().iter().map(|batch| batch.num_rows()).sum::<usize>(),
        300_000
    );
    // A handle that another client has made is not dropped with this one.
    let id = clone.id().to_owned();
    drop(client.handle(&id).await.unwrap());
    assert_eq!(rows_of(&client.load(&id).await.unwrap()), ["1"]);
    drop(clone);
    none_left(&client).await;
    assert_eq!(refused(client.handle(&id).await).0, Reason::HandleDropped);
}

#[tokio::test]
async fn a_handle_is_discarded_at_once_or_kept_when_told() {
    let server = Server::start();
    let client = server.client().await;
    let handle = client.query_handle("SELECT 1").await.unwrap();
    handle.discard().await.unwrap();
    assert!(ids(&client).await.is_empty());
    let handle = client.query_handle("SELECT 2").await.unwrap();
    let id = handle.id().to_owned();
    handle.keep();
    drop(handle);
    // A later one is gone, so this one would be.
    drop(client.query_handle("SELECT 3").await.unwrap());
    until("the end of the other", async || (ids(&client).await == [id.as_str()]).then_some(())).await;
    assert_eq!(rows_of(&client.load(&id).await.unwrap()), ["2"]);
}

#[tokio::test]
async fn a_handle_may_be_dropped_where_no_runtime_is() {
    let server = Server::start();
    let client = server.client().await;
    let handle = client.query_handle("SELECT 1").await.unwrap();
    std::thread::spawn(move || drop(handle)).join().unwrap();
    none_left(&client).await;
}

/// A handle over all of a table `t`, and one over `names`, a part of it under other names.
async fn two_handles(client: &DistributedClient) -> (Handle, Handle) {
    client.store("t", wide(1000, 1)).await.unwrap();
    let names = "SELECT n, name, n * 2 AS twice FROM t WHERE n % 3 = 0 UNION ALL SELECT 5000, 'none', 0";
    client.store("names", client.query(names).await.unwrap()).await.unwrap();
    let all = client.query_handle("FROM t").await.unwrap();
    (all, client.query_handle("FROM names").await.unwrap())
}

#[tokio::test]
async fn follow_ups_give_what_plain_sql_gives() {
    let server = Server::start();
    let client = server.client().await;
    let (all, names) = two_handles(&client).await;
    for (handle, sql) in [
        (all.filter("n % 7 = 3 OR name IS NULL").await, "FROM t WHERE n % 7 = 3 OR name IS NULL"),
        (all.filter("n = (SELECT max(n) FROM self)").await, "FROM t WHERE n = 999"),
        (all.select(["name", "n / 2 AS half", "a"]).await, "SELECT name, n / 2 AS half, a FROM t"),
        (all.select(["* EXCLUDE (a)", "n + 1"]).await, "SELECT * EXCLUDE (a), n + 1 FROM t"),
        (all.select(["count(*) AS n", "max(n)"]).await, "SELECT count(*) AS n, max(n) FROM t"),
        (
            all.with_columns(["n + a AS b", "n::VARCHAR AS N", "1 AS one"]).await,
            "SELECT n::VARCHAR AS N, a, n + a AS b, c, name, 1 AS one FROM t",
        ),
        (all.sort(["n % 5 DESC", "n"]).await, "FROM t ORDER BY n % 5 DESC, n"),
        (all.sort(["name NULLS FIRST", "n"]).await, "FROM t ORDER BY name NULLS FIRST, n"),
        (all.limit(7).await, "FROM t ORDER BY n LIMIT 7"),
        (all.sql("SELECT max(n) AS most FROM self -- all;\n;").await, "SELECT max(n) AS most FROM t"),
        (
            all.sql("WITH x AS (FROM self LIMIT 5) SELECT n FROM x ORDER BY n DESC").await,
            "SELECT n FROM t WHERE n < 5 ORDER BY n DESC",
        ),
    ] {
        let handle = handle.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let expected = client.query(sql).await.unwrap();
        assert_eq!(content(&handle.load().await.unwrap()), content(&expected), "{sql}");
    }
    // Those that have no order of their own.
    let names_and_n = ["n", "name"];
    for (handle, sql) in [
        (
            all.group_by(["n % 3 AS rest"]).agg(["count(*) AS n"]).await,
            "SELECT n % 3 AS rest, count(*) AS n FROM t GROUP BY 1",
        ),
        (
            all.group_by(["n % 3 AS a", "name IS NULL"]).agg(Vec::<&str>::new()).await,
            "SELECT DISTINCT n % 3 AS a, name IS NULL FROM t",
        ),
        (
            all.select(["n % 3 AS rest"]).await.unwrap().distinct().await,
            "SELECT DISTINCT n % 3 AS rest FROM t",
        ),
        (all.join(&names, JoinHow::Inner, ["n"]).await, "FROM (FROM t JOIN names USING (n))"),
        (
            all.join("names", JoinHow::Left, names_and_n).await,
            "FROM (FROM t LEFT JOIN names USING (n, name))",
        ),
        (all.join(&names, JoinHow::Right, ["n"]).await, "FROM (FROM t RIGHT JOIN names USING (n))"),
        (all.join(&names, JoinHow::Full, ["n"]).await, "FROM (FROM t FULL JOIN names USING (n))"),
        (all.join(names.lazy().limit(10), JoinHow::Semi, ["n"]).await, "FROM t WHERE n < 30 AND n % 3 = 0"),
        (all.join(&names, JoinHow::Anti, ["n"]).await, "FROM t WHERE n % 3 > 0"),
    ] {
        let handle = handle.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let expected = client.query(&format!("FROM ({sql}) ORDER BY ALL")).await.unwrap();
        let found = client.query(&format!("FROM {} ORDER BY ALL", handle.id())).await.unwrap();
        assert_eq!(content(&found), content(&expected), "{sql}");
    }
}

#[tokio::test]
async fn lazy_follow_ups_are_one_query_and_give_the_same() {
    let server = Server::start();
    let client = server.client().await;
    let (all, names) = two_handles(&client).await;
    let query = all
        .lazy()
        .filter("n >= $least")
        .unwrap()
        .join(&names, JoinHow::Left, ["n"])
        .unwrap()
        .with_columns(["coalesce(twice, -1) AS twice"])
        .unwrap()
        .group_by(["twice < 0 AS has_none"])
        .agg(["count(*) AS rows", "max(n) AS most"])
        .unwrap()
        .sort(["rows"])
        .unwrap();
    let expected =
        "SELECT twice IS NULL AS has_none, count(*) AS rows, max(n) AS most FROM t LEFT JOIN names USING (n)
                    WHERE n >= 100 GROUP BY 1 ORDER BY rows";
    let expected = content(&client.query(expected).await.unwrap());
    let before = ids(&client).await;
    // What it is made of must live until it has run.
    drop((all, names));
    assert_eq!(content(&query.collect_with(params![least = 100]).await.unwrap()), expected);
    assert_eq!(content(&client.query_with(query.to_sql(), params![least = 100]).await.unwrap()), expected);
    assert_eq!(ids(&client).await, before);
    let kept = query.collect_handle_with(params![least = 100]).await.unwrap();
    assert_eq!(content(&kept.load().await.unwrap()), expected);
    drop((query, kept));
    none_left(&client).await;
}

#[tokio::test]
async fn a_long_chain_of_steps_is_still_one_query() {
    let server = Server::start();
    let client = server.client().await;
    let mut query = client.query_handle("FROM range(1000) t(n)").await.unwrap().lazy();
    for n in 0..40 {
        query = query.filter(&format!("n <> {n}")).unwrap();
    }
    assert_eq!(query.collect().await.unwrap().num_rows(), 960);
}

#[tokio::test]
async fn a_column_is_replaced_at_the_end_where_the_columns_are_not_known() {
    let server = Server::start();
    let client = server.client().await;
    let (all, _) = two_handles(&client).await;
    let query =
        all.lazy().sql("SELECT n, a, b FROM self").unwrap().with_columns(["a * 0 AS A", "1 AS x"]).unwrap();
    let expected = client.query("SELECT n, b, a * 0 AS A, 1 AS x FROM t").await.unwrap();
    assert_eq!(content(&query.collect().await.unwrap()), content(&expected));
}

#[tokio::test]
async fn an_expression_stays_in_its_place_or_is_not_sent() {
    let server = Server::start();
    let client = server.client().await;
    let handle = client.query_handle("SELECT 1 AS n, 'a' AS s").await.unwrap();
    for condition in [
        "s = ') FROM nobody --' OR n = 1",
        r"E'it\'s; ) ' <> s",
        "$$ ) ; ' /* $$ <> s",
        "$x$ $$ ) $x$ <> \"s\"",
        "n IS DISTINCT FROM 2",
        "CASE WHEN n = 1 THEN extract(year FROM DATE '2013-01-01') = 2013 END",
        "{'a': [n]}.a[1] = 1",
        "n IN (SELECT n FROM self ORDER BY n LIMIT 1)",
    ] {
        let filtered = handle.filter(condition).await;
        assert_eq!(filtered.unwrap_or_else(|error| panic!("{condition}: {error}")).rows(), 1, "{condition}");
    }
    for condition in ["true) OR (true", "1e'\\') OR (true", "true; FROM nobody", "true --", "", "n = 1, true"]
    {
        let error = handle.filter(condition).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Expression, "{condition}: {error}");
    }
    // What is no expression is left to DuckDB, which finds it inside of the parentheses.
    for condition in ["n = 1 UNION FROM nobody", "n = 1 ORDER BY n", "n FROM nobody", "n n"] {
        assert_eq!(refused(handle.filter(condition).await).0, Reason::InvalidQuery, "{condition}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handle_is_made_once_wherever_the_connection_is_cut() {
    let server = Server::start();
    let direct = server.client().await;
    direct.store("flights", wide(5_000, 1)).await.unwrap();
    let through = async |proxy: &Proxy| {
        let client = client_of(proxy.url()).connect_lazily().unwrap();
        let handle = client.query_handle("FROM flights").await.unwrap();
        handle.keep();
        assert_eq!(handle.rows(), 5_000);
    };
    let whole = Proxy::before(server.address(), Break::Close, 0, || 0).await;
    through(&whole).await;
    let bytes = whole.passed_bytes() as usize;
    let (cuts, mut noise) = (if is_long() { 200 } else { 40 }, Noise::new(7));
    for _ in 0..cuts {
        let after = noise.below(bytes) as u64;
        let proxy = Proxy::before(server.address(), Break::Close, 1, move || after).await;
        through(&proxy).await;
    }
    assert_eq!(ids(&direct).await.len(), 1 + cuts);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resumable_query_goes_on_where_its_connection_broke_and_leaves_nothing_behind() {
    let server = Server::start();
    let direct = server.client().await;
    let table = wide(ROWS, 3);
    direct.store("flights", &table).await.unwrap();
    let sql = "FROM flights ORDER BY n";
    let expected = direct.query(sql).await.unwrap();
    let bytes = bytes_of(&server, async |client| client.load("flights").await.unwrap()).await;
    let proxy = Proxy::before(server.address(), Break::Close, 2, move || bytes as u64 / 3).await;
    let client = client_of(proxy.url()).connect_lazily().unwrap();
    let mut stream = client.query_stream_with(sql, resumable()).await.unwrap();
    assert_eq!(stream.summary().map(|summary| summary.rows), Some(ROWS as u64));
    let schema = stream.schema().clone();
    let mut batches = vec![stream.next().await.unwrap().unwrap()];
    // What was stored meanwhile is not seen.
    direct.store("flights", numbers(0..1)).await.unwrap();
    while let Some(batch) = stream.try_next().await.unwrap() {
        batches.push(batch);
    }
    assert!(same(&Table::new(schema, batches), &expected));
    assert!(proxy.has_broken());
    none_left(&direct).await;
}

#[tokio::test]
async fn a_resumable_query_that_is_read_as_a_table_or_left_leaves_nothing_behind() {
    let server = Server::start();
    let client = server.client().await;
    let table = client.query_with("SELECT 42::BIGINT AS n", resumable()).await.unwrap();
    assert_eq!(sum_of(&table), 42);
    none_left(&client).await;
    let mut stream = client.query_stream_with("FROM range(3000000)", resumable()).await.unwrap();
    stream.next().await.unwrap().unwrap();
    assert_eq!(ids(&client).await.len(), 1);
    drop(stream);
    none_left(&client).await;
    let with_parameters = QueryOptions { parameters: params![42], ..resumable() };
    assert_eq!(rows_of(&client.query_with("SELECT ?", with_parameters).await.unwrap()), ["42"]);
}

#[tokio::test]
async fn workers_that_share_a_folder_share_their_handles() {
    let state = tempfile::tempdir().unwrap();
    let flags = ["--handle-store", "external", "--state-dir", state.path().to_str().unwrap()];
    let (one, two) = (Server::start_with(&flags), Server::start_with(&flags));
    let (one, two) = (one.client().await, two.client().await);
    let handle = one.query_handle("SELECT range AS n FROM range(1000)").await.unwrap();
    let there = two.handle(handle.id()).await.unwrap();
    assert_eq!(there.schema(), handle.schema());
    assert_eq!(sum_of(&there.load().await.unwrap()), 499_500);
    let less = there.filter("n < 10").await.unwrap();
    assert_eq!(one.load(less.id()).await.unwrap().num_rows(), 10);
    assert_eq!(ids(&one).await, ids(&two).await);
    one.drop_handle(less.id()).await.unwrap();
    assert_eq!(refused(two.handle(less.id()).await).0, Reason::HandleDropped);
}

#[tokio::test]
async fn the_server_says_how_long_handles_live_unless_they_say_so() {
    let server = Server::start_with(&["--handle-store", "memory", "--handle-ttl", "90s"]);
    let client = server.client().await;
    assert_eq!(client.query_handle("SELECT 1").await.unwrap().ttl(), Duration::from_secs(90));
}
