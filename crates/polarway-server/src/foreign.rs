//! The paths of the services that are not ours.

/// What the paths of the services begin with that say whether a server works.
pub(crate) const HEALTH: &str = "/grpc.health.";

/// What the paths of the services begin with that describe the others.
pub(crate) const REFLECTION: &str = "/grpc.reflection.";
