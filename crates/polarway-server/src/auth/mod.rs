//! Who makes a request: found out once, before any service sees it.
//!
//! [`AuthLayer`] stands around all services. It reads the token of each request, asks the [`Authenticator`] whose it is, and gives
//! the request to its service with a [`Requester`], from which [`Call`](crate::call::Call) takes the caller. What the caller may
//! do is not decided here but at the engine's door.

mod authenticator;
mod bearer;
mod config;
mod digest;
mod layer;
mod requester;
mod secret;

pub(crate) use authenticator::Authenticator;
pub use config::{AuthConfig, Reflection};
pub(crate) use layer::AuthLayer;
pub(crate) use requester::Requester;
pub use secret::Secret;
