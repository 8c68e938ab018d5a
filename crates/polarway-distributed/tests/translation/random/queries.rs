//! Random queries.

use super::expressions::{Maker, Scope};
use super::form::Form;
use super::tables::ROWS;
use super::types::{STORED, Type};

/// Kinds of joins, and whether the columns of both sides can be read.
const JOINS: [(&str, bool); 7] = [
    ("JOIN", true),
    ("LEFT JOIN", true),
    ("RIGHT JOIN", true),
    ("FULL JOIN", true),
    ("SEMI JOIN", false),
    ("ANTI JOIN", false),
    ("LEFT JOIN", true),
];

impl Maker<'_> {
    /// A query of any kind.
    pub(super) fn query(&mut self) -> Form {
        let query = match self.noise.below(9) {
            8 => self.unnested(),
            0 => return self.of_one_row(),
            1 => return self.ordered(),
            2 => self.selected(2).0,
            3 => self.grouped(),
            4 => self.joined(),
            5 => self.set_operation(),
            6 => self.windows(),
            _ => self.with_subquery(),
        };
        if self.one_in(3) { self.in_order(query) } else { query }
    }

    /// Expressions that may fail, over one row, so that all of them are computed once.
    fn of_one_row(&mut self) -> Form {
        self.may_fail = true;
        let name = self.pick(&ROWS);
        let (from, scope) = self.table(name);
        let values = self.values(2, &scope, 3).into_iter().map(|(value, _)| value).collect();
        self.may_fail = false;
        Form::piece("SELECT {} FROM {}", vec![Form::list(", ", values), from])
    }

    /// Some rows in an order that leaves no choice.
    fn ordered(&mut self) -> Form {
        let (from, scope) = self.table("t");
        let filter = self.filter(&scope);
        let order = self.any(&scope, 1).0;
        let values = self.values(3, &scope, 2).into_iter().map(|(value, _)| value).collect();
        let (direction, limit) = (self.direction(), self.limit());
        Form::piece(
            format!("SELECT {{}} FROM {{}}{{}} ORDER BY {{}}n{direction}{{}}"),
            vec![
                Form::list(", ", values),
                from,
                filter,
                Form::clause(format!("{{}}{}, ", self.direction()), vec![order]),
                limit,
            ],
        )
    }

    /// A query's rows in an order of all columns.
    fn in_order(&mut self, query: Form) -> Form {
        let (direction, limit) = (self.direction(), self.limit());
        Form::piece(format!("SELECT * FROM ({{}}) AS all_of ORDER BY ALL{direction}{{}}"), vec![query, limit])
    }

    pub(super) fn direction(&mut self) -> String {
        let direction = self.pick(&["", " ASC", " DESC"]);
        let nulls = self.pick(&["", " NULLS FIRST", " NULLS LAST"]);
        format!("{direction}{nulls}")
    }

    fn limit(&mut self) -> Form {
        let (limit, offset) = (self.noise.below(9), self.noise.below(50));
        match self.noise.below(4) {
            0 => Form::clause(format!(" LIMIT {limit}"), Vec::new()),
            1 => Form::clause(format!(" LIMIT {limit} OFFSET {offset}"), Vec::new()),
            2 => Form::clause(format!(" OFFSET {offset}"), Vec::new()),
            _ => Form::nothing(),
        }
    }

    /// A table, and its columns behind its alias.
    pub(super) fn table(&mut self, name: &str) -> (Form, Scope) {
        let alias = self.alias();
        let named = |name: &str, of: Type| (format!("{alias}.{name}"), of);
        let own = [named("n", Type::Integer), named("k", Type::Integer), named("x", Type::Double)];
        let scope = STORED.iter().map(|of| named(of.column(), *of)).chain(own).collect();
        (Form::piece(format!("{name} AS {alias}"), Vec::new()), scope)
    }

    fn source(&mut self) -> (Form, Scope) {
        let name = self.pick(&["t", "t", "u", "e"]);
        let (table, scope) = self.table(name);
        if !self.one_in(4) {
            return (table, scope);
        }
        let (query, types) = self.selected(2);
        let alias = self.alias();
        let names = (0..types.len()).map(|place| format!("c{place}")).collect::<Vec<_>>();
        let scope = names.iter().zip(types).map(|(name, of)| (format!("{alias}.{name}"), of)).collect();
        (Form::piece(format!("({{}}) AS {alias}({})", names.join(", ")), vec![query]), scope)
    }

    pub(super) fn filter(&mut self, scope: &Scope) -> Form {
        match self.one_in(2) {
            true => Form::clause(" WHERE {}", vec![self.value(Type::Boolean, scope, 2)]),
            false => Form::nothing(),
        }
    }

    /// Values of the rows of a table, and their types.
    fn selected(&mut self, depth: usize) -> (Form, Vec<Type>) {
        let types: Vec<Type> = (0..1 + self.noise.below(3)).map(|_| self.some_type()).collect();
        (self.selected_as(&types, depth), types)
    }

    fn selected_as(&mut self, types: &[Type], depth: usize) -> Form {
        let name = self.pick(&["t", "t", "u", "e"]);
        let (from, scope) = self.table(name);
        let values = types.iter().map(|of| self.value(*of, &scope, depth)).collect();
        let filter = self.filter(&scope);
        let distinct = if self.one_in(4) { Form::clause("DISTINCT ", Vec::new()) } else { Form::nothing() };
        Form::piece("SELECT {}{} FROM {}{}", vec![distinct, Form::list(", ", values), from, filter])
    }

    /// The items of lists as rows, some of them with other columns.
    fn unnested(&mut self) -> Form {
        let (from, scope) = self.source();
        let lists = (0..1 + self.noise.below(2)).map(|_| {
            let of = self.pick(&[Type::Numbers, Type::Texts]);
            Form::piece("unnest({})", vec![self.value(of, &scope, 2)])
        });
        let mut values: Vec<Form> = lists.collect();
        values.extend(self.values(2, &scope, 1).into_iter().map(|(value, _)| value));
        let filter = self.filter(&scope);
        Form::piece("SELECT {} FROM {}{}", vec![Form::list(", ", values), from, filter])
    }

    fn grouped(&mut self) -> Form {
        let (from, scope) = self.source();
        let count = self.noise.below(3);
        let groups: Vec<Form> = (0..count).map(|_| self.any(&scope, 1).0).collect();
        let mut selected: Vec<Form> = groups.clone();
        selected.extend((0..1 + self.noise.below(3)).map(|_| self.aggregate(&scope)));
        let filter = self.filter(&scope);
        let by = match (groups.len(), self.noise.below(5)) {
            (0, _) => Form::nothing(),
            (_, 0) => Form::piece(" GROUP BY ROLLUP ({})", vec![Form::list(", ", groups)]),
            (_, 1) => Form::piece(" GROUP BY CUBE ({})", vec![Form::list(", ", groups)]),
            (_, 2) => {
                let first = groups[0].clone();
                Form::piece(" GROUP BY GROUPING SETS (({}), {}, ())", vec![Form::list(", ", groups), first])
            }
            _ => Form::piece(" GROUP BY {}", vec![Form::list(", ", groups)]),
        };
        let having = match self.one_in(4) {
            true => Form::clause(" HAVING count(*) > 1", Vec::new()),
            false => Form::nothing(),
        };
        Form::piece("SELECT {} FROM {}{}{}{}", vec![Form::list(", ", selected), from, filter, by, having])
    }

    fn joined(&mut self) -> Form {
        let ((left, left_scope), (right, right_scope)) = (self.source(), self.source());
        let (kind, has_both) = self.pick(&JOINS);
        let all: Scope = left_scope.iter().chain(&right_scope).cloned().collect();
        let of = self.some_type();
        let operator = self.pick(&["=", "=", "=", "=", "<", ">=", "<>", "IS NOT DISTINCT FROM"]);
        let mut conditions = vec![match (
            left_scope.iter().find(|(name, _)| name.ends_with(".k")),
            right_scope.iter().find(|(name, _)| name.ends_with(".k")),
        ) {
            (Some((one, _)), Some((other, _))) if self.one_in(2) => {
                Form::piece(format!("{one} {operator} {other}"), Vec::new())
            }
            _ => Form::piece(
                format!("{{}} {operator} {{}}"),
                vec![self.value(of, &left_scope, 1), self.value(of, &right_scope, 1)],
            ),
        }];
        if self.one_in(3) {
            conditions.push(self.value(Type::Boolean, &all, 2));
        }
        let read = if has_both { &all } else { &left_scope };
        let values = self.values(4, read, 1).into_iter().map(|(value, _)| value).collect();
        let filter = self.filter(read);
        Form::piece(
            format!("SELECT {{}} FROM {{}} {kind} {{}} ON {{}}{{}}"),
            vec![Form::list(", ", values), left, right, Form::list(" AND ", conditions), filter],
        )
    }

    fn set_operation(&mut self) -> Form {
        let types: Vec<Type> = (0..1 + self.noise.below(2)).map(|_| self.some_type()).collect();
        let (one, other) = (self.selected_as(&types, 1), self.selected_as(&types, 1));
        let operator =
            self.pick(&["UNION", "UNION ALL", "INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL"]);
        if self.one_in(3) {
            let third = self.selected_as(&types, 1);
            let next = self.pick(&["UNION", "UNION ALL", "EXCEPT"]);
            return Form::piece(format!("({{}} {operator} {{}}) {next} {{}}"), vec![one, other, third]);
        }
        Form::piece(format!("{{}} {operator} {{}}"), vec![one, other])
    }

    fn with_subquery(&mut self) -> Form {
        let (from, scope) = self.source();
        let of = self.some_type();
        let value = self.value(of, &scope, 1);
        let values: Vec<Form> = self.values(2, &scope, 1).into_iter().map(|(value, _)| value).collect();
        let (inner, inner_scope) = {
            let name = self.pick(&["t", "u", "e"]);
            self.table(name)
        };
        let of_inner = self.value(of, &inner_scope, 1);
        let both: Scope = inner_scope.iter().chain(&scope).cloned().collect();
        let inner_filter = match self.one_in(2) {
            true => self.filter(&inner_scope),
            false => Form::clause(" WHERE {}", vec![self.value(Type::Boolean, &both, 1)]),
        };
        let subquery = Form::piece("SELECT {} FROM {}{}", vec![of_inner, inner, inner_filter]);
        let condition = match self.noise.below(7) {
            0 => Form::piece("{} IN ({})", vec![value, subquery]),
            1 => Form::piece("{} NOT IN ({})", vec![value, subquery]),
            2 => Form::piece("EXISTS ({})", vec![subquery]),
            3 => Form::piece("NOT EXISTS ({})", vec![subquery]),
            4 => Form::piece("{} >= ANY ({})", vec![value, subquery]),
            5 => Form::piece("{} < ALL ({})", vec![value, subquery]),
            _ => Form::piece("{} = (SELECT max(v) FROM ({}) AS s(v))", vec![value, subquery]),
        };
        match self.noise.below(3) {
            0 => Form::piece("SELECT {}, {} FROM {}", vec![Form::list(", ", values), condition, from]),
            1 => Form::piece("SELECT {} FROM {} WHERE {}", vec![Form::list(", ", values), from, condition]),
            _ => Form::piece(
                "WITH c AS (SELECT {} FROM {} WHERE {}) SELECT * FROM c UNION ALL SELECT * FROM c",
                vec![Form::list(", ", values), from, condition],
            ),
        }
    }
}
