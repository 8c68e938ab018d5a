//! Several steps as one SQL text. Each step reads the result of the step before as the table `self`.

use polarway_model::{HandleOptions, QueryOptions};
use polarway_sql::{identifier, literal};
use polarway_table::Table;

use super::expression::{self, Column, Names, column, sort_key};
use super::{Handle, JoinHow, JoinSource};
use crate::client::DistributedClient;
use crate::error::{Error, ErrorKind, Result};

/// Several steps over a handle that become one query, which runs when its rows are requested. Made by [`Handle::lazy`].
///
/// An expression is a piece of DuckDB's SQL, such as `dep_delay / 60`. Each is checked to be a single one before anything
/// is sent, so that no text can be more than one expression. Give values from users as parameters, `$name`, to
/// [`collect_with`](Self::collect_with). Comments are not allowed in expressions. A subquery in one may read the table `self`,
/// which is the input of the step.
///
/// ```no_run
/// # use polarway_client::{Handle, Result, Table, params};
/// # async fn report(flights: Handle) -> Result<Table> {
/// let worst = flights
///     .lazy()
///     .filter("carrier = $carrier")?
///     .with_columns(["dep_delay / 60 AS hours"])?
///     .sort(["hours DESC NULLS LAST"])?
///     .limit(10);
/// println!("{}", worst.to_sql());
/// worst.collect_with(params![carrier = "UA"]).await
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "it does nothing before `collect`"]
pub struct LazyQuery {
    pub(super) client: DistributedClient,
    pub(super) sql: String,
    /// The names of the columns, if they are known from the steps.
    pub(super) columns: Option<Vec<String>>,
    /// The handles that must not be dropped before it has run.
    pub(super) handles: Vec<Handle>,
}

impl LazyQuery {
    pub(super) fn of(client: &DistributedClient, handle: &Handle) -> Self {
        let columns = handle.schema().fields().iter().map(|field| field.name().clone());
        Self {
            client: client.clone(),
            sql: format!("FROM {}", identifier(handle.id())),
            columns: Some(columns.collect()),
            handles: vec![handle.clone()],
        }
    }

    /// The rows for which the condition is true, in their order.
    ///
    /// # Errors
    /// Text that is not a single expression ([`ErrorKind::Expression`]).
    pub fn filter(&self, condition: &str) -> Result<Self> {
        let condition = expression::expression(condition)?;
        Ok(self.step(&format!("SELECT * FROM self WHERE {condition}"), self.columns.clone()))
    }

    /// These columns of all rows, in their order: `carrier`, `dep_delay / 60 AS hours`, `*`. A column without AS has the name
    /// that DuckDB gives it. If all are aggregates, the result is one row.
    ///
    /// # Errors
    /// No columns, and text that is not a single expression, with or without `AS name`.
    pub fn select(&self, columns: impl IntoIterator<Item: AsRef<str>>) -> Result<Self> {
        let columns = all(columns, column)?;
        let list = at_least_one(list(&columns), "columns to select")?;
        Ok(self.step(&format!("SELECT {list} FROM self"), names(&columns, self.columns.as_deref())))
    }

