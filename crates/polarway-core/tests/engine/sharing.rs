use polarway_core::Polarway;

use crate::support::{config, lines, trades};

#[tokio::test]
async fn what_one_engine_stores_another_on_the_same_folder_loads_and_queries() {
    let folder = tempfile::tempdir().unwrap();
    let one = Polarway::open(config(&folder)).await.unwrap();
    let other = Polarway::open(config(&folder)).await.unwrap();
    for version in 1..=5 {
        let (writer, reader) = if version % 2 == 0 { (&one, &other) } else { (&other, &one) };
        assert_eq!(
            writer.store("trades", trades(&[("BTC", version)])).await.unwrap().version,
            version as u64
        );
        let expected = [format!("BTC,{version}")];
        assert_eq!(lines(&reader.load("trades").await.unwrap()), expected);
        assert_eq!(lines(&reader.query("FROM trades").await.unwrap()), expected);
    }
}

#[tokio::test]
async fn an_engine_that_is_opened_again_has_all_that_was_stored() {
    let folder = tempfile::tempdir().unwrap();
    let first = Polarway::open(config(&folder)).await.unwrap();
    first.store("trades", trades(&[("BTC", 1)])).await.unwrap();
    first.append("trades", trades(&[("ETH", 2)])).await.unwrap();
    drop(first);
    let again = Polarway::open(config(&folder)).await.unwrap();
    assert_eq!(lines(&again.load("trades").await.unwrap()), ["BTC,1", "ETH,2"]);
    assert_eq!(again.versions("trades").await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_tasks_on_one_engine_lose_no_append() {
    let folder = tempfile::tempdir().unwrap();
    let polarway = Polarway::open(config(&folder)).await.unwrap();
    polarway.store("trades", trades(&[])).await.unwrap();
    let tasks: Vec<_> = (0..16)
        .map(|task| {
            let polarway = polarway.clone();
            tokio::spawn(async move { polarway.append("trades", trades(&[("BTC", task)])).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let rows = polarway.query("SELECT cents FROM trades ORDER BY cents").await.unwrap();
    assert_eq!(lines(&rows), (0..16).map(|task: i64| task.to_string()).collect::<Vec<_>>());
}
