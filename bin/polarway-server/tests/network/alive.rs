//! Many queries at once: those that are right are answered, those that are too large end, and none leaves anything behind.

use std::time::Duration;

use futures::StreamExt as _;
use futures::future::join_all;
use polarway_client::{DistributedClient, QueryOptions, Reason};
use polarway_proto::v1::{Failure, QueryRequest};

use crate::support::{
    ENDLESS_SUM, Server, all_ended, ask, client_of, in_background, numbers, reason_of, refused, sum_of, until,
};

const QUERIES: i64 = 200;
const CLIENTS: usize = 5;

/// What all queries together may hold in memory, in bytes; they may spill a quarter of that.
const QUERY_MEMORY: u64 = 200_000_000;

/// What the process may hold besides, in bytes: the allocators of its threads keep what they had.
const BESIDES: u64 = 150_000_000;

/// How many threads wait for the next query at the most.
const IDLE_QUERY_THREADS: usize = 32;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_queries_at_once_are_answered_or_told_why_not_and_leave_nothing_behind() {
    let server = Server::start_with(&["--query-memory", "0.2", "--query-temp", "0.05"]);
    let crowd = Crowd::of(&server).await;
    crowd.clients[0].store("numbers", numbers(0..100_000)).await.unwrap();
    join_all((0..64).map(|number| crowd.answered(number))).await;
    all_ended(&crowd.clients[0]).await;
    let (_, other_threads) = server.threads();
    let most_bytes = server.resident_bytes() + QUERY_MEMORY + BESIDES;
    for round in 0..if polarway_testing::is_long() { 10 } else { 2 } {
        join_all((0..QUERIES).map(|number| crowd.ask(round, number))).await;
        all_ended(&crowd.clients[0]).await;
        until("the end of the threads", async || {
            let (for_queries, others) = server.threads();
            // The server looks after itself each second, and that keeps some of the runtime's idle threads.
            (for_queries <= IDLE_QUERY_THREADS && others <= other_threads + 2).then_some(())
        })
        .await;
        until("an empty spill folder", async || server.spilled_files().is_empty().then_some(())).await;
        // Allocators give back after some seconds what they kept for the next query.
        until(&format!("memory below {most_bytes} bytes"), async || {
            (server.resident_bytes() < most_bytes).then_some(())
        })
        .await;
    }
}

/// Callers of one server.
struct Crowd<'a> {
    server: &'a Server,
    clients: Vec<DistributedClient>,
}

impl<'a> Crowd<'a> {
    async fn of(server: &'a Server) -> Self {
        // Each may be turned away while two hundred others have their turn.
        let patient = client_of(server.url()).timeout(Duration::from_secs(600));
        let clients = join_all((0..CLIENTS).map(|_| patient.clone().connect())).await;
        Self { server, clients: clients.into_iter().map(Result::unwrap).collect() }
    }

    fn client(&self, number: i64) -> &DistributedClient {
        &self.clients[number as usize % CLIENTS]
    }

    /// Asks one of many queries: a tenth of them are cancelled, and a tenth are too large.
    async fn ask(&self, round: i64, number: i64) {
        match number % 20 {
            0 => self.dropped().await,
            1 => self.cancelled(&format!("{ENDLESS_SUM} LIMIT {}", 1 + round * QUERIES + number)).await,
            2 | 3 => self.too_large(number).await,
            _ => self.answered(number).await,
        }
    }

    /// A query whose caller goes away after the first rows.
    async fn dropped(&self) {
        let sql = "SELECT range AS n, hash(range) AS h FROM range(1000000000000)";
        let mut stream = self.clients[0].query_stream(sql).await.unwrap();
        stream.next().await.unwrap().unwrap();
    }

    /// A query that somebody else cancels.
    async fn cancelled(&self, sql: &str) {
        let caller = in_background(&self.clients[1], sql, QueryOptions::default());
        let other = &self.clients[2];
        while !caller.is_finished() {
            for query in other.queries().await.unwrap().iter().filter(|query| query.sql == sql) {
                // It may have ended since it was listed.
                if let Err(error) = other.cancel_query(&query.query_id).await {
                    assert_eq!(error.reason(), Some(Reason::UnknownQuery), "{error}");
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(refused(caller.await.unwrap()).0, Reason::Cancelled, "{sql}");
    }

    /// A query that needs more than all queries together may have.
    async fn too_large(&self, number: i64) {
        let sql = match number / 20 % 3 {
            0 => "SELECT count(*) FROM (SELECT DISTINCT repeat('x', 1000) || range FROM range(1000000))",
            1 => "SELECT repeat('x', 1000) AS x, range AS n FROM range(1000000) ORDER BY hash(n)",
            _ => "SELECT len(list(range)) FROM range(100000000)",
        };
        let request = QueryRequest { sql: sql.to_owned(), ..QueryRequest::default() };
        let status = ask(self.server, request).await.expect_err("it needs more than there is");
        match reason_of(&status) {
            Reason::QueryTooLarge => {}
            Reason::ResourceExhausted => {
                assert!(Failure::from(&status).retry_delay().is_some(), "{status:?}")
            }
            _ => panic!("{sql}: {status:?}"),
        }
    }

    /// A query whose answer comes, however often it is turned away before.
    async fn answered(&self, number: i64) {
        let most = 1000 + 17 * number;
        let sum = most * (most - 1) / 2;
        let (sql, expected) = match number % 5 {
            0 => (format!("SELECT sum(n)::BIGINT FROM numbers WHERE n < {most}"), sum),
            1 => (format!("SELECT n FROM numbers ORDER BY n DESC LIMIT {most}"), 99_999 * most - sum),
            2 => {
                let rows = 100 * most;
                (format!("SELECT range AS n FROM range({rows})"), rows * (rows - 1) / 2)
            }
            3 => (format!("SELECT count(DISTINCT range % {most}) FROM range({})", 100 * most), most),
            _ => {
                let join = "numbers AS a JOIN numbers AS b USING (n)";
                (format!("SELECT sum(n)::BIGINT FROM {join} WHERE n < {most}"), sum)
            }
        };
        match self.client(number).query(&sql).await {
            Ok(table) => assert_eq!(sum_of(&table), expected, "{sql}"),
            Err(error) => panic!("{sql}: {error:?}"),
        }
    }
}