    /// All columns and these, each `expression AS name`, of all rows in their order. A column whose name exists replaces that
    /// column; the others are added at the end. All are computed from the columns of the input.
    ///
    /// After [`sql`](Self::sql), a [`join`](Self::join) with a dataset, and a [`select`](Self::select) of expressions without
    /// names, the client does not know the columns: then a replaced column moves to the end, too.
    ///
    /// # Errors
    /// No columns, text that is not a single expression with `AS name`, and two columns of one name.
    pub fn with_columns(&self, columns: impl IntoIterator<Item: AsRef<str>>) -> Result<Self> {
        let columns = all(columns, named_column)?;
        for (index, (name, _)) in columns.iter().enumerate() {
            if columns[..index].iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
                return Err(Error::new(
                    ErrorKind::Expression,
                    format!("two columns are to be called {name:?}"),
                ));
            }
        }
        at_least_one(
            columns.first().map(|_| String::new()).into_iter().collect::<Vec<_>>(),
            "columns to add",
        )?;
        let Some(before) = &self.columns else {
            let names = columns.iter().map(|(name, _)| literal(&name.to_lowercase()));
            let names = names.collect::<Vec<_>>().join(", ");
            let added = columns.iter().map(|(_, sql)| sql.as_str()).collect::<Vec<_>>().join(", ");
            let rest = format!("COLUMNS(lambda name: lower(name) NOT IN ({names}))");
            return Ok(self.step(&format!("SELECT {rest}, {added} FROM self"), None));
        };
        let is_there = |name: &str| before.iter().any(|other| other.eq_ignore_ascii_case(name));
        let (replaced, added): (Vec<_>, Vec<_>) = columns.iter().partition(|(name, _)| is_there(name));
        let texts = |columns: &[&(String, String)]| {
            columns.iter().map(|(_, sql)| sql.as_str()).collect::<Vec<_>>().join(", ")
        };
        let mut list = "*".to_owned();
        if !replaced.is_empty() {
            list = format!("* REPLACE ({})", texts(&replaced));
        }
        if !added.is_empty() {
            list = format!("{list}, {}", texts(&added));
        }
        let after = before.iter().cloned().chain(added.iter().map(|(name, _)| name.clone())).collect();
        Ok(self.step(&format!("SELECT {list} FROM self"), Some(after)))
    }

    /// The rows in groups of equal keys, to be [aggregated](LazyGroupBy::agg). A key is an expression, with or without
    /// `AS name`.
    pub fn group_by(&self, keys: impl IntoIterator<Item: AsRef<str>>) -> LazyGroupBy {
        let keys = keys.into_iter().map(|key| key.as_ref().to_owned()).collect();
        LazyGroupBy { query: self.clone(), keys }
    }

    /// Joins the rows with those of another handle, another query, or a dataset by its name, where the columns `on`, which both
    /// have, are equal. The result has those columns once; of others that both have, the right one gets `_1` after its name.
    /// The rows have no defined order.
    ///
    /// ```no_run
    /// # use polarway_client::{Handle, JoinHow, Result};
    /// # async fn named(flights: Handle, late: Handle) -> Result<()> {
    /// let with_names = flights.join("airlines", JoinHow::Left, ["carrier"]).await?;
    /// let punctual = flights.join(&late, JoinHow::Anti, ["carrier", "flight"]).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// No columns to join on, and invalid names.
    pub fn join(
        &self,
        other: impl Into<JoinSource>,
        how: JoinHow,
        on: impl IntoIterator<Item: AsRef<str>>,
    ) -> Result<Self> {
        let JoinSource { relation, columns, handles } = other.into();
        if relation.contains('\0') {
            return Err(Error::new(ErrorKind::Expression, "a name with a NUL character is no dataset's"));
        }
        let on = all(on, |name| Ok(name.to_owned()))?;
        if let Some(name) = on.iter().find(|name| name.is_empty() || name.contains('\0')) {
            return Err(Error::new(
                ErrorKind::Expression,
                format!("{name:?} is no name of a column to join on"),
            ));
        }
        let quoted = on.iter().map(|name| identifier(name)).collect::<Vec<_>>();
        let using = at_least_one(quoted, "columns to join on")?;
        let columns = match how.has_both() {
            true => joined(self.columns.as_deref(), columns.as_deref(), &on),
            false => self.columns.clone(),
        };
        // With the inner SELECT, DuckDB renames columns of one name before they are a result.
        let inside = format!("SELECT * FROM self {} JOIN {relation} USING ({using})", how.keyword());
        let mut step = self.step(&format!("SELECT * FROM ({inside})"), columns);
        step.handles.extend(handles);
        Ok(step)
    }

    /// Sorts the rows by these expressions, each with an optional ASC, DESC, NULLS FIRST or NULLS LAST after it. By default the
    /// order is ascending, and NULLs come last.
    ///
    /// # Errors
    /// Nothing to sort by, and text that is not a single expression.
    pub fn sort(&self, by: impl IntoIterator<Item: AsRef<str>>) -> Result<Self> {
        let keys = at_least_one(all(by, sort_key)?, "expressions to sort by")?;
        Ok(self.step(&format!("SELECT * FROM self ORDER BY {keys}"), self.columns.clone()))
    }

    /// The first rows.
    pub fn limit(&self, rows: u64) -> Self {
        self.step(&format!("SELECT * FROM self LIMIT {rows}"), self.columns.clone())
    }

    /// Each different row once, in no defined order.
    pub fn distinct(&self) -> Self {
        self.step("SELECT DISTINCT * FROM self", self.columns.clone())
    }

    /// The result of your own SELECT, in which the table `self` is the input: `SELECT … FROM self WHERE …`. It is only checked to
    /// be one statement; give values from users as parameters.
    ///
    /// # Errors
    /// Text that is not a single statement.
    pub fn sql(&self, sql: &str) -> Result<Self> {
        let statement = expression::statement(sql)?;
        // The line break ends a comment at the end of the text.
        Ok(self.step(&format!("SELECT * FROM (\n{statement}\n)"), None))
    }

    /// The whole query.
    pub fn to_sql(&self) -> &str {
        &self.sql
    }

    /// Runs it, and returns its rows.
    ///
    /// # Errors
    /// As [`query`](DistributedClient::query); a column that does not exist is an error of this call.
    pub async fn collect(&self) -> Result<Table> {
        self.collect_with(QueryOptions::default()).await
    }

    /// As [`collect`](Self::collect), with values for parameters or with other options.
    ///
    /// # Errors
    /// As [`query_with`](DistributedClient::query_with).
    pub async fn collect_with(&self, options: impl Into<QueryOptions>) -> Result<Table> {
        self.client.query_with(&self.sql, options).await
    }

    /// Runs it, and keeps its result on the server.
    ///
    /// # Errors
    /// As [`query_handle`](DistributedClient::query_handle); a column that does not exist is an error of this call.
    pub async fn collect_handle(&self) -> Result<Handle> {
        self.collect_handle_with(HandleOptions::default()).await
    }

    /// As [`collect_handle`](Self::collect_handle), with values for parameters or with other options.
    ///
    /// # Errors
    /// As [`query_handle_with`](DistributedClient::query_handle_with).
    pub async fn collect_handle_with(&self, options: impl Into<HandleOptions>) -> Result<Handle> {
        self.client.query_handle_with(&self.sql, options).await
    }

    /// Adds a SELECT over the result of the step before.
    fn step(&self, select: &str, columns: Option<Vec<String>>) -> Self {
        // Most steps are read once. If one is not materialized, DuckDB optimizes through it, and filters reach the files.
        let sql = format!("WITH self AS NOT MATERIALIZED (\n{}\n)\n{select}", self.sql);
        Self { client: self.client.clone(), sql, columns, handles: self.handles.clone() }
    }
}

