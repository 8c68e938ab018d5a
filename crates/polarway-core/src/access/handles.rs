//! Every way to a result that is kept.

use std::time::Duration;

use polarway_handles::{Error, Handle, HandleId};
use polarway_query::Relation;

use super::{Access, Action, Data, Target};
use crate::error::{ErrorKind, Result};
use crate::handles::{HandleRows, ResultStore, Use};

impl Access {
    /// A handle, described.
    pub(crate) fn handle(&self, id: HandleId) -> Result<Handle> {
        Ok(self.find_handle(Action::Read, id)?.1)
    }

    /// A handle to which the caller may do this.
    ///
    /// # Errors
    /// There is none. How one ended is told to those who might read it.
    fn find_handle(&self, action: Action, id: HandleId) -> Result<(&Data, Handle)> {
        let find = |data: &Data| {
            let store = data.handles.store();
            store.get(id).map_err(|error| match &error {
                Error::Expired { owner, .. } | Error::Dropped { owner, .. } | Error::Lost { owner, .. } => {
                    match self.may(Action::Read, Target::Handle { id, owner: owner.as_deref() }) {
                        true => error.into(),
                        false => store.unknown(id).into(),
                    }
                }
                _ => error.into(),
            })
        };
        self.authorize_found(action, find, target)
    }

    /// All handles that the caller may see, in any order.
    pub(crate) fn handles(&self) -> Result<Vec<Handle>> {
        let mut handles = self.authorize(Action::Read, Target::Engine)?.handles.store().list()?;
        handles.retain(|handle| self.may(Action::Read, target(handle)));
        Ok(handles)
    }

    /// Puts off when a handle expires.
    pub(crate) fn extend_handle(&self, id: HandleId, ttl: Option<Duration>) -> Result<Handle> {
        let (data, _) = self.find_handle(Action::Write, id)?;
        Ok(data.handles.store().extend(id, ttl)?)
    }

    /// Drops a handle; one that was dropped before is dropped.
    pub(crate) fn drop_handle(&self, id: HandleId) -> Result<()> {
        match self.find_handle(Action::Delete, id) {
            Ok((data, _)) => Ok(data.handles.store().remove(id)?),
            Err(error) if error.kind() == ErrorKind::HandleDropped => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A handle's rows, for someone who is about to use them.
    pub(crate) fn open_handle(&self, id: HandleId) -> Result<Box<dyn HandleRows>> {
        // To open one puts off when it expires, so a caller has to be asked about before. Who may read any handle needs no look.
        if !self.may(Action::Read, Target::Handle { id, owner: None }) {
            self.find_handle(Action::Read, id)?;
        }
        let find = |data: &Data| data.handles.open(id);
        Ok(self.authorize_found(Action::Read, find, |rows| target(rows.handle()))?.1)
    }

    /// A handle as a query reads it; it is in use until the query ends.
    pub(crate) fn handle_relation(&self, id: HandleId) -> Result<Relation> {
        let rows = self.open_handle(id)?;
        Ok(self.authorize(Action::Query, Target::Engine)?.handles.relation(rows))
    }

    /// Keeps a handle that was found from expiring for as long as it is read.
    pub(crate) fn use_handle(&self, handle: &Handle) -> Result<Use> {
        Ok(self.authorize(Action::Read, target(handle))?.handles.in_use.begin(handle))
    }

    /// Where results are kept, for one that is about to be, and for how long unless somebody says so.
    pub(crate) fn results_to_keep(&self) -> Result<(&dyn ResultStore, Duration)> {
        let handles = &self.authorize(Action::Keep, Target::Engine)?.handles;
        Ok((&**handles.results(), handles.ttl))
    }
}

fn target(handle: &Handle) -> Target<'_> {
    Target::Handle { id: handle.id, owner: handle.owner.as_deref() }
}
