//! Values of parameters: what the client sends, and what a stranger may.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, Date32Array, Decimal128Array, Int32Array, ListArray, RecordBatch, Time64MicrosecondArray,
    TimestampMicrosecondArray,
};
use bytes::Bytes;
use futures::TryStreamExt as _;
use polarway_client::{DistributedClient, Parameters, QueryOptions, Reason, params};
use polarway_ipc::{ChunkEncoder, EncodeOptions};
use polarway_proto::v1::QueryRequest;

use crate::support::{Server, ask, numbers, raw, reason_of, refused, rows_of};

async fn rows(client: &DistributedClient, sql: &str, values: Parameters) -> Vec<String> {
    match client.query_with(sql, values).await {
        Ok(table) => rows_of(&table),
        Err(error) => panic!("{sql}: {error}"),
    }
}

#[tokio::test]
async fn positions_and_names_take_their_values() {
    let server = Server::start();
    let client = server.client().await;
    client.store("flights", numbers(0..10)).await.unwrap();
    client.store("flights", numbers(0..100)).await.unwrap();
    for (sql, values, expected) in [
        ("SELECT ? + 1", params![41], "42"),
        ("SELECT $2 - $1", params![1, 43], "42"),
        ("SELECT $x || $y", params![y = "b", x = "a"], "ab"),
        ("SELECT count(*) FROM flights WHERE n < $most", params![most = 7], "7"),
        ("SELECT n FROM flights ORDER BY n DESC LIMIT ? OFFSET ?", params![1, 9], "90"),
        ("SELECT count(*) FROM flights AT (VERSION => $version)", params![version = 1], "10"),
        ("SELECT ?", [42].into_iter().collect(), "42"),
    ] {
        assert_eq!(rows(&client, sql, values).await, [expected], "{sql}");
    }
    let mut stream = client.query_stream_with("SELECT $1 AS n", params![42]).await.unwrap();
    let batch = futures::StreamExt::next(&mut stream).await.unwrap().unwrap();
    assert_eq!(rows_of(&batch.into()), ["42"]);
}

#[tokio::test]
async fn each_value_arrives_with_its_type() {
    let server = Server::start();
    let client = server.client().await;
    let zoned = TimestampMicrosecondArray::from(vec![1_000_000]).with_timezone("UTC");
    let price = Decimal128Array::from(vec![-12345]).with_precision_and_scale(9, 2).unwrap();
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1), None])]);
    let arrays: Vec<(ArrayRef, &str)> = vec![
        (Arc::new(Date32Array::from(vec![-1])), "DATE|1969-12-31"),
        (Arc::new(Time64MicrosecondArray::from(vec![1])), "TIME|00:00:00.000001"),
        (Arc::new(zoned), "TIMESTAMP WITH TIME ZONE|1970-01-01 00:00:01+00"),
        (Arc::new(price), "DECIMAL(9,2)|-123.45"),
        (Arc::new(list), "INTEGER[]|[1, NULL]"),
    ];
    let own = [
        (params![v = true], "BOOLEAN|true"),
        (params![v = -1_i8], "TINYINT|-1"),
        (params![v = u64::MAX], "UBIGINT|18446744073709551615"),
        (params![v = 0.1_f32], "FLOAT|0.1"),
        (params![v = 0.1], "DOUBLE|0.1"),
        (params![v = "x 'z\u{1F600}"], "VARCHAR|x 'z\u{1F600}"),
        (params![v = String::new()], "VARCHAR|"),
        (params![v = &b"a\xff"[..]], "BLOB|a\\xFF"),
    ];
    let arrays = arrays.into_iter().map(|(array, expected)| (params![v = array], expected));
    for (values, expected) in own.into_iter().chain(arrays) {
        let sql = "SELECT typeof(v) || '|' || CAST(v AS VARCHAR) FROM (SELECT $v AS v)";
        assert_eq!(rows(&client, sql, values).await, [expected]);
    }
    assert_eq!(rows(&client, "SELECT $v IS NULL", params![v = None::<i32>]).await, ["true"]);
}

#[tokio::test]
async fn a_value_that_looks_like_sql_stays_a_value() {
    let server = Server::start();
    let client = server.client().await;
    client.store("flights", numbers(0..10)).await.unwrap();
    let evil = "x'; DROP VIEW flights; SELECT '";
    assert_eq!(rows(&client, "SELECT $v", params![v = evil]).await, [evil]);
    let sql = "SELECT count(*) FROM flights WHERE n::VARCHAR = ?";
    assert_eq!(rows(&client, sql, params!["1 OR true"]).await, ["0"]);
    let (reason, said) = refused(client.query_with("FROM $table", params![table = "flights"]).await);
    assert_eq!(reason, Reason::InvalidQuery, "{said}");
    let path = params![path = "/etc/hostname"];
    let (reason, said) = refused(client.query_with("FROM read_text($path)", path).await);
    assert!(matches!(reason, Reason::InvalidQuery | Reason::QueryNotAllowed), "{reason}: {said}");
}

