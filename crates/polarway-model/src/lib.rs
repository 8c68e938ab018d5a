//! The vocabulary that the engine, the client and the protocol share: what names a dataset, and which of its versions is
//! meant.
//!
//! This crate owns types that are plain data. Each stands here once, and the crates above re-export those that their own
//! API speaks of. It knows nothing of files, SQL or a network: `polarway-proto` says how the types travel.

mod at;
mod name;
mod request;

pub use at::At;
pub use name::{DatasetName, InvalidName, MAX_NAME_LENGTH};
pub use request::{InvalidRequestId, RequestId};
