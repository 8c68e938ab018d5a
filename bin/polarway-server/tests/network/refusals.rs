//! What the engine refuses reaches a client as a typed error.

use polarway_client::{
    At, DeleteOptions, DistributedClient, ErrorKind, Reason, Selection, WriteMode, WriteOptions,
};

use crate::support::{Nobody, Server, numbers, raw, reason_of, refused};
use polarway_proto::v1::{CreateHandleRequest, DeleteDatasetRequest, ListVersionsRequest, LoadRequest};

async fn setup() -> (Server, DistributedClient) {
    let server = Server::start();
    let client = server.client().await;
    client.store("flights", numbers(0..10)).await.unwrap();
    (server, client)
}

#[tokio::test]
async fn an_unknown_name_is_answered_with_those_near_it() {
    let (_server, client) = setup().await;
    for (reason, said) in [
        refused(client.load("flihgts").await),
        refused(client.describe("flihgts").await),
        refused(client.versions("flihgts").await),
        refused(client.delete("flihgts").await),
        refused(client.append("flihgts", numbers(0..1)).await),
        refused(client.query("SELECT * FROM flihgts").await),
    ] {
        assert_eq!(reason, Reason::UnknownDataset, "{said}");
        assert!(said.contains("flihgts") && said.contains("flights"), "{said}");
    }
}

#[tokio::test]
async fn columns_and_rows_that_are_not_there_are_refused_by_name() {
    let (_server, client) = setup().await;
    let load = async |selection: Selection| refused(client.load_with("flights", selection).await);
    let column = numbers(0..1).schema().field(0).name().clone();
    let (reason, said) = load(Selection::default().with_columns([format!("{column}x")])).await;
    assert_eq!(reason, Reason::UnknownColumn);
    assert!(said.contains(&format!("near it: {column}")), "{said}");
    for wrong in [
        Selection::default().with_columns([&column, &column]),
        Selection::default().with_columns([""; 0]),
        Selection::default().with_rows(11..12),
        Selection { first_row: 3, end_row: Some(2), ..Selection::default() },
    ] {
        assert_eq!(load(wrong).await.0, Reason::InvalidInput);
    }
    let stream = client.load_stream_with("flights", Selection::default().with_rows(8..99)).await.unwrap();
    assert_eq!((stream.rows(), stream.selected_rows()), (10, 2));
    let none = client.load_with("flights", Selection::default().with_rows(10..)).await.unwrap();
    assert_eq!(none.num_rows(), 0);
}

#[tokio::test]
async fn a_handles_request_id_has_the_form_of_all_others_and_finds_what_it_made() {
    let (server, _client) = setup().await;
    let make = async |request_id: &str| {
        let request = CreateHandleRequest {
            sql: "FROM flights".to_owned(),
            request_id: request_id.to_owned(),
            ..CreateHandleRequest::default()
        };
        let mut steps = raw(&server).await.create_handle(request).await?.into_inner();
        let mut made = None;
        while let Some(step) = steps.message().await? {
            made = step.handle.or(made);
        }
        Ok::<_, tonic::Status>(made.unwrap().handle_id)
    };
    let id = format!("{}/0", uuid::Uuid::now_v7());
    let first = make(&id).await.unwrap();
    assert_eq!(make(&id).await.unwrap(), first);
    assert_ne!(make(&format!("{}/0", uuid::Uuid::now_v7())).await.unwrap(), first);
    for wrong in ["x", "0123456789abcdef", "01985f2e-3c1d-7a6b-9f00-5a4b3c2d1e0f", "x/0"] {
        assert_eq!(reason_of(&make(wrong).await.unwrap_err()), Reason::InvalidRequest, "{wrong}");
    }
}

#[tokio::test]
async fn each_condition_that_is_not_met_has_its_reason() {
    let (_server, client) = setup().await;
    let create = WriteOptions::new(WriteMode::Create);
    let stale_delete = DeleteOptions { expected_version: Some(7), ..DeleteOptions::default() };
    let stale = WriteOptions::default().expecting(7);
    assert_eq!(refused(client.store_with("flights", numbers(0..1), create).await).0, Reason::AlreadyExists);
    assert_eq!(refused(client.store_with("flights", numbers(0..1), stale).await).0, Reason::VersionConflict);
    assert_eq!(refused(client.delete_with("flights", stale_delete).await).0, Reason::VersionConflict);
    assert_eq!(refused(client.load_at("flights", At::Version(9)).await).0, Reason::UnknownVersion);
    assert_eq!(refused(client.load_at("flights", At::TimeUs(0)).await).0, Reason::UnknownVersion);
    assert_eq!(refused(client.store("no/name", numbers(0..1)).await).0, Reason::InvalidName);
    let other = client.query("SELECT 'text' AS n").await.unwrap();
    assert_eq!(refused(client.append("flights", other).await).0, Reason::SchemaMismatch);
}

