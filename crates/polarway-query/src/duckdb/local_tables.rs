//! The tables of a plan in DuckDB: local files, and a view over the files of each table.

use std::any::Any;
use std::path::PathBuf;

use super::diagnose::Hidden;
use super::kept;
use super::listing::listing;
use super::view::View;
use crate::catalog::AfterScan;
use crate::error::Error;
use crate::executor::LocalFiles;
use crate::gate::NamedColumns;
use crate::plan::{Plan, PlannedTable, StoredTable, TableSource};

/// What a plan reads, kept available to DuckDB.
pub(super) struct LocalTables<'p> {
    tables: &'p [PlannedTable],
    pub(super) views: Vec<View>,
    /// The files and folders that no message may show.
    pub(super) hidden: Hidden<'p>,
    /// Whether a file name may refer to other content than in an earlier query.
    pub(super) may_have_changed: bool,
    after_scans: Vec<AfterScan>,
    _pins: Vec<Box<dyn Any + Send + Sync>>,
}

impl<'p> LocalTables<'p> {
    /// Makes the files of a plan local, and creates the views; those of wide tables with the columns that are named.
    pub(super) fn open(
        plan: &'p Plan,
        named: &NamedColumns,
        files: &dyn LocalFiles,
        folders: &'p [PathBuf],
    ) -> Result<Self, Error> {
        let mut local = Self {
            tables: &plan.tables,
            views: Vec::new(),
            hidden: Hidden::folders(folders),
            may_have_changed: false,
            after_scans: Vec::new(),
            _pins: Vec::new(),
        };
        for table in &plan.tables {
            if let TableSource::Stored(stored) = &table.source {
                local.localize(&table.described, stored, files)?;
            }
        }
        local.views = local.views_of(named)?;
        Ok(local)
    }

    fn localize(
        &mut self,
        described: &'p str,
        table: &StoredTable,
        files: &dyn LocalFiles,
    ) -> Result<(), Error> {
        let mut paths = Vec::with_capacity(table.files.len());
        for group in &table.files {
            let local = files.localize(group)?;
            if local.paths.len() != group.files.len() {
                return Err(Error::Internal(format!("another number of files was given for {described}")));
            }
            self.may_have_changed |= group.files.iter().any(|file| file.foreign.is_some());
            self.after_scans.extend(local.after_scan);
            self._pins.push(local.pin);
            paths.push(local.paths);
        }
        self.hidden.add_files(described, paths);
        Ok(())
    }

    /// The views of all tables, with these columns.
    fn views_of(&self, named: &NamedColumns) -> Result<Vec<View>, Error> {
        let mut local = self.hidden.files_by_table();
        let view = |table: &PlannedTable| {
            let name = table.name.clone();
            match &table.source {
                TableSource::Stored(stored) => {
                    let paths = local.next().unwrap_or_default();
                    View::new(name, &table.described, stored, paths, named)
                }
                TableSource::Kept(kept) => Ok(View::of_all(name, format!("FROM {}", kept::table(kept)))),
                TableSource::Listing(kind, listed) => Ok(View::of_all(name, listing(*kind, listed))),
            }
        };
        self.tables.iter().map(view).collect()
    }

    /// Whether the views leave out some columns of the tables.
    pub(super) fn leave_out_columns(&self) -> bool {
        self.views.iter().any(|view| view.leaves_out_columns)
    }

    /// Creates the views again, including the columns that are similar to a misspelled one.
    pub(super) fn add_nearest_columns(&mut self, named: &NamedColumns) -> Result<(), Error> {
        let stored = self.tables.iter().filter_map(|table| match &table.source {
            TableSource::Stored(stored) => Some(stored),
            TableSource::Kept(_) | TableSource::Listing(..) => None,
        });
        let columns = stored.flat_map(|table| table.schema.fields()).map(|field| field.name().as_str());
        self.views = self.views_of(&named.with_nearest(columns))?;
        Ok(())
    }

    /// The names of the tables that are kept in one DuckDB.
    pub(super) fn kept(&self) -> impl Iterator<Item = &'p str> {
        self.tables.iter().filter_map(|table| match &table.source {
            TableSource::Kept(name) => Some(name.as_str()),
            TableSource::Stored(_) | TableSource::Listing(..) => None,
        })
    }

    /// All files, in the order of the tables.
    pub(super) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.hidden.files_by_table().flatten().flatten()
    }

    /// Checks what could not be checked about the files before.
    pub(super) fn check_after_scan(&mut self) -> Result<(), Error> {
        self.after_scans.drain(..).try_for_each(|check| check()).map_err(Error::from)
    }
}
