//! However a query is spread over workers, its answer is the same.

use crate::engines::{Engines, Outcome, on_a_thread_of_queries};

/// Queries with an operator that must see all rows, or all rows of a key, over a table `t` and a table `u` of fewer rows.
const QUERIES: [&str; 22] = [
    "SELECT n FROM t QUALIFY n = max(n) OVER ()",
    "SELECT n, row_number() OVER (ORDER BY n) FROM t",
    "SELECT n, sum(n) OVER (PARTITION BY k ORDER BY n) FROM t",
    "SELECT k, count(*), max(s) OVER () FROM (SELECT k, sum(n) AS s FROM t GROUP BY k) GROUP BY k, s",
    "SELECT count(*), sum(n), max(k) FROM t",
    "SELECT k, count(*), sum(n) FROM t GROUP BY k",
    "SELECT count(DISTINCT k), count(DISTINCT n) FROM t",
    "SELECT DISTINCT k FROM t",
    "SELECT n FROM t ORDER BY n DESC LIMIT 5 OFFSET 3",
    "SELECT k, n FROM (SELECT k, n FROM t ORDER BY n LIMIT 30) WHERE k > 2",
    "SELECT a.n, b.k FROM t AS a JOIN u AS b ON a.k = b.n",
    "SELECT a.n, b.n FROM t AS a LEFT JOIN u AS b ON a.n = b.n",
    "SELECT a.n, b.n FROM u AS a FULL JOIN t AS b ON a.n = b.n AND b.k > 3",
    "SELECT a.n, b.n FROM u AS a JOIN u AS b ON a.n < b.n",
    "SELECT a.n, b.n FROM u AS a LEFT JOIN u AS b ON a.n < b.k",
    "SELECT n FROM t WHERE n NOT IN (SELECT n FROM u)",
    "SELECT n FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.n = t.n AND u.k = t.k)",
    "SELECT n FROM t WHERE n > (SELECT avg(n) FROM u)",
    "SELECT n FROM t UNION SELECT n FROM u",
    "SELECT n, k FROM t EXCEPT SELECT n, k FROM u",
    "SELECT n FROM t INTERSECT SELECT n FROM u",
    "WITH c AS (SELECT k, count(*) AS c FROM t GROUP BY k) SELECT a.k, b.c FROM c AS a JOIN c AS b ON a.c = b.c WHERE a.k <= b.k",
];

#[test]
fn an_answer_does_not_depend_on_the_number_of_threads_or_files_or_on_who_reads_a_small_table() {
    on_a_thread_of_queries(|| {
        let all = u64::MAX;
        for (partitions, files, of_each_task) in
            [(1, 1, 0), (1, 4, 0), (2, 1, 0), (2, 2, 0), (3, 5, 0), (1, 4, all), (2, 1, all), (3, 5, all)]
        {
            let mut engines = Engines::of_three_workers_with(partitions, files, of_each_task);
            engines.add_query("t", "SELECT n, n % 7 AS k FROM range(200) AS r(n)");
            engines.add_query("u", "SELECT n * 3 AS n, n % 5 AS k FROM range(20) AS r(n)");
            for sql in QUERIES {
                assert_eq!(
                    engines.ask(sql),
                    Outcome::Same,
                    "{partitions} threads, {files} files, {of_each_task} bytes: {sql}"
                );
            }
            println!(
                "{partitions} threads, {files} files, {of_each_task} bytes: {} of {} on several workers",
                engines.distributed(),
                QUERIES.len()
            );
        }
    });
}
