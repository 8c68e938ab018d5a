//! TLS as the server and the client both use it.
//!
//! This crate owns the choice of algorithms ([`provider`]), how certificates and keys are read from PEM files and checked
//! before they are used ([`Identity`], [`roots`]), messages for failed connections ([`explain`]), and a reader that
//! makes TLS fast for large transfers ([`ReadAhead`]). It does not know who connects to whom, or what is sent.

mod identity;
mod pem;
mod provider;
mod read_ahead;
mod read_through;
mod words;

pub use identity::Identity;
pub use pem::{CredentialError, Pem, roots};
pub use provider::{ALPN, VERSIONS, provider};
pub use read_ahead::{Ahead, ReadAhead};
pub use read_through::{ReadThrough, Reader};
pub use words::{Sides, explain, tls_error};
