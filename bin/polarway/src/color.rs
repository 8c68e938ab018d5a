//! Whether output has colours.

use std::env;
use std::io::{self, IsTerminal as _};

/// Whether standard error supports colours, and they are not turned off (<https://no-color.org>).
pub(crate) fn is_wanted() -> bool {
    let is_refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    io::stderr().is_terminal() && !is_refused && !is_dumb
}
