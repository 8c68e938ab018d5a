//! Polarway's protocol in Rust: messages and methods of `polarway.v1.PolarwayService`.
//!
//! This crate is the Rust form of `proto/` at the root of the repository, and of what both ends of a connection must agree
//! on besides:
//!
//! - [`Method`] lists the methods, with their paths; [`rpc`] has each as a type, with the messages that it takes and answers.
//! - [`transport`] moves messages, chunks without tonic's copies, and has the limits on them and the sizes of HTTP/2's windows.
//! - [`v1::Failure`] is the content of a failed call's [`Status`](tonic::Status), and [`Reason`] lists why calls fail.
//! - [`WithHeartbeats`] keeps a stream alive that has nothing to send.
//!
//! The types of `polarway-model` are converted to and from messages only here. This crate does not know how to connect, or
//! how a call is answered.
//!
//! A table's bytes are [`Bytes`] that share the buffer in which they were received.
//!
//! [`client`] is tonic's client of the service; [`FILE_DESCRIPTOR_SET`] is for reflection. `cargo xtask codegen`
//! regenerates the generated part after a change in `proto/`.
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

/// The revision of `polarway.v1` that this crate was generated from. It grows with every addition; nothing is ever removed.
pub const PROTOCOL_REVISION: u32 = 5;

/// The oldest revision of `polarway.v1` that a client of this server may have been built from.
pub const OLDEST_CLIENT_REVISION: u32 = 4;

/// The protocol's definition as a serialized `google.protobuf.FileDescriptorSet`, without comments.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("generated/descriptors.bin");

/// The package `polarway.v1`, generated: messages at the top level, their oneofs in modules named after them.
pub mod v1 {
    include!("generated/polarway.v1.rs");
}
