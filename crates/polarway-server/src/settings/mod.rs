//! Settings: one definition each, from which come the flags and their help, the variables, the keys of the configuration
//! file, `polarway config show` and the reference page.
//!
//! A flag beats a variable, a variable beats the file, the file beats the default. [`Settings::read`] puts them together.

mod command;
mod definition;
mod error;
mod reference;
mod resolve;
mod show;
mod values;

pub(crate) use command::after_help;
pub use command::arguments;
pub use error::SettingsError;
pub use reference::reference;
pub use resolve::{Settings, Sources};
