//! Random expressions.

use polarway_testing::Noise;

use super::form::Form;
use super::functions::Function;
use super::tables::literal;
use super::types::{STORED, Type};

/// Columns that can be read.
pub(super) type Scope = Vec<(String, Type)>;

/// Makes random SQL.
pub(super) struct Maker<'m> {
    pub(super) noise: Noise,
    pub(super) functions: &'m [Function],
    /// Whether functions that fail for some values are used. Which engine computes what for which rows is its own matter,
    /// so a query must not fail for rows that it could leave out.
    pub(super) may_fail: bool,
    /// The number in the next alias.
    next: usize,
    /// The places of the functions of the last query.
    used: Vec<usize>,
    /// How often each function was in a query that was translated, and in one that was refused.
    translated: Vec<usize>,
    refused: Vec<usize>,
}

/// Types that most expressions are of.
const COMMON: [Type; 8] = [
    Type::Boolean,
    Type::Integer,
    Type::BigInt,
    Type::Double,
    Type::Decimal(18, 2),
    Type::Varchar,
    Type::Date,
    Type::Timestamp,
];

impl<'m> Maker<'m> {
    pub(super) fn new(functions: &'m [Function]) -> Self {
        let none = vec![0; functions.len()];
        Self {
            noise: Noise::new(1),
            functions,
            may_fail: false,
            next: 0,
            used: Vec::new(),
            translated: none.clone(),
            refused: none,
        }
    }

    /// Learns whether the last query was translated.
    pub(super) fn learn(&mut self, is_translated: bool) {
        let counts = if is_translated { &mut self.translated } else { &mut self.refused };
        for place in self.used.drain(..) {
            counts[place] += 1;
        }
    }

    /// Whether to take a function: seldom, if it seems to be refused, since one such function refuses the query.
    fn is_wanted(&mut self, place: usize) -> bool {
        (self.translated[place] > 0 || self.refused[place] < 2) || self.one_in(20)
    }

    pub(super) fn one_in(&mut self, number: usize) -> bool {
        self.noise.below(number) == 0
    }

    pub(super) fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.noise.below(of.len())].clone()
    }

    pub(super) fn alias(&mut self) -> String {
        self.next += 1;
        format!("q{}", self.next)
    }

    pub(super) fn some_type(&mut self) -> Type {
        if self.one_in(2) { self.pick(&COMMON) } else { self.pick(&STORED) }
    }

    /// A value of any type.
    pub(super) fn any(&mut self, scope: &Scope, depth: usize) -> (Form, Type) {
        let of = self.some_type();
        (self.value(of, scope, depth), of)
    }

    pub(super) fn values(&mut self, most: usize, scope: &Scope, depth: usize) -> Vec<(Form, Type)> {
        (0..1 + self.noise.below(most)).map(|_| self.any(scope, depth)).collect()
    }

    /// A value of this type.
    pub(super) fn value(&mut self, of: Type, scope: &Scope, depth: usize) -> Form {
        if depth == 0 || self.one_in(6) {
            return self.leaf(of, scope);
        }
        let may_fail = self.may_fail;
        let functions = self.functions;
        let known =
            functions.iter().enumerate().filter(|(_, known)| known.of == of && (may_fail || !known.may_fail));
        let known: Vec<_> = known.filter(|(place, _)| self.is_wanted(*place)).collect();
        if known.is_empty() {
            return self.leaf(of, scope);
        }
        let (place, function) = known[self.noise.below(known.len())];
        self.used.push(place);
        self.may_fail = may_fail && !function.may_skip;
        let parts = function.arguments.iter().map(|argument| self.value(*argument, scope, depth - 1));
        let parts = parts.collect();
        self.may_fail = may_fail;
        Form::value(of, function.text.clone(), parts)
    }

    fn leaf(&mut self, of: Type, scope: &Scope) -> Form {
        let columns: Vec<&String> =
            scope.iter().filter(|(_, known)| *known == of).map(|(name, _)| name).collect();
        if !columns.is_empty() && !self.one_in(4) {
            return Form::value(of, columns[self.noise.below(columns.len())].clone(), Vec::new());
        }
        let text = match self.one_in(12) {
            true => format!("CAST(NULL AS {of})"),
            false => format!("CAST({} AS {of})", literal(&mut self.noise, of)),
        };
        Form::value(of, text, Vec::new())
    }
}
