//! Metrics of the server: calls, connections, the process.

mod list;
mod reference;

pub use reference::reference;
