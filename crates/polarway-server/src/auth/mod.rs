//! Who makes a request. This is determined once, before any service sees the request.
//!
//! The [`Gate`] reads the token of each call and asks the [`Authenticator`] for its [`Session`]. Together with the call's id and
//! address this makes the [`Requester`], from which [`Call`](crate::call::Call) takes the caller. What the caller may do is
//! decided by the engine's access check.

mod audit;
mod authenticator;
mod bearer;
mod config;
mod digest;
mod file;
mod gate;
mod jwt;
mod new_token;
mod pattern;
mod requester;
mod rights;
mod secret;
mod session;
mod table;

pub(crate) use audit::Origin;
pub use authenticator::AuthError;
pub(crate) use authenticator::{Authenticator, NoSession};
pub use config::{AuthConfig, Reflection};
pub use file::AuthFileError;
pub(crate) use gate::Gate;
pub use jwt::{JwtConfig, JwtError, KeySetError, KeySource};
pub use new_token::{MadeToken, NewToken, NewTokenError};
pub(crate) use requester::Requester;
pub use rights::Role;
pub use secret::Secret;
pub(crate) use session::Session;