#[tokio::test]
async fn each_query_that_fails_has_its_reason() {
    let (_server, client) = setup().await;
    for (sql, reason) in [
        ("SELECT", Reason::InvalidQuery),
        ("SELECT nothing FROM flights", Reason::InvalidQuery),
        ("DROP TABLE flights", Reason::QueryNotAllowed),
        ("SELECT * FROM read_csv('/etc/passwd')", Reason::QueryNotAllowed),
        ("SELECT 1; SELECT 2", Reason::QueryNotAllowed),
        ("SELECT CAST('many' AS INTEGER) FROM flights", Reason::QueryFailed),
    ] {
        let (found, said) = refused(client.query(sql).await);
        assert_eq!(found, reason, "{sql}: {said}");
    }
    // An error in the middle of the rows is that error.
    let late =
        "SELECT CASE WHEN n < 2000000 THEN n ELSE error('now')::INTEGER END FROM range(3000000) AS t(n)";
    let (reason, _) = refused(client.query(late).await);
    assert!(matches!(reason, Reason::QueryFailed | Reason::QueryNotAllowed), "{reason}");
}

#[tokio::test]
async fn an_overflow_in_mid_stream_reaches_the_client_as_that_error() {
    let (_server, client) = setup().await;
    let late =
        "SELECT CAST(9223372036854775807 - 2000000 + n AS BIGINT) + 1 AS n FROM range(3000000) AS t(n)";
    let (reason, said) = refused(client.query(late).await);
    assert_eq!(reason, Reason::QueryFailed, "{said}");
}

#[tokio::test]
async fn fields_that_can_have_no_such_value_are_named() {
    let (server, _client) = setup().await;
    let mut service = raw(&server).await;
    let load = LoadRequest { name: "flights".to_owned(), compression: 9, ..LoadRequest::default() };
    let status = service.load(load).await.unwrap().into_inner().message().await.unwrap_err();
    assert_eq!(reason_of(&status), Reason::InvalidRequest);
    let behind_the_end = LoadRequest { name: "flights".to_owned(), first_row: 11, ..LoadRequest::default() };
    let status = service.load(behind_the_end).await.unwrap().into_inner().message().await.unwrap_err();
    assert_eq!(reason_of(&status), Reason::InvalidInput);
    let page = ListVersionsRequest { name: "flights".to_owned(), page_token: "x".to_owned(), page_size: 0 };
    assert_eq!(reason_of(&service.list_versions(page).await.unwrap_err()), Reason::InvalidRequest);
    let delete = DeleteDatasetRequest {
        name: "flights".to_owned(),
        request_id: "x".to_owned(),
        ..DeleteDatasetRequest::default()
    };
    assert_eq!(reason_of(&service.delete_dataset(delete).await.unwrap_err()), Reason::InvalidRequest);
}

#[tokio::test]
async fn nobody_at_the_address_is_said_at_once_when_connecting() {
    let nobody = Nobody::new();
    let error = DistributedClient::connect(nobody.url()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn lists_come_whole_however_many_pages_they_take() {
    let server = Server::start();
    let client = server.client().await;
    let tables = (0..5).map(|number| (format!("table_{number}"), numbers(0..number)));
    for result in client.store_batch(tables).await.unwrap() {
        result.unwrap();
    }
    let mut service = raw(&server).await;
    let mut names = Vec::new();
    let mut request = polarway_proto::v1::ListDatasetsRequest { page_size: 2, page_token: String::new() };
    loop {
        let page = service.list_datasets(request.clone()).await.unwrap().into_inner();
        assert!(page.datasets.len() <= 2);
        names.extend(page.datasets.into_iter().map(|dataset| dataset.name));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(names, ["table_0", "table_1", "table_2", "table_3", "table_4"]);
    assert_eq!(client.datasets().await.unwrap().len(), 5);
}

#[tokio::test]
async fn a_deleted_dataset_is_gone_and_its_versions_are_not() {
    let (_server, client) = setup().await;
    assert_eq!(client.delete("flights").await.unwrap().version, 2);
    assert!(client.datasets().await.unwrap().is_empty());
    assert_eq!(client.load_at("flights", At::Version(1)).await.unwrap().num_rows(), 10);
    assert_eq!(client.versions("flights").await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_purged_dataset_leaves_no_data_behind() {
    let (server, client) = setup().await;
    client.store("flights", numbers(0..20)).await.unwrap();
    client.delete("flights").await.unwrap();
    let purge = DeleteOptions { purge: true, ..DeleteOptions::default() };
    assert_eq!(client.delete_with("flights", purge).await.unwrap().version, 3);
    let (reason, said) = refused(client.load_at("flights", At::Version(1)).await);
    assert_eq!(reason, Reason::UnknownVersion, "{said}");
    let data = server.folder().join("cold/flights/_polarway/data");
    assert_eq!(std::fs::read_dir(data).unwrap().count(), 0);
    assert_eq!(refused(client.delete_with("nobody", purge).await).0, Reason::UnknownDataset);
}
