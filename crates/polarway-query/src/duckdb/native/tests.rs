use std::thread;
use std::time::Duration;

use polarway_testing::wait_until;

use super::*;

/// Runs for hours before it gives its only row.
const ENDLESS_SUM: &str = "SELECT sum(a.range * b.range % 7) FROM range(100000000) a, range(100000000) b";

#[test]
fn a_query_that_was_planned_ends_when_it_is_dropped() {
    let worker = thread::spawn(|| {
        let database = Database::open(&[("threads", "2")]).unwrap();
        let connection = Connection::open(&database).unwrap();
        let pending = connection.prepare(ENDLESS_SUM).and_then(Prepared::pending).unwrap();
        // DuckDB's own threads begin before anybody asks for rows.
        thread::sleep(Duration::from_millis(100));
        drop(pending);
    });
    wait_until(|| worker.is_finished());
    worker.join().unwrap();
}
