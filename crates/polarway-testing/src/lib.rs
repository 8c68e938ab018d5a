//! Random tables of everything that can be stored, hostile SQL, an allocator that counts, and what else the tests of several
//! crates need.
//!
//! Schemas come from a proptest strategy; data follows from a seed and is as awkward as its type
//! allows: NaNs with payloads, −0.0, sliced arrays, null slots with leftovers, empty lists.
//!
//! ```
//! use polarway_testing::{Noise, assert_same_rows, batches, schemas};
//! use proptest::prelude::*;
//!
//! proptest!(|(schema in schemas(), seed in any::<u64>())| {
//!     let table = batches(&mut Noise::new(seed), &schema, &[3, 0, 70]);
//!     assert_same_rows(&table, &table);
//! });
//! ```

#![expect(clippy::panic, clippy::unwrap_used, reason = "what goes wrong here fails the test that called")]

mod attacks;
mod data;
mod effort;
mod memory;
mod mounted;
mod not_run;
mod peers;
mod rows;
mod schema;
mod waiting;

/// A Parquet file of one row and one column `v`, which says that it is a VARIANT and lacks a VARIANT's field `value`. DuckDB
/// 1.5 calls that an internal error while it reads, and gives up its database.
pub const BREAKING_FILE: &[u8] = include_bytes!("../data/breaking.parquet");

pub use attacks::{Attack, attacks};
pub use data::{Noise, batches};
pub use effort::{is_long, tries};
pub use memory::{Alone, CountedMemory};
pub use mounted::Mounted;
pub use not_run::not_run;
pub use peers::{PeerReading, Peers, same_values};
pub use rows::{assert_same_rows, with_keys_of};
pub use schema::schemas;
pub use waiting::{wait_for, wait_until};
