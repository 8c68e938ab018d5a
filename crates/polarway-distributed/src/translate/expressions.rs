//! Expressions.

use datafusion::logical_expr::expr::{Case, InList};
use datafusion::logical_expr::{Expr, ExprSchemable as _, Operator as Binary};

use super::Translator;
use super::casts::cast_to;
use super::comparisons::{binary, compare};
use super::constants::constant;
use super::relation::Relation;
use super::scalar_functions::function;
use crate::bound::{Expression, SqlType};
use crate::functions::NULLABLE;
use crate::refusal::Refusal;

impl Translator<'_> {
    /// An expression over the columns of `input`.
    pub(super) fn expression(&self, expression: &Expression, input: &Relation) -> Result<Expr, Refusal> {
        let translate = |expression: &Expression| self.expression(expression, input);
        Ok(match expression {
            Expression::Column { index, .. } => input.column(*index)?.value()?,
            Expression::Constant(value) => constant(value)?,
            Expression::Cast { child, to, is_try } => {
                cast_to(translate(child)?, &child.sql_type(), to, *is_try)?
            }
            Expression::Comparison { operator, left, right } => {
                compare(translate(left)?, operator, translate(right)?, &common_type(left, right)?)?
            }
            Expression::Conjunction { is_and, children } => {
                let operator = if *is_and { Binary::And } else { Binary::Or };
                let children = children.iter().map(translate).collect::<Result<Vec<_>, _>>()?;
                joined(children, operator)?
            }
            Expression::Between(between) => {
                let sql_type = common_type(&between.input, &between.lower)?;
                if sql_type.is_nested() {
                    // DuckDB does it in a result, and not in a condition.
                    return Err(Refusal::Expression(format!("BETWEEN of {sql_type}")));
                }
                let value = translate(&between.input)?;
                let lower = if between.lower_inclusive {
                    "COMPARE_GREATERTHANOREQUALTO"
                } else {
                    "COMPARE_GREATERTHAN"
                };
                let upper =
                    if between.upper_inclusive { "COMPARE_LESSTHANOREQUALTO" } else { "COMPARE_LESSTHAN" };
                let lower = compare(value.clone(), lower, translate(&between.lower)?, &sql_type)?;
                lower.and(compare(value, upper, translate(&between.upper)?, &sql_type)?)
            }
            Expression::Case(case) => {
                let mut branches = Vec::with_capacity(case.case_checks.len());
                for check in &case.case_checks {
                    branches.push((
                        Box::new(translate(&check.when_expr)?),
                        Box::new(translate(&check.then_expr)?),
                    ));
                }
                cases(branches, translate(&case.else_expr)?, input)?
            }
            Expression::Operator { operator, children, sql_type } => {
                let values = children.iter().map(translate).collect::<Result<Vec<_>, _>>()?;
                operator_of(operator, children, values, sql_type, input)?
            }
            Expression::Function(called) => {
                if let Some(value) = self.of_unordered(called, input)? {
                    return Ok(value);
                }
                let values = called.children.iter().map(translate).collect::<Result<Vec<_>, _>>()?;
                function(called, values)?
            }
            Expression::Aggregate(aggregate) => return Err(Refusal::Expression(aggregate.name.clone())),
            Expression::Window(window) => return Err(Refusal::Expression(window.kind.clone())),
            Expression::Unnest { .. } => return Err(Refusal::Expression("UNNEST".to_owned())),
            Expression::Unknown(name) => return Err(Refusal::Expression(name.clone())),
        })
    }
}

/// The type of both sides; NULL without a type has any.
fn common_type(left: &Expression, right: &Expression) -> Result<SqlType, Refusal> {
    match (left.sql_type(), right.sql_type()) {
        (SqlType::Null, other) | (other, SqlType::Null) => Ok(other),
        (one, other) if one == other => Ok(one),
        (one, other) => Err(Refusal::Form(format!("{one} is compared with {other}"))),
    }
}

pub(super) fn joined(parts: Vec<Expr>, operator: Binary) -> Result<Expr, Refusal> {
    let all = parts.into_iter().reduce(|one, other| binary(one, operator, other));
    all.ok_or_else(|| Refusal::Form("a conjunction of nothing".to_owned()))
}

/// CASE with these branches.
fn cases(branches: Vec<(Box<Expr>, Box<Expr>)>, otherwise: Expr, input: &Relation) -> Result<Expr, Refusal> {
    let schema = input.plan.schema();
    let results = branches.iter().map(|(_, result)| result.as_ref()).chain([&otherwise]);
    let nullable = results.map(|result| result.nullable(schema)).collect::<Result<Vec<_>, _>>()?;
    let case = Expr::Case(Case::new(None, branches, Some(Box::new(otherwise))));
    // The conditions may exclude all NULLs. DataFusion's logical and physical plans don't always find that alike, and must.
    Ok(if nullable.contains(&true) { NULLABLE.call(vec![case]) } else { case })
}

fn operator_of(
    operator: &str,
    children: &[Expression],
    mut values: Vec<Expr>,
    sql_type: &SqlType,
    input: &Relation,
) -> Result<Expr, Refusal> {
    let unknown = || Refusal::Expression(operator.to_owned());
    if values.is_empty() {
        return Err(unknown());
    }
    Ok(match operator {
        "OPERATOR_NOT" => Expr::Not(Box::new(values.remove(0))),
        "OPERATOR_IS_NULL" => values.remove(0).is_null(),
        "OPERATOR_IS_NOT_NULL" => values.remove(0).is_not_null(),
        "OPERATOR_COALESCE" => {
            // Each is computed only where those before it are NULL.
            let last = values.pop().ok_or_else(unknown)?;
            let branches =
                values.into_iter().map(|value| (Box::new(value.clone().is_not_null()), Box::new(value)));
            let branches: Vec<_> = branches.collect();
            match branches.is_empty() {
                true => last,
                false => cases(branches, last, input)?,
            }
        }
        "OPERATOR_NULLIF" => {
            let [one, other] = children else { return Err(unknown()) };
            let is_equal =
                compare(values[0].clone(), "COMPARE_EQUAL", values[1].clone(), &common_type(one, other)?)?;
            let null = super::constants::null(sql_type)?;
            cases(vec![(Box::new(is_equal), Box::new(null))], values.remove(0), input)?
        }
        "COMPARE_IN" | "COMPARE_NOT_IN" => {
            let of = children[0].sql_type();
            if let Some(other) = children.iter().find(|child| common_type(&children[0], child).is_err()) {
                return Err(Refusal::Form(format!("{of} in values of {}", other.sql_type())));
            }
            if matches!(&children[0], Expression::Constant(constant) if constant.is_null) {
                // DataFusion does not compute the list, and an error in it is lost.
                return Err(Refusal::Expression("NULL IN".to_owned()));
            }
            let is_negated = operator == "COMPARE_NOT_IN";
            let value = super::comparisons::key(values.remove(0), &of)?;
            let list = values.into_iter().map(|value| super::comparisons::key(value, &of));
            let list = list.collect::<Result<Vec<_>, _>>()?;
            match list.iter().all(|item| matches!(item, Expr::Literal(..))) {
                true => Expr::InList(InList::new(Box::new(value), list, is_negated)),
                // DataFusion takes a CASE in a list for what it is where there are no rows.
                false => {
                    let equal = list.into_iter().map(|item| binary(value.clone(), Binary::Eq, item));
                    let is_in = joined(equal.collect(), Binary::Or)?;
                    if is_negated { Expr::Not(Box::new(is_in)) } else { is_in }
                }
            }
        }
        _ => return Err(unknown()),
    })
}
