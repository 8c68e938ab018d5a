//! Workers share what is stored and nothing else.

use crate::support::{OwnFleet, numbers, sum_of};

#[tokio::test(flavor = "multi_thread")]
async fn what_one_worker_stores_is_what_the_next_one_loads_and_asks() {
    let fleet = OwnFleet::of_workers();
    let mut clients = Vec::new();
    for index in 0..3 {
        clients.push(fleet.client_of_worker(index).await);
    }
    for round in 1..=30_i64 {
        let (writer, reader) = (&clients[round as usize % 3], &clients[(round as usize + 1) % 3]);
        writer.store("numbers", numbers(0..round)).await.unwrap();
        assert_eq!(reader.load("numbers").await.unwrap().num_rows() as i64, round);
        reader.append("numbers", numbers(round..round + 1)).await.unwrap();
        let counted = writer.query("SELECT count(*) FROM numbers").await.unwrap();
        assert_eq!(sum_of(&counted), round + 1);
    }
    assert_eq!(clients[0].versions("numbers").await.unwrap().len(), 60);
}
