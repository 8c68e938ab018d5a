//! The shortest program with the client: store a DataFrame, load it back, query it in SQL.
//!
//! Start a server first, with `cargo xtask run` or `polarway server`, then run this with
//! `cargo run --example client`.

use polars::df;
use polarway::DistributedClient;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Result<()> {
    // Connect to server
    let url = std::env::var("POLARWAY_URL").unwrap_or_else(|_| "http://localhost:50052".to_owned());
    let client = DistributedClient::connect(url).await?;

    // Health check
    client.health_check().await?;

    // Store data
    let df = df! {
        "symbol" => &["BTC", "ETH", "SOL"],
        "price" => &[50000, 3000, 100],
        "timestamp" => &["2026-02-03", "2026-02-03", "2026-02-03"],
    }?;
    client.store("trades_20260203", &df).await?;

    // Load data
    let loaded = client.load("trades_20260203").await?;
    println!("{loaded:?}");
    println!("{:?}", loaded.to_polars()?);

    // Execute query
    let cold = std::env::var("POLARWAY_PARQUET_PATH").unwrap_or_else(|_| "/data/cold".to_owned());
    let result = client
        .query(&format!(
            "SELECT symbol, AVG(price) as avg_price
             FROM parquet_scan('{cold}/trades_*.parquet')
             WHERE timestamp > '2026-02-01'
             GROUP BY symbol"
        ))
        .await?;
    println!("{result:?}");

    // Calls at the same time
    let (again, described) =
        tokio::try_join!(client.load("trades_20260203"), client.describe("trades_20260203"))?;
    println!("{} rows, version {}", again.num_rows(), described.version);
    Ok(())
}
