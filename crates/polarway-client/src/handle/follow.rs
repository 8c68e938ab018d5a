//! Steps that run at once: each is one of the lazy query, collected into another handle.

use super::lazy::{LazyGroupBy, LazyQuery};
use super::{Handle, JoinHow, JoinSource};
use crate::error::Result;

/// Each method runs on the server and keeps its result there. The method of the same name of [`LazyQuery`], which does several
/// steps in one query, documents what it does and how expressions are written.
impl Handle {
    /// Steps that run as one query, when the result is requested.
    pub fn lazy(&self) -> LazyQuery {
        LazyQuery::of(&self.shared.client, self)
    }

    /// The rows for which the condition is true, in their order.
    ///
    /// # Errors
    /// As [`LazyQuery::filter`], and as [`query_handle`](crate::DistributedClient::query_handle).
    pub async fn filter(&self, condition: &str) -> Result<Self> {
        self.lazy().filter(condition)?.collect_handle().await
    }

    /// These columns of all rows, in their order.
    ///
    /// # Errors
    /// As [`LazyQuery::select`], and as [`query_handle`](crate::DistributedClient::query_handle).
    pub async fn select(&self, columns: impl IntoIterator<Item: AsRef<str>>) -> Result<Self> {
        let selected = self.lazy().select(columns)?;
        selected.collect_handle().await
    }

    /// All columns and these, of all rows in their order. A column whose name exists replaces that column.
    ///
    /// # Errors
    /// As [`LazyQuery::with_columns`], and as [`query_handle`](crate::DistributedClient::query_handle).
    pub async fn with_columns(&self, columns: impl IntoIterator<Item: AsRef<str>>) -> Result<Self> {
        let widened = self.lazy().with_columns(columns)?;
        widened.collect_handle().await
    }

    /// The rows in groups, to aggregate them.
    pub fn group_by(&self, keys: impl IntoIterator<Item: AsRef<str>>) -> GroupBy {
        GroupBy { groups: self.lazy().group_by(keys) }
    }

    /// Joins the rows with those of another handle, or of a dataset by its name.
    ///
    /// # Errors
    /// As [`LazyQuery::join`], and as [`query_handle`](crate::DistributedClient::query_handle).
    pub async fn join(
        &self,
        other: impl Into<JoinSource>,
        how: JoinHow,
        on: impl IntoIterator<Item: AsRef<str>>,
    ) -> Result<Self> {
        let joined = self.lazy().join(other, how, on)?;
        joined.collect_handle().await
    }

    /// Sorts the rows by these expressions.
    ///
    /// # Errors
    /// As [`LazyQuery::sort`], and as [`query_handle`](crate::DistributedClient::query_handle).
    pub async fn sort(&self, by: impl IntoIterator<Item: AsRef<str>>) -> Result<Self> {
        let sorted = self.lazy().sort(by)?;
        sorted.collect_handle().await
    }

    /// The first rows.
    ///
    /// # Errors
    /// As [`query_handle`](crate::DistributedClient::query_handle).
    pub async fn limit(&self, rows: u64) -> Result<Self> {
        self.lazy().limit(rows).collect_handle().await
    }

    /// Each different row once, in no defined order.
    ///
    /// # Errors
    /// As [`query_handle`](crate::DistributedClient::query_handle).
    pub async fn distinct(&self) -> Result<Self> {
        self.lazy().distinct().collect_handle().await
    }

    /// The result of your own SELECT, in which the table `self` is this handle.
    ///
    /// # Errors
    /// As [`LazyQuery::sql`], and as [`query_handle`](crate::DistributedClient::query_handle).
    pub async fn sql(&self, sql: &str) -> Result<Self> {
        self.lazy().sql(sql)?.collect_handle().await
    }
}

/// The rows of a handle in groups. Made by [`Handle::group_by`].
#[derive(Clone, Debug)]
#[must_use = "it does nothing before `agg`"]
pub struct GroupBy {
    groups: LazyGroupBy,
}

impl GroupBy {
    /// One row for each group: its keys, and these aggregates. The groups have no defined order.
    ///
    /// # Errors
    /// As [`LazyGroupBy::agg`], and as [`query_handle`](crate::DistributedClient::query_handle).
    pub async fn agg(self, aggregates: impl IntoIterator<Item: AsRef<str>>) -> Result<Handle> {
        let aggregated = self.groups.agg(aggregates)?;
        aggregated.collect_handle().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handle::lazy::tests::handle;

    #[tokio::test]
    async fn every_follow_up_can_be_made_on_a_task_of_its_own() {
        fn may_be_spawned<F: Future + Send>(_: F) {}

        let handle = handle("h_0", &["n"]);
        may_be_spawned(handle.filter("n > 1"));
        may_be_spawned(handle.select(["n"]));
        may_be_spawned(handle.with_columns(vec!["n + 1 AS m".to_owned()]));
        may_be_spawned(handle.group_by(["n"]).agg(["count(*)"]));
        may_be_spawned(handle.join(&handle, JoinHow::Inner, ["n"]));
        may_be_spawned(handle.join("names", JoinHow::Inner, ["n"]));
        may_be_spawned(handle.sort(["n"]));
        may_be_spawned(handle.limit(1));
        may_be_spawned(handle.distinct());
        may_be_spawned(handle.sql("FROM self"));
        may_be_spawned(handle.lazy().collect());
        may_be_spawned(handle.lazy().collect_handle());
        may_be_spawned(handle.load());
        may_be_spawned(handle.load_stream());
        may_be_spawned(handle.extend(None));
        may_be_spawned(handle.discard());
    }
}
