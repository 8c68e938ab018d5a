//! Scans of tables, ranges of numbers, and constant lists.

use datafusion::common::Column;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, Operator as Binary, lit};

use super::Translator;
use super::comparisons::compare;
use super::constants::constant;
use super::expressions::joined;
use super::relation::{OutputColumn, Relation, RowOrder};
use super::types::{arrow_type, as_type, is_read_as};
use crate::bound::{ColumnIndex, Expression, Get, Operator, SqlType, TableFilter};
use crate::refusal::Refusal;

/// The most numbers of a range: they travel in the plan.
const MOST_NUMBERS: usize = 2_000;

impl Translator<'_> {
    pub(super) fn get(&mut self, get: &Get) -> Result<Relation, Refusal> {
        if matches!(get.name.as_str(), "range" | "generate_series") {
            return self.range(get);
        }
        if get.name == "unnest" {
            return self.listed(get);
        }
        if get.name != "seq_scan" {
            return Err(Refusal::Operator(format!("GET of {}", get.name)));
        }
        if !get.extra_info["sample_options"].is_null() {
            return Err(Refusal::Operator("SAMPLE".to_owned()));
        }
        let data = &get.function_data;
        let name = data["table"].as_str().filter(|_| data["catalog"] == "temp");
        let table = name.and_then(|name| self.bound.tables.get(name));
        let table =
            table.ok_or_else(|| Refusal::Operator("GET of a table of another database".to_owned()))?;
        let source = self.tables.source(&table.name);
        let source = source.ok_or_else(|| Refusal::Operator(format!("GET of {}", table.name)))?;
        let schema = source.schema();
        let scan = LogicalPlanBuilder::scan(self.fresh(), source, None)?.build()?;

        // All columns of the table, in the order in which the plan counts them.
        let mut projected = Vec::new();
        let mut columns = Vec::with_capacity(get.names.len());
        for (name, sql_type) in get.names.iter().zip(&get.returned_types) {
            let fresh = self.fresh();
            let mut refused = table
                .refused_columns
                .get(name)
                .map(|reason| Refusal::Column { column: name.clone(), reason: reason.clone() });
            let found = schema.fields().iter().position(|field| field.name() == name);
            match (found, arrow_type(sql_type)) {
                _ if refused.is_some() => {}
                (_, Err(refusal)) => refused = Some(refusal),
                (None, _) => return Err(Refusal::Form(format!("{} has no column {name}", table.name))),
                (Some(place), Ok(wanted)) => {
                    let stored = schema.field(place).data_type();
                    let column = Expr::Column(Column::from(scan.schema().qualified_field(place)));
                    match *stored == wanted {
                        true => projected.push(column.alias(&fresh)),
                        false if is_read_as(stored, &wanted) => {
                            projected.push(as_type(column, &wanted)?.alias(&fresh));
                        }
                        false => {
                            refused =
                                Some(Refusal::Cast { from: stored.to_string(), to: sql_type.to_string() });
                        }
                    }
                }
            }
            let (column, sql_type) = (Column::new_unqualified(fresh), sql_type.clone());
            columns.push(OutputColumn { column, sql_type, refused });
        }
        if projected.is_empty() {
            return Err(Refusal::Form(format!("{} has no column that can be read", table.name)));
        }
        let plan = LogicalPlanBuilder::new(scan).project(projected)?.build()?;
        let table = Relation { plan, columns, order: RowOrder::Any, is_repeatable: true, size: 2 };

        self.read(table, get)
    }

    /// The rows that pass the scan's filters, with the columns that it reads.
    fn read(&mut self, rows: Relation, get: &Get) -> Result<Relation, Refusal> {
        let filters = get.table_filters.filters.iter();
        let filters = filters.map(|filter| self.table_filter(&filter.value, rows.column(filter.key)?, &rows));
        let filters: Vec<Expr> = filters.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        let places = self.places(get)?;
        self.filtered(rows, filters)?.mapped(&places)?.mapped(&get.projection_ids)
    }

    /// `range`, or `generate_series`, of constant BIGINTs.
    fn range(&mut self, get: &Get) -> Result<Relation, Refusal> {
        let unknown = || Refusal::Operator(format!("GET of {}", get.name));
        let numbers = get.parameters.iter().map(|parameter| match parameter.sql_type {
            SqlType::BigInt if !parameter.is_null => parameter.value.as_i64().ok_or_else(unknown),
            _ => Err(unknown()),
        });
        let (start, end, step) = match numbers.collect::<Result<Vec<_>, _>>()?.as_slice() {
            [end] => (0, *end, 1),
            [start, end] => (*start, *end, 1),
            [start, end, step] if *step != 0 => (*start, *end, *step),
            _ => return Err(unknown()),
        };
        let is_closed = get.name == "generate_series";
        let is_within = |number: &i64| match (is_closed, step > 0) {
            (true, true) => *number <= end,
            (true, false) => *number >= end,
            (false, true) => *number < end,
            (false, false) => *number > end,
        };
        let numbers =
            std::iter::successors(Some(start), |number| number.checked_add(step)).take_while(is_within);
        let rows: Vec<Vec<Expr>> = numbers.take(MOST_NUMBERS + 1).map(|number| vec![lit(number)]).collect();
        if rows.len() > MOST_NUMBERS || get.returned_types != [SqlType::BigInt] {
            return Err(unknown());
        }
        let rows = match rows.is_empty() {
            true => self.empty(&[SqlType::BigInt])?,
            false => self.literal_rows(rows, &[SqlType::BigInt])?,
        };
        self.read(rows, get)
    }

    /// The items of a constant list.
    fn listed(&mut self, get: &Get) -> Result<Relation, Refusal> {
        let ([list], [item]) = (get.parameters.as_slice(), get.returned_types.as_slice()) else {
            return Err(Refusal::Operator(format!("GET of {}", get.name)));
        };
        let list =
            Expression::Unnest { list: Box::new(Expression::Constant(list.clone())), sql_type: item.clone() };
        let nothing = self.operator(&Operator::DummyScan)?;
        // Behind the column of the row that was there before.
        let rows = self.unnest(nothing, &[list])?.mapped(&[1])?;
        self.read(rows, get)
    }

    /// The columns that are read.
    fn places(&self, get: &Get) -> Result<Vec<usize>, Refusal> {
        let place = |column: &ColumnIndex| {
            let place = usize::try_from(column.index).ok().filter(|place| *place < get.names.len());
            let place = place.filter(|_| column.child_indexes.is_empty());
            place.ok_or_else(|| Refusal::Operator("GET of a part of a column".to_owned()))
        };
        get.column_indexes.iter().map(place).collect()
    }

    /// The condition on a column; `None` is none.
    fn table_filter(
        &self,
        filter: &TableFilter,
        column: &OutputColumn,
        table: &Relation,
    ) -> Result<Option<Expr>, Refusal> {
        let all = |filters: &[TableFilter], operator| {
            let parts = filters.iter().map(|filter| self.table_filter(filter, column, table));
            let parts = parts.collect::<Result<Vec<_>, _>>()?;
            let known: Vec<Expr> = parts.iter().flatten().cloned().collect();
            match known.is_empty() || (operator == Binary::Or && known.len() < parts.len()) {
                true => Ok(None),
                false => joined(known, operator).map(Some),
            }
        };
        let equal = |value| compare(column.value()?, "COMPARE_EQUAL", constant(value)?, &column.sql_type);
        Ok(Some(match filter {
            TableFilter::Compare { operator, constant: value } => {
                if value.sql_type != column.sql_type {
                    return Err(Refusal::Form(format!(
                        "{} is filtered by {}",
                        column.sql_type, value.sql_type
                    )));
                }
                compare(column.value()?, operator, constant(value)?, &column.sql_type)?
            }
            TableFilter::IsNull => column.value()?.is_null(),
            TableFilter::IsNotNull => column.value()?.is_not_null(),
            TableFilter::And(filters) => return all(filters, Binary::And),
            TableFilter::Or(filters) => return all(filters, Binary::Or),
            TableFilter::In(values) => match values.is_empty() {
                true => lit(false),
                false => joined(values.iter().map(equal).collect::<Result<_, _>>()?, Binary::Or)?,
            },
            TableFilter::Expression(expression) => {
                let only = Relation { columns: vec![column.clone()], ..table.clone() };
                self.expression(expression, &only)?
            }
            TableFilter::Optional => return Ok(None),
            TableFilter::Unknown(name) => return Err(Refusal::Operator(format!("GET with {name}"))),
        }))
    }
}
