//! A stored table as DataFusion scans it: groups of files with schemas of their own, cast to the table's types.

mod columns;
mod types;

pub use types::scanned_type;

use std::sync::Arc;

use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use chrono::DateTime;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::config::TableParquetOptions;
use datafusion::common::stats::Precision;
use datafusion::common::{Result, Statistics, exec_datafusion_err, not_impl_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup as ScanGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use object_store::ObjectMeta;
use polarway_query::{FileGroup, StoredTable};

use crate::store::{FILES_URL, location};
use columns::{Columns, partition_value};
use polarway_query::PinnedFiles;

/// Rows take some twice the bytes in memory that they take in a file.
const MEMORY_PER_FILE_BYTE: usize = 2;

/// A stored table that plans can scan. Its files are among the pinned ones of its query.
///
/// The rows come in no order. Filters are evaluated above the scan, and used inside of it to skip row groups and pages; a limit
/// is never applied inside of it, since each task would apply it for itself.
#[derive(Debug)]
pub struct StoredScan {
    columns: Columns,
    parts: Vec<Part>,
}

/// Files that are one scan: they have the same partition columns.
#[derive(Debug)]
struct Part {
    /// The places of the table's columns that come from folders.
    partitions: Vec<usize>,
    /// Whether the files' statistics can be trusted for floating-point columns.
    is_pruned: bool,
    files: Vec<PartitionedFile>,
    rows: u64,
}

impl StoredScan {
    /// A scan of a table, whose files get numbers in `files`.
    ///
    /// # Errors
    /// A table that can't be scanned exactly as a whole; the reason follows the table's name.
    pub fn new(table: &StoredTable, files: &mut PinnedFiles) -> Result<Self, String> {
        let columns = Columns::of(table);
        let mut parts: Vec<Part> = Vec::new();
        for group in &table.files {
            let partitions = partition_places(&columns, group);
            let is_pruned = group.has_exact_float_statistics;
            let files = scanned_files(&columns, group, &partitions, files)?;
            let rows = group.files.iter().map(|file| file.rows).sum::<u64>();
            let alike = |part: &&mut Part| part.partitions == partitions && part.is_pruned == is_pruned;
            match parts.iter_mut().find(alike) {
                Some(part) => {
                    part.files.extend(files);
                    part.rows += rows;
                }
                None => parts.push(Part { partitions, is_pruned, files, rows }),
            }
        }
        Ok(Self { columns, parts })
    }

    /// Why the column at this place can't be scanned exactly; `None` if it can.
    #[must_use]
    pub fn refusal(&self, column: usize) -> Option<&str> {
        self.columns.refused.get(column)?.as_deref()
    }

    /// The bytes of its files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(Part::bytes).sum()
    }
}

/// The places of a group's partition columns in the table, of those that can be scanned.
fn partition_places(columns: &Columns, group: &FileGroup) -> Vec<usize> {
    let place = |name: &str| columns.schema.index_of(name).ok().filter(|at| columns.refused[*at].is_none());
    group.partition_columns.iter().filter_map(|column| place(&column.name)).collect()
}

fn scanned_files(
    columns: &Columns,
    group: &FileGroup,
    partitions: &[usize],
    pinned: &mut PinnedFiles,
) -> Result<Vec<PartitionedFile>, String> {
    let mut files = Vec::with_capacity(group.files.len());
    for file in &group.files {
        let foreign = file.foreign.as_ref();
        if foreign.is_some_and(|foreign| foreign.rewritten_as.is_some()) {
            return Err("has a file that must be rewritten before SQL can read it".to_owned());
        }
        let mut values = Vec::with_capacity(partitions.len());
        for place in partitions {
            let field = columns.schema.field(*place);
            let at = group.partition_columns.iter().position(|column| column.name == *field.name());
            let text = at.zip(foreign).and_then(|(at, foreign)| foreign.partition_values.get(at)?.as_deref());
            values.push(partition_value(text, field.data_type())?);
        }
        let meta = ObjectMeta {
            location: location(pinned.add(group, file)),
            last_modified: DateTime::UNIX_EPOCH,
            size: file.bytes,
            e_tag: None,
            version: None,
        };
        files.push(PartitionedFile::new_from_meta(meta).with_partition_values(values));
    }
    Ok(files)
}

