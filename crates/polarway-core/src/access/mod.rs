//! Who may do what: the one door before datasets, handles and queries.
//!
//! Everything that a [`Polarway`] does, it does for a [`Caller`]. What datasets, handles and queries are reached by lies behind
//! [`Access::authorize`] (`door.rs`), which asks the engine's [`AccessPolicy`]; the other files here have every way to them, each
//! of which asks first. The rest of the crate has [`Access`] and no more, so a new method can't pass beside the door.
//!
//! A check of tokens needs no change in this crate: it finds out who a [`Caller`] is before the engine is called, and its roles
//! and patterns are an [`AccessPolicy`].

mod caller;
mod datasets;
mod door;
mod handles;
mod local_files;
mod plan_files;
mod policy;
mod queries;
mod quota;
mod upkeep;

pub use caller::{Caller, Quota};
pub(crate) use datasets::DatasetWriter;
pub(crate) use door::{Access, Data, Guarded};
pub(crate) use local_files::StoredFiles;
pub(crate) use plan_files::StoredPlanFiles;
pub(crate) use policy::AllowAll;
pub use policy::{AccessPolicy, Action, Target};
pub(crate) use quota::HandleQuota;

use crate::error::Result;
use crate::polarway::Polarway;

impl Polarway {
    /// The same engine for a caller: what it does, it does as far as that caller may. It is as cheap as a clone.
    ///
    /// ```no_run
    /// # use polarway_core::{Caller, Polarway, Result};
    /// # async fn of_reports(polarway: &Polarway) -> Result<()> {
    /// let for_reports = polarway.on_behalf_of(Caller::named("reports"));
    /// let kept = for_reports.query_handle("FROM flights LIMIT 10").await?;
    /// assert_eq!(kept.handle.owner.as_deref(), Some("reports"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn on_behalf_of(&self, caller: Caller) -> Self {
        self.with_caller(caller)
    }

    /// For whom this is.
    pub fn caller(&self) -> &Caller {
        self.access().caller()
    }

    /// Asks whether the caller may do something that is not a method of this engine, such as one of a server around it.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`](crate::ErrorKind::PermissionDenied), or, for what the caller may not read, that it is not
    /// there.
    pub fn authorize(&self, action: Action, target: Target<'_>) -> Result<()> {
        self.access().authorize(action, target).map(|_| ())
    }
}
