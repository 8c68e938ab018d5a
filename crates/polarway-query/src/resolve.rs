//! From a checked text to its plan: what its names mean, pinned at one moment.

use std::any::Any;

use crate::catalog::{AfterScan, Catalog, Reference, Relation};
use crate::error::Error;
use crate::gate::What;
use crate::plan::{PlannedTable, Statement, TableSource};

/// What keeps a plan's files in place while it runs, and what is checked after it.
#[derive(Default)]
pub(crate) struct Held {
    after_scans: Vec<AfterScan>,
    /// Held until the query ends.
    _pins: Vec<Box<dyn Any + Send + Sync>>,
}

impl Held {
    /// Checks whether files that others may change did change while the plan ran.
    pub(crate) fn check_after_scan(&mut self) -> Result<(), Error> {
        self.after_scans.drain(..).try_for_each(|check| check()).map_err(Error::from)
    }
}

/// The tables that a statement reads.
pub(crate) fn resolve(
    statement: &Statement,
    references: &[Reference],
    catalog: &dyn Catalog,
) -> Result<(Vec<PlannedTable>, Held), Error> {
    let relations = match references {
        [] => Vec::new(),
        references => catalog.resolve(references)?,
    };
    tables(statement, references, relations, catalog)
}

/// The tables that it most likely reads, if the catalog supposes that.
pub(crate) fn suppose(
    statement: &Statement,
    references: &[Reference],
    catalog: &dyn Catalog,
) -> Option<(Vec<PlannedTable>, Held)> {
    let is_listed = statement.reads.iter().any(|read| matches!(read.what, What::Listing(_)));
    if references.is_empty() || is_listed {
        return None;
    }
    tables(statement, references, catalog.suppose(references)?, catalog).ok()
}

fn tables(
    statement: &Statement,
    references: &[Reference],
    relations: Vec<Relation>,
    catalog: &dyn Catalog,
) -> Result<(Vec<PlannedTable>, Held), Error> {
    if relations.len() != references.len() {
        return Err(Error::Internal("the catalog gave another number of relations".to_owned()));
    }
    let mut tables = Vec::with_capacity(statement.reads.len());
    let mut held = Held::default();
    let mut relations = references.iter().zip(relations);
    for read in &statement.reads {
        let (described, source) = match read.what {
            What::Listing(kind) => (String::new(), TableSource::Listing(kind, catalog.list()?)),
            _ => {
                let Some((reference, relation)) = relations.next() else { break };
                held.after_scans.extend(relation.after_scan);
                held._pins.push(relation.pin);
                (reference.to_string(), relation.source)
            }
        };
        tables.push(PlannedTable { name: read.view.clone(), described, source });
    }
    Ok((tables, held))
}
