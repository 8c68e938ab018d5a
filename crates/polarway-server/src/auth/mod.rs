//! Who makes a request. This is determined once, before any service sees the request.
//!
//! [`AuthLayer`] stands around all services. It reads the token of each request, asks the [`Authenticator`] for its owner, and
//! passes the request to its service with a [`Requester`], from which [`Call`](crate::call::Call) takes the caller. What
//! the caller may do is decided by the engine's access check.

mod audit;
mod authenticator;
mod bearer;
mod config;
mod digest;
mod file;
mod jwt;
mod layer;
mod new_token;
mod pattern;
mod requester;
mod rights;
mod secret;
mod session;
mod table;

pub(crate) use audit::Origin;
pub use authenticator::AuthError;
pub(crate) use authenticator::Authenticator;
pub use config::{AuthConfig, Reflection};
pub use file::AuthFileError;
pub use jwt::{JwtConfig, JwtError, KeySetError, KeySource};
pub(crate) use layer::AuthLayer;
pub use new_token::{MadeToken, NewToken, NewTokenError};
pub(crate) use requester::Requester;
pub use rights::Role;
pub use secret::Secret;
