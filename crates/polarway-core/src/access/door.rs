//! The door: data can be reached only through [`Access::authorize`].
//!
//! [`Guarded`] holds what datasets, handles and queries are reached by, and its field is private to this file. So whatever
//! else is written in this crate, it gets at them with what [`Access::authorize`] returns, or not at all.

use std::sync::Arc;

use polarway_query::{Engine, PlanFiles};
use polarway_storage::{Loader, Tables};

use super::{AccessPolicy, Action, Caller, Target};
use crate::error::{Error, ErrorKind, Result};
use crate::handles::Handles;
use crate::polarway::EngineParts;

/// What datasets, handles and queries are reached by.
pub(crate) struct Data {
    pub(super) tables: Arc<Tables>,
    pub(super) loader: Loader,
    pub(super) queries: Engine,
    pub(super) handles: Handles,
    pub(super) plan_files: Arc<dyn PlanFiles>,
}

impl Data {
    pub(crate) fn new(
        tables: Arc<Tables>,
        loader: Loader,
        queries: Engine,
        handles: Handles,
        plan_files: Arc<dyn PlanFiles>,
    ) -> Self {
        Self { tables, loader, queries, handles, plan_files }
    }
}

/// The same behind the door.
pub(crate) struct Guarded {
    data: Data,
    policy: Arc<dyn AccessPolicy>,
}

impl Guarded {
    pub(crate) fn new(data: Data, policy: Arc<dyn AccessPolicy>) -> Self {
        Self { data, policy }
    }

    /// For the engine's own work, which no caller asked for: `access/upkeep.rs` has all of it.
    pub(super) fn without_caller(&self) -> &Data {
        &self.data
    }
}

/// An engine as one caller may use it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Access {
    engine: Arc<EngineParts>,
    caller: Caller,
}

impl Access {
    pub(crate) fn new(engine: Arc<EngineParts>, caller: Caller) -> Self {
        Self { engine, caller }
    }

    /// The engine's parts, those with data behind the door.
    pub(crate) fn engine(&self) -> &Arc<EngineParts> {
        &self.engine
    }

    /// For whom it is.
    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Whether the caller may do this.
    pub(super) fn may(&self, action: Action, target: Target<'_>) -> bool {
        self.engine.guarded.policy.allows(&self.caller, action, target) && self.caller.allows(action, target)
    }

    /// Gives what the caller needs to do this, if he may.
    ///
    /// # Errors
    /// He may not. What he may not read looks as if it were not there.
    pub(super) fn authorize(&self, action: Action, target: Target<'_>) -> Result<&Data> {
        match self.may(action, target) {
            true => Ok(&self.engine.guarded.data),
            false => {
                self.tell_refused(action, target);
                Err(self.refusal(action, target))
            }
        }
    }

    /// Gives what is found, if the caller may do this to it: for what can't be asked about before it is found.
    ///
    /// # Errors
    /// Those of the search, and as [`authorize`](Self::authorize).
    pub(super) fn authorize_found<T>(
        &self,
        action: Action,
        find: impl FnOnce(&Data) -> Result<T>,
        target: impl FnOnce(&T) -> Target<'_>,
    ) -> Result<(&Data, T)> {
        let found = find(self.authorize(Action::Read, Target::Engine)?)?;
        let data = self.authorize(action, target(&found))?;
        Ok((data, found))
    }

    /// Tells whoever decides that the caller asked for something and did not get it.
    pub(super) fn tell_refused(&self, action: Action, target: Target<'_>) {
        self.engine.guarded.policy.refused(&self.caller, action, target);
        self.caller.refused(action, target);
    }

    fn refusal(&self, action: Action, target: Target<'_>) -> Error {
        let data = &self.engine.guarded.data;
        match target {
            // Whether there is such a dataset is nothing that this tells.
            Target::Dataset(_) if action == Action::Write => self.denied(action, target),
            Target::Engine | Target::Statistics => self.denied(action, target),
            _ if self.may(Action::Read, target) => self.denied(action, target),
            Target::Dataset(name) => {
                let nearest = data.tables.nearest_names(name.as_str(), |near| self.sees(near));
                let (name, nearest) = (name.as_str().to_owned(), nearest.unwrap_or_default()); // a help only
                polarway_storage::Error::UnknownDataset { name, deleted: false, nearest }.into()
            }
            Target::Handle { id, .. } => data.handles.store().unknown(id).into(),
            Target::Analytics { .. } | Target::RunningQuery { .. } => self.denied(action, target),
        }
    }

    fn denied(&self, action: Action, target: Target<'_>) -> Error {
        let message = format!("{} may not {action} {target}", self.caller);
        Error::new(ErrorKind::PermissionDenied, message)
    }
}
