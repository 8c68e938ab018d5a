//! The unit of INT96 timestamps in files that don't say it.

use std::sync::Arc;

use arrow_schema::{Field, FieldRef, Schema, TimeUnit};

use crate::decode::Decoder;
use crate::pages::FittingRows;
use crate::plan::FilePlan;
use crate::{FileReader, Result, int96};

/// Rows that are looked at. A column that holds nanoseconds at all has some long before.
const ROWS_LOOKED_AT: u64 = 65_536;

impl FileReader {
    /// Looks at the first rows of INT96 columns whose unit the file does not tell, and takes nanoseconds for those that
    /// hold some. The others stay microseconds, which reach past the year 9999. Values that don't fit the unit are an
    /// [error](crate::Error::TimeOutOfRange) when they are read.
    ///
    /// # Errors
    /// These rows can't be read.
    pub fn with_fitting_times(mut self) -> Result<Self> {
        let metadata = Arc::clone(self.metadata());
        let in_file = metadata.file_metadata().schema_descr().root_schema().get_fields();
        let filled = (0..self.row_groups()).find(|group| metadata.row_group(*group).num_rows() > 0);
        let (true, Some(row_group)) = (self.has_open_time_units(), filled) else { return Ok(self) };
        let undecided = |(root, _): &(usize, &FieldRef)| int96::holds_int96(&in_file[*root]);
        let (roots, fields): (Vec<usize>, Vec<FieldRef>) = self
            .schema()
            .fields()
            .iter()
            .enumerate()
            .filter(undecided)
            .map(|(root, field)| (root, field.clone()))
            .unzip();

        let plan = FilePlan::new(self.clone(), &Schema::new(fields), 1)?;
        let rows = plan.group_rows(row_group).min(ROWS_LOOKED_AT) as usize;
        let mut fine = Vec::new();
        for group in &plan.columns {
            let (nanos, seconds) =
                Decoder::open(&plan, row_group, group, 0..rows, rows, &FittingRows::default())?
                    .next_twice(rows)?;
            let pairs = group.places.iter().zip(nanos.iter().zip(seconds.iter().flatten()));
            let holds = |(_, (nanos, seconds)): &(_, (&arrow_array::ArrayRef, &arrow_array::ArrayRef))| {
                int96::holds_nanoseconds(&seconds.to_data(), &nanos.to_data())
            };
            fine.extend(pairs.filter(holds).map(|(place, _)| roots[*place]));
        }
        let in_fitting_unit = |(root, field): (usize, &FieldRef)| -> FieldRef {
            match fine.contains(&root) {
                true => Arc::<Field>::new(int96::with_unit(field, &in_file[root], TimeUnit::Nanosecond)),
                false => Arc::clone(field),
            }
        };
        let fields: Vec<FieldRef> = self.schema().fields().iter().enumerate().map(in_fitting_unit).collect();
        let schema = Schema::new_with_metadata(fields, self.schema().metadata().clone());
        self.set_schema(schema);
        Ok(self)
    }
}