impl Part {
    fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.object_meta.size).sum()
    }

    /// The places of the columns in the scan's own schema: first those of the files, then those of the folders.
    fn places(&self, columns: &Columns) -> Vec<usize> {
        let in_files = (0..columns.refused.len())
            .filter(|place| columns.refused[*place].is_none() && !self.partitions.contains(place));
        in_files.chain(self.partitions.iter().copied()).collect()
    }

    fn scan(&self, columns: &Columns, projected: &[usize], groups: usize) -> Result<Arc<dyn ExecutionPlan>> {
        let places = self.places(columns);
        let field = |place: &usize| Arc::clone(&columns.schema.fields()[*place]);
        let in_files = places.len() - self.partitions.len();
        let file_schema =
            Arc::new(Schema::new(places[..in_files].iter().map(field).collect::<Vec<FieldRef>>()));
        let schema = TableSchema::new(file_schema, places[in_files..].iter().map(field).collect());
        let mut options = TableParquetOptions::default();
        if !self.is_pruned
            && places.iter().any(|place| columns.schema.field(*place).data_type().is_floating())
        {
            // Most writers leave NaNs out of a chunk's bounds, and a NaN is greater than all numbers.
            options.global.pruning = false;
            options.global.enable_page_index = false;
            options.global.bloom_filter_on_read = false;
        }
        let indices = projected.iter().map(|wanted| {
            let at = places.iter().position(|place| place == wanted);
            at.ok_or_else(|| exec_datafusion_err!("a column of the scan has no place"))
        });
        let statistics = estimate(schema.table_schema(), self.bytes(), self.rows);
        let source = Arc::new(ParquetSource::new(schema).with_table_parquet_options(options));
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::parse(FILES_URL)?, source)
            .with_file_groups(balanced(&self.files, groups))
            .with_statistics(statistics)
            .with_projection_indices(Some(indices.collect::<Result<Vec<_>>>()?))?
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

/// What planning may assume of a scan. It is never exact: an exact number of rows would be taken for an answer.
fn estimate(schema: &SchemaRef, bytes: u64, rows: u64) -> Statistics {
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).saturating_mul(MEMORY_PER_FILE_BYTE);
    let mut statistics = Statistics::new_unknown(schema);
    statistics.total_byte_size = Precision::Inexact(bytes);
    statistics.num_rows = Precision::Inexact(usize::try_from(rows).unwrap_or(usize::MAX));
    statistics
}

/// The files in at most so many groups of similar sizes.
fn balanced(files: &[PartitionedFile], groups: usize) -> Vec<ScanGroup> {
    let mut by_size: Vec<&PartitionedFile> = files.iter().collect();
    by_size.sort_by_key(|file| std::cmp::Reverse(file.object_meta.size));
    let mut balanced: Vec<(u64, Vec<PartitionedFile>)> =
        vec![(0, Vec::new()); groups.clamp(1, files.len().max(1))];
    for file in by_size {
        // There is at least one group.
        if let Some((bytes, group)) = balanced.iter_mut().min_by_key(|(bytes, _)| *bytes) {
            *bytes += file.object_meta.size;
            group.push(file.clone());
        }
    }
    balanced.into_iter().map(|(_, group)| ScanGroup::new(group)).collect()
}

#[async_trait]
impl TableProvider for StoredScan {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.columns.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let columns = &self.columns;
        let all = || (0..columns.refused.len()).collect();
        let projected: Vec<usize> = projection.map_or_else(all, Clone::clone);
        if let Some(reason) = projected.iter().find_map(|place| self.refusal(*place)) {
            return not_impl_err!("{reason}");
        }
        let groups = session.config().target_partitions();
        let mut scans = Vec::with_capacity(self.parts.len());
        for part in self.parts.iter().filter(|part| !part.files.is_empty()) {
            scans.push(part.scan(columns, &projected, groups)?);
        }
        match scans.len() {
            0 => Ok(Arc::new(EmptyExec::new(Arc::new(columns.schema.project(&projected)?)))),
            1 => Ok(scans.remove(0)),
            _ => UnionExec::try_new(scans),
        }
    }

    fn statistics(&self) -> Option<Statistics> {
        let rows = self.parts.iter().map(|part| part.rows).sum();
        Some(estimate(&self.columns.schema, self.bytes(), rows))
    }
}
