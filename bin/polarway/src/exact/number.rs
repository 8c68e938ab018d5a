//! Numbers.

use std::str::FromStr;

/// No double has more significant digits than this.
const MOST_DIGITS: usize = 767;

/// A double of ordinary size can distinguish any two decimal numbers with this many digits.
const ALWAYS_HELD_DIGITS: usize = 15;

/// 2^53: below it, each integer has its own double.
const INTEGERS_HELD: f64 = 9_007_199_254_740_992.0;

/// An integer in common notation. With a leading zero or a plus sign it is a code: `0123` is not a number, and `-0` is not
/// an integer.
pub(crate) fn integer<I: FromStr>(text: &str) -> Option<I> {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let is_plain = match digits {
        [b'0'] => digits.len() == text.len(),
        [first, ..] => *first != b'0' && digits.iter().all(u8::is_ascii_digit),
        [] => false,
    };
    // Parsing checks the range.
    if is_plain { text.parse().ok() } else { None }
}

/// A number that a double can hold: printed with the text's number of digits, the double gives the same number. `0.1` is
/// held, and so is `0.10000000000000001`, the same double as other programs write it; `0.1234567890123456789` is not.
/// Integers are held only below 2^53: `18446744073709551616` is a double, but is not held.
pub(crate) fn double(text: &str) -> Option<f64> {
    let value = nearest_double(text)?;
    if !value.is_finite() {
        return Some(value);
    }
    let is_integer = !text.contains(['.', 'e', 'E']);
    let is_held = if is_integer { value.abs() < INTEGERS_HELD } else { Digits::of(text)?.are_told_by(value) };
    is_held.then_some(value)
}

/// The double nearest to a number, even if digits are lost. `None` if it is not a number or out of range.
pub(crate) fn nearest_double(text: &str) -> Option<f64> {
    match text {
        "NaN" | "nan" => Some(f64::NAN),
        "inf" => Some(f64::INFINITY),
        "-inf" => Some(f64::NEG_INFINITY),
        _ => {
            Digits::of(text)?;
            text.parse().ok().filter(|value: &f64| value.is_finite())
        }
    }
}

/// The significant digits of a decimal number, and the position of its point.
struct Digits<'a> {
    whole: &'a [u8],
    fraction: &'a [u8],
    /// The first significant digit's power of ten.
    exponent: i64,
    count: usize,
}

impl<'a> Digits<'a> {
    /// `None` if it is not in common notation; a leading zero is not.
    fn of(text: &'a str) -> Option<Self> {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (mantissa, power) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, Self::power(power)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let (whole, fraction) = (whole.as_bytes(), fraction.as_bytes());
        let has_digits = !whole.is_empty() || !fraction.is_empty();
        let is_code = whole.len() > 1 && whole[0] == b'0';
        let is_number = has_digits && !is_code && whole.iter().chain(fraction).all(u8::is_ascii_digit);
        if !is_number {
            return None;
        }
        let is_zero = |digit: &&u8| **digit == b'0';
        let digits = whole.len() + fraction.len();
        let leading = whole.iter().chain(fraction).take_while(is_zero).count();
        let trailing = fraction.iter().rev().chain(whole.iter().rev()).take_while(is_zero).count();
        let first = whole.len() as i64 - 1 - leading as i64;
        let count = digits.saturating_sub(leading + trailing);
        Some(Self { whole, fraction, exponent: first.saturating_add(power), count })
    }

    fn power(text: &str) -> Option<i64> {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        // An exponent that is out of range is far outside a double's range: parsing the number checks that.
        Some(text.parse().unwrap_or(0))
    }

    fn are_told_by(&self, value: f64) -> bool {
        if self.count == 0 {
            return true;
        }
        if self.count <= ALWAYS_HELD_DIGITS && (1e-300..1e300).contains(&value.abs()) {
            return true;
        }
        if self.count > MOST_DIGITS || value == 0.0 {
            return false;
        }
        let written = format!("{:.*e}", self.count - 1, value.abs());
        let Some((mantissa, exponent)) = written.split_once('e') else { return false };
        let significant = self.whole.iter().chain(self.fraction).skip_while(|digit| **digit == b'0');
        exponent.parse() == Ok(self.exponent)
            && mantissa.bytes().filter(|byte| *byte != b'.').eq(significant.take(self.count).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_is_one_only_as_it_is_commonly_written() {
        for (text, value) in [("0", 0), ("7", 7), ("-12", -12), ("9223372036854775807", i64::MAX)] {
            assert_eq!(integer(text), Some(value), "{text}");
        }
        assert_eq!(integer("18446744073709551615"), Some(u64::MAX));
        for text in ["", "-", "-0", "007", "+1", " 1", "1 ", "1.0", "1e3", "9223372036854775808", "٣"] {
            assert_eq!(integer::<i64>(text), None, "{text}");
        }
    }

    #[test]
    fn a_double_holds_the_numbers_that_it_can_be_written_as() {
        for text in [
            "0",
            "-0",
            "0.5",
            ".5",
            "5.",
            "1e3",
            "-2.5E-7",
            "1.10",
            "0.1",
            "0.10000000000000001",
            "1.000000000000000056e-01",
            "0.30000000000000004",
            "5e-324",
            "1.7976931348623157e308",
            "9007199254740991",
            "-9007199254740991",
            "1e23",
            "0.0000e999999999999999999999",
        ] {
            assert_eq!(double(text), Some(text.parse().unwrap()), "{text}");
        }
        assert!(double("NaN").unwrap().is_nan());
        assert_eq!(double("-inf"), Some(f64::NEG_INFINITY));
    }

    #[test]
    fn digits_that_a_double_would_lose_make_no_double() {
        for text in [
            "9007199254740992",
            "9007199254740993",
            "18446744073709551616",
            "100000000000000000000000",
            "9007199254740993.0",
            "0.1234567890123456789",
            "18446744073709551615",
            "1e400",
            "-1e400",
            "1e-400",
            "3e-324",
            "1e99999999999999999999",
        ] {
            assert_eq!(double(text), None, "{text}");
        }
        assert_eq!(nearest_double("9007199254740993"), Some(9_007_199_254_740_992.0));
        assert_eq!(nearest_double("1e400"), None);
    }

    #[test]
    fn what_is_not_written_as_a_number_is_none() {
        for text in [
            "", ".", "-", "e3", "1e", "1e+", "1.2.3", "0x10", "01.5", "00", "+1.5", "1_000", "1,5",
            "infinity",
        ] {
            assert_eq!((double(text), nearest_double(text)), (None, None), "{text}");
        }
    }
}
