//! Exact sums of DOUBLEs.

use datafusion::error::Result;

use super::failed;

/// An exact sum, as parts of growing size that don't overlap (Shewchuk, 1997). Which parts it has depends on the order in which
/// numbers were added; their sum does not.
#[derive(Debug, Clone, Default)]
pub(super) struct Expansion {
    parts: Vec<f64>,
    /// The sum of the numbers that are infinite or NaN. With it, the others don't count.
    beyond: Option<f64>,
    /// Whether finite numbers gave a sum that is not, which another order might not give.
    is_lost: bool,
}

impl Expansion {
    pub(super) fn add(&mut self, number: f64) {
        match self.beyond {
            _ if !number.is_finite() => self.beyond = Some(self.beyond.unwrap_or_default() + number),
            Some(_) => {}
            None => self.add_finite(number),
        }
    }

    fn add_finite(&mut self, number: f64) {
        let mut sum = number;
        let mut kept = 0;
        for place in 0..self.parts.len() {
            let (total, rest) = two_sum(sum, self.parts[place]);
            if rest != 0.0 {
                self.parts[kept] = rest;
                kept += 1;
            }
            sum = total;
        }
        self.parts.truncate(kept);
        self.parts.push(sum);
        self.is_lost |= !sum.is_finite();
    }

    /// Adds a product. Of one that is nearly too small for a DOUBLE, bits may be lost, always the same.
    pub(super) fn add_product(&mut self, one: f64, other: f64) {
        let product = one * other;
        self.add(product);
        if product.is_finite() {
            self.add(one.mul_add(other, -product));
        }
    }

    pub(super) fn add_all(&mut self, numbers: impl IntoIterator<Item = f64>) {
        numbers.into_iter().for_each(|number| self.add(number));
    }

    /// Numbers with the same sum.
    ///
    /// # Errors
    /// If there may be none.
    pub(super) fn numbers(&self) -> Result<Vec<f64>> {
        match self.beyond {
            Some(beyond) => Ok(vec![beyond]),
            None if self.is_lost => failed("a sum is out of range"),
            None => Ok(self.parts.clone()),
        }
    }

    /// The DOUBLE that is nearest to the sum, the even one of two.
    pub(super) fn rounded(&self) -> f64 {
        if let Some(beyond) = self.beyond {
            return beyond;
        }
        let mut parts = self.parts.iter().rev().copied();
        let (mut sum, mut rest) = (0.0, 0.0);
        for part in parts.by_ref() {
            (sum, rest) = two_sum(sum, part);
            if rest != 0.0 {
                break;
            }
        }
        // If the rest was half of the last bit, the even neighbour was taken, whatever comes after it.
        let after = parts.next().unwrap_or_default();
        let other = sum + 2.0 * rest;
        let is_half = other - sum == 2.0 * rest;
        if is_half && after != 0.0 && rest.signum() == after.signum() { other } else { sum }
    }

    pub(super) fn bytes(&self) -> usize {
        self.parts.capacity() * size_of::<f64>()
    }
}

/// The sum of two numbers, and what it lacks.
fn two_sum(one: f64, other: f64) -> (f64, f64) {
    let (large, small) = if one.abs() < other.abs() { (other, one) } else { (one, other) };
    let sum = large + small;
    (sum, small - (sum - large))
}

#[cfg(test)]
mod tests {
    use super::Expansion;

    fn sum(numbers: &[f64]) -> Expansion {
        let mut sum = Expansion::default();
        sum.add_all(numbers.iter().copied());
        sum
    }

    #[test]
    fn a_sum_is_rounded_once_to_the_even_neighbour() {
        let half = f64::EPSILON / 2.0;
        for (numbers, rounded) in [
            (vec![], 0.0),
            (vec![1e100, 1.0, -1e100], 1.0),
            (vec![0.1; 10], 1.0),
            (vec![1.0, half], 1.0),
            (vec![1.0, half, 1e-300], 1.0 + 2.0 * half),
            (vec![-1.0, -half, -1e-300], -1.0 - 2.0 * half),
            (vec![1.0 + 2.0 * half, half, -1e-300], 1.0 + 2.0 * half),
            (vec![1.0, half, -1e-300], 1.0),
        ] {
            assert_eq!(sum(&numbers).rounded(), rounded, "{numbers:?}");
        }
    }

    #[test]
    fn a_sum_is_the_same_in_any_order_and_in_parts() {
        let mut noise = polarway_testing::Noise::new(5);
        let mut numbers: Vec<f64> = (0..2_000)
            .map(|_| (noise.below(1 << 20) as f64 - 5e5) * 2_f64.powi(noise.below(300) as i32 - 150))
            .collect();
        let all = sum(&numbers).rounded();
        numbers.reverse();
        assert_eq!(sum(&numbers).rounded(), all);
        numbers.sort_by(f64::total_cmp);
        assert_eq!(sum(&numbers).rounded(), all);
        let mut merged = sum(&numbers[..700]);
        merged.add_all(sum(&numbers[700..]).numbers().unwrap());
        assert_eq!(merged.rounded(), all);
    }

    #[test]
    fn products_are_exact() {
        let mut product = Expansion::default();
        product.add_product(1.0 + f64::EPSILON, 1.0 - f64::EPSILON);
        product.add(-1.0);
        assert_eq!(product.rounded(), -f64::EPSILON * f64::EPSILON);
    }

    #[test]
    fn a_sum_that_another_order_might_give_is_an_error() {
        assert!(sum(&[1e308, 1e308]).numbers().is_err());
        assert!(sum(&[1e308, 1e308, -1e308]).numbers().is_err());
        assert_eq!(sum(&[1e308, -1e308, 1e308]).rounded(), 1e308);
    }

    #[test]
    fn what_is_not_finite_makes_the_sum_so() {
        assert_eq!(sum(&[1.0, f64::INFINITY, -1e308]).rounded(), f64::INFINITY);
        assert!(sum(&[f64::INFINITY, 2.0, f64::NEG_INFINITY]).rounded().is_nan());
        assert!(sum(&[1.0, f64::NAN]).rounded().is_nan());
        let mut merged = sum(&[1.0]);
        merged.add_all(sum(&[f64::NEG_INFINITY]).numbers().unwrap());
        assert_eq!(merged.rounded(), f64::NEG_INFINITY);
    }
}
