//! The workers that run queries together: which there are, and which of them ran a query.

use polarway::{EngineUsed, Peer};

use super::listing::{Values, print};
use crate::arguments::Workers;
use crate::failure::Result;

/// The message if there are none.
const NO_WORKERS: &str =
    "this worker runs all queries alone, or its workers are not for you to see: see docs/distributed.md";

pub(crate) async fn workers(workers: Workers) -> Result<()> {
    let peers = workers.connection.connect().await?.server_info().await?.peers;
    let texts = |text: fn(&Peer) -> String| Values::Texts(peers.iter().map(text).collect());
    let columns = vec![
        ("worker", texts(|peer| peer.address.clone())),
        ("state", texts(|peer| peer.state.name().to_owned())),
        ("queries", Values::numbers(peers.iter().map(|peer| peer.queries))),
        ("asked", texts(|peer| if peer.is_own { "yes" } else { "" }.to_owned())),
        ("reason", texts(|peer| peer.reason.clone().unwrap_or_default())),
    ];
    print(columns, workers.list.format, NO_WORKERS)
}

/// Which workers ran a query, in a line.
pub(super) fn ran_on(used: &EngineUsed) -> String {
    match used {
        EngineUsed::Distributed { workers } => format!("ran on {workers} workers"),
        EngineUsed::Local { reason: None } => "ran on one worker".to_owned(),
        EngineUsed::Local { reason: Some(reason) } => format!("ran on one worker: {reason}"),
    }
}

/// Whether it was another way than that of all small queries.
pub(super) fn is_unusual(used: &EngineUsed) -> bool {
    *used != EngineUsed::default()
}
