//! Random aggregates.

use super::expressions::{Maker, Scope};
use super::form::Form;
use super::types::Type;

/// Aggregates of a value of any type, whose results are the same in any order of rows.
const OF_ANY: [&str; 5] = ["count({})", "count(DISTINCT {})", "min({})", "max({})", "count({})"];

/// Aggregates of all values of a group. `#n` is the column that numbers the rows.
const OF_ALL: [&str; 12] = [
    "list({} ORDER BY #n)",
    "array_agg({} ORDER BY #n % 3 DESC, #n)",
    "list_sort(list({}))",
    "list_sort(list(DISTINCT {}))",
    "len(list({}))",
    "list(DISTINCT {} ORDER BY {} DESC)",
    "histogram({})",
    "quantile_disc({}, 0.9)",
    "quantile_disc({}, [0.25, 0.0, 1.0])",
    "first({} ORDER BY #n)",
    "arg_max({}, #n)",
    "list({})",
];

/// Aggregates of all numbers, or all texts, of a group.
const OF_ALL_NUMBERS: [&str; 3] =
    ["median({})", "quantile_cont({}, 0.9)", "quantile_cont({}, [0.0, 0.25, 1.0])"];
const OF_ALL_TEXTS: [&str; 3] = [
    "string_agg({}, ', ' ORDER BY #n DESC)",
    "string_agg(DISTINCT {}, '' ORDER BY {})",
    "string_agg({}, '')",
];

/// Aggregates of numbers whose sums are exact. Deviations are not: near zero their rounding is all there is.
const OF_EXACT: [&str; 8] = [
    "sum({})",
    "avg({})",
    "sum(DISTINCT {})",
    "avg(DISTINCT {})",
    "median({})",
    "bit_and({})",
    "bit_or({})",
    "bit_xor({})",
];

impl Maker<'_> {
    pub(super) fn aggregate(&mut self, scope: &Scope) -> Form {
        let call = match self.noise.below(8) {
            6 => self.of_all_values(scope),
            0 => Form::piece("count(*)", Vec::new()),
            1 => Form::piece("bool_and({})", vec![self.value(Type::Boolean, scope, 1)]),
            2 | 3 => {
                let text = self.pick(&OF_EXACT);
                let of = self.pick(&[
                    Type::SmallInt,
                    Type::Integer,
                    Type::HugeInt,
                    Type::Decimal(4, 1),
                    Type::Decimal(9, 3),
                    Type::Decimal(18, 2),
                    Type::Decimal(38, 10),
                    Type::BigInt,
                    Type::Boolean,
                ]);
                match scope.iter().find(|(name, _)| name.ends_with(".x")) {
                    Some((x, _)) if self.one_in(3) => {
                        Form::piece(text, vec![Form::value(Type::Double, x.clone(), Vec::new())])
                    }
                    _ => Form::piece(text, vec![self.value(of, scope, 1)]),
                }
            }
            _ => {
                let text = self.pick(&OF_ANY);
                Form::piece(text, vec![self.any(scope, 1).0])
            }
        };
        let filter = match self.one_in(4) {
            true => Form::clause(" FILTER ({})", vec![self.value(Type::Boolean, scope, 1)]),
            false => Form::nothing(),
        };
        Form::piece("{}{}", vec![call, filter])
    }

    fn of_all_values(&mut self, scope: &Scope) -> Form {
        let Some((number, _)) = scope.iter().find(|(name, _)| name.ends_with(".n")) else {
            return Form::piece("count(*)", Vec::new());
        };
        let (text, value) = match self.noise.below(4) {
            0 => {
                let of = self.pick(&[Type::Integer, Type::BigInt, Type::Double, Type::UTinyInt]);
                (self.pick(&OF_ALL_NUMBERS), self.value(of, scope, 1))
            }
            1 => (self.pick(&OF_ALL_TEXTS), self.value(Type::Varchar, scope, 1)),
            _ => (self.pick(&OF_ALL), self.any(scope, 1).0),
        };
        let values = vec![value; text.matches("{}").count()];
        Form::piece(text.replace("#n", number), values)
    }
}
