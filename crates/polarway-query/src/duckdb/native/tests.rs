use std::thread;
use std::time::Duration;

use polarway_testing::wait_until;

use super::*;

/// Runs for hours before it gives its only row.
const ENDLESS_SUM: &str = "SELECT sum(a.range * b.range % 7) FROM range(100000000) a, range(100000000) b";

/// Two hundred row groups of numbers.
const NUMBERS: &str =
    "CREATE TABLE numbers AS SELECT CAST(range // 122880 AS UTINYINT) AS n FROM range(200 * 122880)";

/// The first row group gives more rows than DuckDB holds ready for a reader. Another thread looks for rows in the others for minutes.
const LONG_LOOK: &str =
    "SELECT n FROM numbers, range(2000) AS other(m) WHERE n = 0 OR hash(n, m) % 100000000000 = 1";

/// Does this on a thread, which must end.
fn ends(work: impl FnOnce(&Connection) + Send + 'static) {
    let worker = thread::spawn(move || {
        let database = Database::open(&[("threads", "2")]).unwrap();
        let connection = Connection::open(&database).unwrap();
        work(&connection);
    });
    wait_until(|| worker.is_finished());
    worker.join().unwrap();
}

#[test]
fn a_query_that_was_planned_ends_when_it_is_dropped() {
    ends(|connection| {
        let pending = connection.prepare(ENDLESS_SUM).and_then(Prepared::pending).unwrap();
        // DuckDB's own threads begin before anybody asks for rows.
        thread::sleep(Duration::from_millis(100));
        drop(pending);
    });
}

#[test]
fn a_query_ends_when_its_rows_are_dropped() {
    ends(|connection| {
        connection.execute(NUMBERS).unwrap();
        let pending = connection.prepare(LONG_LOOK).and_then(Prepared::pending).unwrap();
        let mut rows = pending.start().unwrap();
        let schema = rows.column_types().to_arrow().unwrap();
        assert!(rows.next(&schema).unwrap().is_some());
        drop(rows);
    });
}
