//! Settings: one definition each. The flags and their help, the variables, the keys of the configuration file,
//! `polarway config show` and the reference page are made from it.
//!
//! A flag overrides a variable, a variable the file, the file the default. [`Settings::read`] combines them.

mod command;
mod definition;
mod error;
mod groups;
mod reference;
mod resolve;
mod show;
mod values;

pub(crate) use command::after_help;
pub use command::arguments;
pub(crate) use definition::TOKEN_VARIABLE;
pub use error::SettingsError;
pub use reference::reference;
pub use resolve::{Settings, Sources};
