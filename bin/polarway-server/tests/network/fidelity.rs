//! What is stored over the network is what is loaded.

use polarway_client::Table;
use polarway_testing::{Noise, assert_same_rows, batches, schemas, tries, with_keys_of};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tokio::runtime::Runtime;

use crate::support::Server;

#[test]
fn every_table_that_can_be_stored_comes_back_as_it_was() {
    let runtime = Runtime::new().unwrap();
    let server = Server::start();
    let client = runtime.block_on(server.client());
    let cases = (schemas(), any::<u64>(), prop::collection::vec(0_usize..200, 0..4));
    TestRunner::new(tries(64, 2_000))
        .run(&cases, |(schema, seed, rows)| {
            let table = Table::new(schema.clone(), batches(&mut Noise::new(seed), &schema, &rows));
            let loaded = runtime.block_on(async {
                client.store("table", &table).await.unwrap();
                client.load("table").await.unwrap()
            });
            assert_same_rows(loaded.batches(), &with_keys_of(loaded.schema(), table.batches()));
            Ok(())
        })
        .unwrap();
}