/// The rows of a query in groups. Made by [`LazyQuery::group_by`].
#[derive(Clone, Debug)]
#[must_use = "it does nothing before `agg`"]
pub struct LazyGroupBy {
    query: LazyQuery,
    keys: Vec<String>,
}

impl LazyGroupBy {
    /// One row for each group: its keys, and these aggregates, such as `count(*) AS n`; without aggregates, only the keys. The
    /// groups have no defined order.
    ///
    /// # Errors
    /// No keys (use [`select`](LazyQuery::select) to aggregate all rows), and text that is not a single expression, with or
    /// without `AS name`.
    pub fn agg(&self, aggregates: impl IntoIterator<Item: AsRef<str>>) -> Result<LazyQuery> {
        let keys = all(&self.keys, |text| {
            let key = column(text)?;
            match &key.names {
                Names::All => Err(Error::new(
                    ErrorKind::Expression,
                    "* is no key to group by: `distinct` groups by all",
                )),
                _ => Ok(key),
            }
        })?;
        let places: Vec<String> = (1..=keys.len()).map(|place| place.to_string()).collect();
        let places = at_least_one(places, "keys to group by")?;
        let columns = [keys, all(aggregates, column)?].concat();
        let select = format!("SELECT {} FROM self GROUP BY {places}", list(&columns).join(", "));
        Ok(self.query.step(&select, names(&columns, None)))
    }
}

/// All items, or the first error.
fn all<T>(texts: impl IntoIterator<Item: AsRef<str>>, read: impl Fn(&str) -> Result<T>) -> Result<Vec<T>> {
    texts.into_iter().map(|text| read(text.as_ref())).collect()
}

/// The name of a column to add, and its SQL after SELECT.
fn named_column(text: &str) -> Result<(String, String)> {
    let Column { sql, alias, .. } = column(text)?;
    match alias {
        Some(name) => Ok((name, sql)),
        None => {
            let message = format!("{text:?} has no name: write `… AS name`");
            Err(Error::new(ErrorKind::Expression, message))
        }
    }
}

fn list(columns: &[Column]) -> Vec<String> {
    columns.iter().map(|column| column.sql.clone()).collect()
}

/// A list in SQL.
fn at_least_one(list: Vec<String>, what: &str) -> Result<String> {
    match list.is_empty() {
        true => Err(Error::new(ErrorKind::Expression, format!("there are no {what}: name one or more"))),
        false => Ok(list.join(", ")),
    }
}

/// The names of the columns of a result, if all are known and different.
fn names(columns: &[Column], before: Option<&[String]>) -> Option<Vec<String>> {
    let mut all = Vec::new();
    for column in columns {
        match &column.names {
            Names::One(name) => all.push(name.clone()),
            Names::All => all.extend_from_slice(before?),
            Names::Unknown => return None,
        }
    }
    are_distinct(&all).then_some(all)
}

/// The names of the columns after a join.
fn joined(left: Option<&[String]>, right: Option<&[String]>, on: &[String]) -> Option<Vec<String>> {
    let is_key = |name: &&String| on.iter().any(|key| key.eq_ignore_ascii_case(name));
    let mut all = left?.to_vec();
    all.extend(right?.iter().filter(|name| !is_key(name)).cloned());
    are_distinct(&all).then_some(all)
}

fn are_distinct(names: &[String]) -> bool {
    let mut sorted: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    sorted.sort_unstable();
    sorted.windows(2).all(|pair| pair[0] != pair[1])
}

#[cfg(test)]
pub(super) mod tests;
