//! Polarway's protocol in Rust: messages, client and server of `polarway.v1.PolarwayService`.
//!
//! This crate owns what `proto/` at the root of the repository defines, as Rust, and how a failure is
//! told: [`v1::Failure`] is the content of a failed call's [`Status`](tonic::Status), and [`Reason`] lists why
//! calls fail; and what keeps a stream alive that has nothing to send, [`WithHeartbeats`]. It knows nothing of how to connect, of how anything is answered, or of any other crate of
//! Polarway.
//!
//! Chunks move through [`bulk`] without tonic's copies.
//!
//! A table's bytes are [`Bytes`] that share the buffer they were received in.
//!
//! [`client`] and [`server`] have what tonic needs to call and to serve; [`FILE_DESCRIPTOR_SET`] is for
//! reflection. `cargo xtask codegen` writes the generated part again after a change in `proto/`.
//!
//! ```
//! use polarway_proto::Reason;
//! use polarway_proto::v1::{Failure, LoadRequest};
//! use tonic::Status;
//!
//! fn check(request: &LoadRequest) -> Result<(), Status> {
//!     if request.name.is_empty() {
//!         return Err(Reason::InvalidName.failure("a name can't be empty").into());
//!     }
//!     Ok(())
//! }
//!
//! let status = check(&LoadRequest::default()).unwrap_err();
//! assert_eq!(Failure::from(&status).reason, "INVALID_NAME");
//! ```
//!
//! [`Bytes`]: bytes::Bytes

pub mod bulk;
mod failure;
mod heartbeat;
mod reason;

pub use failure::ERROR_DOMAIN;
pub use heartbeat::{HEARTBEAT, SILENCE, WithHeartbeats};
pub use reason::{Reason, Retry};
pub use v1::{polarway_service_client as client, polarway_service_server as server};

/// The revision of `polarway.v1` that this crate was generated from. It grows with every addition;
/// nothing is ever taken away.
pub const PROTOCOL_REVISION: u32 = 3;

/// The protocol's definition as a serialized `google.protobuf.FileDescriptorSet`, without comments.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("generated/descriptors.bin");

/// The package `polarway.v1`, generated: messages at the top, their choices in modules of their names.
pub mod v1 {
    include!("generated/polarway.v1.rs");
}
