//! Queries over several workers, each with a port of its own.

mod answers;
mod endings;
mod limits;
mod losses;
mod process;
mod refusals;
mod support;
