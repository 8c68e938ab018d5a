//! Random windows.

use super::expressions::{Maker, Scope};
use super::form::Form;

/// Functions of which rows that are equal in the order get the same values.
const RANKS: [&str; 4] = ["rank()", "dense_rank()", "percent_rank()", "cume_dist()"];

/// Functions of the place of a row.
const PLACES: [&str; 3] = ["row_number()", "ntile(3)", "ntile(50)"];

/// Functions of a value in another row.
const OF_OTHERS: [&str; 8] = [
    "lag({})",
    "lead({})",
    "lag({}, 2)",
    "lead({}, 0)",
    "lag({}, -1)",
    "first_value({})",
    "last_value({})",
    "nth_value({}, 2)",
];

const FRAMES: [&str; 11] = [
    " ROWS BETWEEN 1 PRECEDING AND 2 FOLLOWING",
    " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING",
    " ROWS BETWEEN 2 FOLLOWING AND 1 FOLLOWING",
    " ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
    " RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
    " RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
    " GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW",
    " ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE CURRENT ROW",
    " ROWS 3 PRECEDING",
    " GROUPS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
    " GROUPS BETWEEN CURRENT ROW AND 2 FOLLOWING",
];

impl Maker<'_> {
    /// Rows with functions of windows.
    pub(super) fn windows(&mut self) -> Form {
        let name = self.pick(&["t", "t", "u", "e"]);
        let (from, scope) = self.table(name);
        let mut values = vec![Form::piece("n", Vec::new())];
        values.extend((0..1 + self.noise.below(3)).map(|_| self.over(&scope)));
        let filter = self.filter(&scope);
        Form::piece("SELECT {} FROM {}{}", vec![Form::list(", ", values), from, filter])
    }

    fn over(&mut self, scope: &Scope) -> Form {
        let partition = match self.one_in(2) {
            true => Form::clause("PARTITION BY {} ", vec![self.any(scope, 1).0]),
            false => Form::nothing(),
        };
        // Rows that are equal in an order have no places in it, so most orders end with what numbers the rows.
        let has_peers = self.one_in(3);
        let call = match has_peers {
            true if self.one_in(2) => Form::piece(self.pick(&RANKS), Vec::new()),
            true => self.aggregate(scope),
            false => self.by_place(scope),
        };
        let order = Form::clause(format!("{{}}{}", self.direction()), vec![self.any(scope, 0).0]);
        let (order, frame) = match has_peers {
            true if self.one_in(3) => (Form::nothing(), Form::nothing()),
            true => (Form::clause("ORDER BY {}", vec![order]), Form::nothing()),
            false => {
                let order = if self.one_in(2) { Form::clause("{}, ", vec![order]) } else { Form::nothing() };
                let frame = if self.one_in(2) { self.pick(&FRAMES) } else { "" };
                (
                    Form::piece(format!("ORDER BY {{}}n{}", self.direction()), vec![order]),
                    Form::clause(frame, Vec::new()),
                )
            }
        };
        Form::piece("{} OVER ({}{}{})", vec![call, partition, order, frame])
    }

    fn by_place(&mut self, scope: &Scope) -> Form {
        match self.noise.below(5) {
            0 => Form::piece(self.pick(&PLACES), Vec::new()),
            1 => Form::piece(self.pick(&OF_OTHERS), vec![self.any(scope, 1).0]),
            2 => {
                let of = self.some_type();
                let default = self.value(of, &Scope::new(), 0);
                Form::piece("lag({}, 1, {})", vec![self.value(of, scope, 0), default])
            }
            _ => self.aggregate(scope),
        }
    }
}
