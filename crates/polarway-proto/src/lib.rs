//! Polarway's protocol in Rust: messages and methods of `polarway.v1.PolarwayService`.
//!
//! This crate owns what `proto/` at the root of the repository defines, as Rust, and what both ends of a connection have to
//! agree on besides:
//!
//! - [`Method`] lists the methods, with their paths; [`rpc`] has each as a type, with the messages that it takes and answers.
//! - [`transport`] moves messages, chunks without tonic's copies, and has the limits on them and the sizes of HTTP/2's windows.
//! - [`v1::Failure`] is the content of a failed call's [`Status`](tonic::Status), and [`Reason`] lists why calls fail.
//! - [`WithHeartbeats`] keeps a stream alive that has nothing to send.
//!
//! The types of `polarway-model` become messages, and messages become them, here and nowhere else. It knows nothing of how to
//! connect, or of how anything is answered.
//!
//! A table's bytes are [`Bytes`] that share the buffer they were received in.
//!
//! [`client`] is tonic's client of the service; [`FILE_DESCRIPTOR_SET`] is for reflection. `cargo xtask codegen` writes the
//! generated part again after a change in `proto/`.
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

mod convert;
mod failure;
mod heartbeat;
mod method;
mod reason;
pub mod transport;

pub use convert::InvalidMessage;
pub use failure::ERROR_DOMAIN;
pub use heartbeat::{HEARTBEAT, SILENCE, WithHeartbeats};
pub use method::{Method, Rpc, SERVICE, rpc};
pub use reason::{Reason, Retry};
pub use v1::polarway_service_client as client;

/// The revision of `polarway.v1` that this crate was generated from. It grows with every addition;
/// nothing is ever taken away.
pub const PROTOCOL_REVISION: u32 = 4;

/// The oldest revision of `polarway.v1` that a client of a server of this one may have been built from.
pub const OLDEST_CLIENT_REVISION: u32 = 4;

/// The protocol's definition as a serialized `google.protobuf.FileDescriptorSet`, without comments.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("generated/descriptors.bin");

/// The package `polarway.v1`, generated: messages at the top, their choices in modules of their names.
pub mod v1 {
    include!("generated/polarway.v1.rs");
}
