//! Every way to the query engine.

use std::sync::Arc;

use polarway_query::{Catalog, InterruptHandle, QueryOptions, QueryStatus, ResultSink};

use super::{Access, Action, Target};
use crate::error::{Error, ErrorKind, Result};

impl Access {
    /// Starts a query of the caller's, who becomes its owner.
    pub(crate) fn start_query(
        &self,
        sql: &str,
        catalog: Arc<dyn Catalog>,
        options: QueryOptions,
        sink: Box<dyn ResultSink>,
    ) -> Result<InterruptHandle> {
        let data = self.authorize(Action::Query, Target::Engine)?;
        let (owner, most_of_owner) = (self.caller().shared_name(), self.caller().quota().queries);
        let call = self.caller().call().cloned();
        let options = QueryOptions { owner, most_of_owner, call, ..options };
        Ok(data.queries.start(sql, catalog, options, sink)?)
    }

    /// The queries that the caller may see, the oldest first.
    pub(crate) fn queries(&self) -> Result<Vec<QueryStatus>> {
        let mut queries = self.authorize(Action::Read, Target::Engine)?.queries.queries();
        queries.retain(|query| self.may(Action::Read, target(query)));
        Ok(queries)
    }

    /// Stops a query.
    pub(crate) fn cancel_query(&self, id: &str) -> Result<()> {
        let unknown = || Error::new(ErrorKind::UnknownQuery, format!("no query {id:?} runs here"));
        let queries = self.authorize(Action::Read, Target::Engine)?.queries.queries();
        let query = queries.iter().find(|query| query.id.to_string() == id).ok_or_else(unknown)?;
        if !self.may(Action::Read, target(query)) {
            self.tell_refused(Action::Delete, target(query));
            return Err(unknown());
        }
        match self.authorize(Action::Delete, target(query))?.queries.cancel(query.id) {
            true => Ok(()),
            false => Err(unknown()),
        }
    }

    /// Whether a query of the caller's may read a table of the analytics database.
    pub(crate) fn sees_analytics(&self, schema: &str, table: &str) -> bool {
        self.may(Action::Read, Target::Analytics { schema, table })
    }
}

fn target(query: &QueryStatus) -> Target<'_> {
    Target::RunningQuery { owner: &query.owner }
}
