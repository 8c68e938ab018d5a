//! The examples that need a server, run against one.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::process::Command;

use polarway_server::{Server, ServerConfig};

/// Where cargo has put an example: beside the folder of the tests.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(|folder| folder.parent()).unwrap().join("examples").join(name)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_stores_loads_and_queries_a_data_frame() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = ServerConfig::new(folder.path());
    config.bind = "127.0.0.1:0".parse().unwrap();
    let server = Server::start(config).await.unwrap();
    let url = format!("http://{}", server.local_addr());
    let serving = tokio::spawn(server.run(std::future::pending()));

    let mut command = Command::new(example("client"));
    command.env("POLARWAY_URL", url).env("POLARWAY_PARQUET_PATH", folder.path().join("cold"));
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{complained}");
    for part in ["3 rows × 3 columns", "shape: (3, 3)", "avg_price", "50000.0", "3 rows, version 1"] {
        assert!(said.contains(part), "{part} is missing:\n{said}");
    }
    serving.abort();
}
