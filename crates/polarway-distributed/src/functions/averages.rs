//! Averages of numbers whose sum is exact, with the rounding of DuckDB.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray as _, Float64Array};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Decimal256Type, Int64Type, i256};
use datafusion::error::Result;

use super::sums::fitting;
use super::{Native, unexpected};

/// The bits that numbers of the C++ type `long double` have. DuckDB divides in it, and rounds the quotient again to a DOUBLE.
const LONG_BITS: u32 = match () {
    () if cfg!(all(target_arch = "x86_64", not(windows))) => 64,
    () if cfg!(all(target_arch = "aarch64", target_os = "linux")) => 113,
    () => f64::MANTISSA_DIGITS,
};

/// 2^64.
const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;

/// `average(sum, count, is_short)`: the average of so many numbers with this exact sum. The sum of `is_short` numbers, which
/// have at most 16 bits, is divided as a DOUBLE.
pub(crate) const AVERAGE: Native = Native::new(
    "duckdb_average",
    |_| Ok(DataType::Float64),
    |arguments, _| {
        let (sums, scale) = exact_sums(&arguments[0])?;
        let counts = arguments[1].as_primitive::<Int64Type>();
        let scale = scale_factor(scale);
        let is_short = arguments[2].as_boolean().value(0);
        let average = |(sum, count): (Option<i128>, Option<i64>)| {
            let (sum, count) = (sum?, count?.unsigned_abs());
            Some(match is_short {
                true => sum as f64 / (count as f64 * scale),
                false => quotient(sum, count, scale),
            })
        };
        Ok(Arc::new(sums.into_iter().zip(counts).map(average).collect::<Float64Array>()) as ArrayRef)
    },
);

/// Sums as integers, and the scale that they have.
fn exact_sums(sums: &ArrayRef) -> Result<(Vec<Option<i128>>, i8)> {
    Ok(match sums.data_type() {
        DataType::Decimal128(_, scale) => (sums.as_primitive::<Decimal128Type>().iter().collect(), *scale),
        DataType::Decimal256(_, scale) => {
            let sums = sums.as_primitive::<Decimal256Type>().iter();
            (sums.map(|sum| sum.map(fitting).transpose()).collect::<Result<_>>()?, *scale)
        }
        other => return Err(unexpected("duckdb_average", std::slice::from_ref(other))),
    })
}

/// By what integers are divided, for decimals with this scale. From 10^23 on, no DOUBLE is the power itself.
fn scale_factor(scale: i8) -> f64 {
    let power = 10_u128.pow(u32::from(scale.unsigned_abs()));
    (power as u64) as f64 + (power >> 64) as f64 * TWO_TO_64
}

fn quotient(sum: i128, count: u64, scale: f64) -> f64 {
    let factor = scale as u128;
    let zeros = factor.trailing_zeros();
    let divisor = Long::nearest(u128::from(count) * (factor >> zeros), zeros.cast_signed(), false);
    let average = Long::nearest(sum.unsigned_abs(), 0, false).divided_by(divisor).to_double();
    if sum < 0 { -average } else { average }
}

/// A number that is not negative, as `mantissa * 2^exponent`, with the precision of a `long double`. The first of the mantissa's
/// bits is set, except for zero.
#[derive(Debug, Clone, Copy)]
struct Long {
    mantissa: u128,
    exponent: i32,
}

impl Long {
    /// The number nearest to `mantissa * 2^exponent`, the even one of two. With `has_rest`, a bit more is meant.
    fn nearest(mantissa: u128, exponent: i32, has_rest: bool) -> Self {
        let bits = u128::BITS - mantissa.leading_zeros();
        if bits <= LONG_BITS {
            let more = LONG_BITS - bits;
            return Self { mantissa: mantissa << more, exponent: exponent - more.cast_signed() };
        }
        let fewer = bits - LONG_BITS;
        let (kept, half) = (mantissa >> fewer, 1 << (fewer - 1));
        let rest = mantissa - (kept << fewer);
        let is_up = rest > half || (rest == half && (has_rest || kept % 2 == 1));
        Self { mantissa: kept + u128::from(is_up), exponent: exponent + fewer.cast_signed() }
    }

    fn divided_by(self, divisor: Self) -> Self {
        // Both mantissas are as long, so the quotient has two bits more than it needs.
        const PLACES: u8 = LONG_BITS as u8 + 2;
        let (dividend, by) =
            (i256::from_parts(self.mantissa, 0) << PLACES, i256::from_parts(divisor.mantissa, 0));
        let (quotient, rest) = (dividend / by, dividend % by);
        let exponent = self.exponent - divisor.exponent - i32::from(PLACES);
        Self::nearest(quotient.to_parts().0, exponent, rest != i256::ZERO)
    }

    fn to_double(self) -> f64 {
        self.mantissa as f64 * 2_f64.powi(self.exponent)
    }
}
