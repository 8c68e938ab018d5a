//! Texts as values, without loss: no digit, no fraction of a second, no leading zero is lost.
//!
//! Each function returns a value only if writing the value gives the same as the text; else the text is not of that kind.

mod number;
mod time;

pub(crate) use number::{double, integer, nearest_double};
pub(crate) use time::{Moment, date, moment};

/// `true` or `false`, ignoring case.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}
