//! The smallest complete program with Polarway's embedded engine.
//!
//! In this checkout:
//!
//! ```sh
//! cargo xtask libduckdb    # once: finds the DuckDB library and tells cargo where it is
//! cargo run --package polarway-core --example embedded
//! ```
//!
//! To use this file as `src/main.rs` in your own crate, add two dependencies:
//!
//! ```toml
//! [dependencies]
//! polarway-core = { path = "<this checkout>/crates/polarway-core" }
//! tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
//! ```
//!
//! Also add the lines that `cargo xtask libduckdb --print-config` prints in this checkout to that crate's `.cargo/config.toml`.
//!
//! Its tables stay in `./polarway-data`: run it again, and the version numbers continue.

use std::error::Error;
use std::sync::Arc;

use polarway_core::arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use polarway_core::{At, Config, Polarway};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let polarway = Polarway::open(Config::new("./polarway-data")).await?;

    // Store a table under a name. It is on disk when the call returns.
    let table = trades(&["BTC", "ETH", "SOL"], &[50_000.0, 3_000.0, 100.0])?;
    let first = polarway.store("trades", table).await?;
    println!("stored {} as version {}: {} rows", first.name, first.version, first.rows);

    // Load it back: a table of Arrow record batches, which can be printed.
    let loaded = polarway.load("trades").await?;
    println!("\nloaded {} rows, {} bytes of Arrow:\n{loaded}", loaded.num_rows(), loaded.arrow_bytes());

    // Query it: any SELECT that DuckDB understands.
    let dear = polarway.query("SELECT symbol, price FROM trades WHERE price > 1000 ORDER BY price").await?;
    println!("\nthose above 1000:\n{dear}");

    // Append rows. This makes the next version.
    let second = polarway.append("trades", trades(&["ADA"], &[0.5])?).await?;
    println!("\nappended to make version {}: {} rows", second.version, second.rows);

    // Travel in time: the previous version can still be queried and loaded.
    let sql = format!(
        "SELECT symbol FROM trades EXCEPT SELECT symbol FROM trades AT (VERSION => {})",
        first.version
    );
    println!("\n{sql}\n{}", polarway.query(&sql).await?);
    let before = polarway.load_at("trades", At::Version(first.version)).await?;
    println!("\nversion {} still has its {} rows", first.version, before.num_rows());
    Ok(())
}

fn trades(symbols: &[&str], prices: &[f64]) -> Result<RecordBatch, Box<dyn Error>> {
    let symbols: ArrayRef = Arc::new(StringArray::from(symbols.to_vec()));
    let prices: ArrayRef = Arc::new(Float64Array::from(prices.to_vec()));
    Ok(RecordBatch::try_from_iter([("symbol", symbols), ("price", prices)])?)
}
