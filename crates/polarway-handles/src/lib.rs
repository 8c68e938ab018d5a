//! Results that are kept: their ids, where they live, and when they expire.
//!
//! A handle is the result of a query, kept under an id until nobody has used it for a while. It never changes. Two stores keep
//! handles behind one interface, [`HandleStore`]: [`ExternalHandles`] keeps them as versioned tables in a directory or a bucket
//! that workers share, written by the same code as datasets; [`MemoryHandles`] keeps track of tables that one worker's query
//! engine holds in memory.
//!
//! This crate knows nothing about SQL or networks. All calls block.

mod error;
mod external;
mod handle;
mod memory;
mod random;
mod storage;
mod store;

pub use error::{Error, Result};
pub use external::ExternalHandles;
pub use handle::Handle;
pub use memory::{KeptTable, MemoryHandles, TableHolder};
pub use polarway_model::{HandleId, InvalidHandleId};
pub use polarway_storage::Lease;
pub use random::{RandomSource, SystemRandom, fresh_id};
pub use storage::claim_storage;
pub use store::HandleStore;
