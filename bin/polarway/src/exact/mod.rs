//! Texts as values, where nothing of the text is lost: no digit, no fraction of a second, no leading zero.
//!
//! Each function gives a value only if writing that value down says the same as the text; else the text is none of that kind.

mod number;
mod time;

pub(crate) use number::{double, integer, nearest_double};
pub(crate) use time::{Moment, date, moment};

/// `true` or `false`, in any case.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}