#[tokio::test]
async fn values_that_do_not_fit_the_text_are_refused_by_name() {
    let server = Server::start();
    let client = server.client().await;
    for (sql, values, expected) in [
        ("SELECT ?", params![], "$1 has no value"),
        ("SELECT $1, $2", params![1], "$2 has no value"),
        ("SELECT $year", params![yaer = 1], "$year has no value"),
        ("SELECT 1", params![1], "the query has no parameters"),
        ("SELECT $a", params![a = 1, b = 1], "no parameter $b"),
        ("SELECT $a", params![a = 1, a = 2], "two values"),
    ] {
        let (reason, said) = refused(client.query_with(sql, values).await);
        assert_eq!(reason, Reason::InvalidQuery, "{sql}: {said}");
        assert!(said.contains(expected), "{sql}: {said}");
    }
    // Two rows are refused before they are sent.
    let two: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    let error = client.query_with("SELECT ?", QueryOptions::from(params![two])).await.unwrap_err();
    assert_eq!(error.reason(), None, "{error:?}");
}

/// Batches of one column `1` with these values as an Arrow IPC stream.
fn stream_of(batches: &[&[i32]]) -> Vec<u8> {
    let batch = |values: &[i32]| {
        let column: ArrayRef = Arc::new(Int32Array::from(values.to_vec()));
        RecordBatch::try_from_iter([("1", column)]).unwrap()
    };
    let mut encoder = ChunkEncoder::new(&batch(&[]).schema(), EncodeOptions::default()).unwrap();
    let mut chunks: Vec<_> =
        batches.iter().flat_map(|values| encoder.encode(&batch(values)).unwrap()).collect();
    chunks.push(encoder.finish());
    chunks.iter().flat_map(|chunk| chunk.ipc.to_vec()).collect()
}

fn request(parameters: Vec<u8>) -> QueryRequest {
    let parameters = Bytes::from(parameters);
    QueryRequest { sql: "SELECT $1 + 1".to_owned(), parameters, ..QueryRequest::default() }
}

#[tokio::test]
async fn bytes_that_are_no_row_of_values_are_refused_and_the_server_goes_on() {
    let server = Server::start();
    let whole = stream_of(&[&[41]]);
    ask(&server, request(whole.clone())).await.unwrap();
    // The first message is the schema; its length stands behind four bytes that mark the beginning.
    let huge = |at: usize, length: u32| {
        let mut bytes = whole.clone();
        bytes[at..at + 4].copy_from_slice(&length.to_le_bytes());
        bytes
    };
    for (what, bytes) in [
        ("garbage", b"PAR1, and what follows is no Arrow".to_vec()),
        ("one byte", vec![0xff]),
        ("zeros", vec![0; 4096]),
        ("a stream that was cut", whole[..whole.len() / 2].to_vec()),
        ("a stream without its beginning", whole[8..].to_vec()),
        ("no batch", stream_of(&[])),
        ("no row", stream_of(&[&[]])),
        ("two rows", stream_of(&[&[1, 2]])),
        ("two batches", stream_of(&[&[1], &[2]])),
        ("a message of 2 GB", huge(4, i32::MAX as u32)),
        ("a message of negative length", huge(4, u32::MAX)),
        ("two streams", [whole.clone(), whole.clone()].concat()),
        ("megabytes of noise", noise(8 << 20)),
    ] {
        let status = ask(&server, request(bytes)).await.unwrap_err();
        assert_eq!(reason_of(&status), Reason::InvalidRequest, "{what}: {status:?}");
        assert!(status.message().contains("parameters"), "{what}: {status:?}");
    }
    assert_eq!(rows(&server.client().await, "SELECT ?", params![42]).await, ["42"]);
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut noise = polarway_testing::Noise::new(7);
    (0..bytes / 8).flat_map(|_| noise.next().to_le_bytes()).collect()
}

#[tokio::test]
async fn values_with_flipped_bits_are_taken_or_refused_and_take_no_memory() {
    let server = Server::start();
    let whole = stream_of(&[&[41]]);
    let mut service = raw(&server).await;
    let mut noise = polarway_testing::Noise::new(13);
    let before = server.resident_bytes();
    for _ in 0..if polarway_testing::is_long() { 20_000 } else { 1_000 } {
        let mut bytes = whole.clone();
        for _ in 0..1 + noise.below(3) {
            let at = noise.below(bytes.len());
            bytes[at] ^= 1 << noise.below(8);
        }
        let outcome = match service.query(request(bytes)).await {
            Ok(responses) => responses.into_inner().try_for_each(async |_| Ok(())).await,
            Err(status) => Err(status),
        };
        if let Err(status) = outcome {
            let reason = reason_of(&status);
            let expected = [Reason::InvalidRequest, Reason::InvalidQuery, Reason::QueryFailed];
            assert!(expected.contains(&reason), "{status:?}");
        }
    }
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 256 << 20, "it grew by {} MiB", grown >> 20);
}
