//! The machinery behind a [`BatchReader`](crate::BatchReader).
//!
//! Rows are cut into **stripes**: a row group, or, where one would not fit into the budget, the next part of it. The
//! column groups of a stripe are decoded as tasks of their own; the last one to finish turns the stripe's columns into
//! batches, again one task each. Stripes start in order while the budget lasts, so a slow consumer stops the
//! decoding; they finish in any order and are delivered in the order of the rows.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;
use parking_lot::{Condvar, Mutex};
use polarway_table::arrow_bytes;

use crate::assemble::batches_of;
use crate::decode::Decoder;
use crate::pages::FittingRows;
use crate::plan::FilePlan;
use crate::{Error, ReadOptions, Result, Workers, workers};

/// Batches per stripe: bounds the bookkeeping when a damaged footer claims absurdly many rows.
const MOST_BATCHES_PER_STRIPE: usize = 4_096;
/// The same for a stripe whose batches turned out too large.
const MOST_SMALL_BATCHES: u64 = 1 << 16;

pub(crate) type Map<T> = Box<dyn Fn(RecordBatch, u64) -> T + Send + Sync>;

/// What became of one batch.
pub(crate) enum Outcome<T> {
    Item(T),
    Failed(Error),
    Panicked(Box<dyn Any + Send>),
}

pub(crate) struct Pipeline<T> {
    files: Vec<FilePlan>,
    schema: SchemaRef,
    batch_rows: usize,
    /// The row behind the last, over all files.
    end_row: u64,
    budget: u64,
    fetch_ahead: bool,
    map: Map<T>,
    workers: Workers,
    cancelled: AtomicBool,
    state: Mutex<State<T>>,
    /// The front of the queue has something to deliver.
    ready: Condvar,
}

struct State<T> {
    cursor: Cursor,
    /// Stripes that were started, in order; the front is `delivered_stripes`.
    queue: VecDeque<Slot<T>>,
    delivered_stripes: usize,
    /// Outcomes of the batch that is being delivered.
    delivering: VecDeque<Outcome<T>>,
    /// What can go on, since the batch before it was taken.
    resumed: Option<Arc<Stripe>>,
    bytes_in_flight: u64,
    /// What the batches that are there were estimated at, and what they measured.
    estimated_bytes: u64,
    measured_bytes: u64,
}

/// The results of one stripe.
struct Slot<T> {
    /// Its batches, those that were delivered already cut off the front.
    batches: VecDeque<BatchSlot<T>>,
    delivered_batches: usize,
    /// What goes on when the front batch was taken.
    next_part: Option<Arc<Stripe>>,
}

struct BatchSlot<T> {
    /// One outcome, or several where a dictionary's keys ran out.
    outcomes: Option<VecDeque<Outcome<T>>>,
    /// What the batch takes of the budget: estimated before it is there, measured after.
    bytes: u64,
}

/// The next rows to start on.
struct Cursor {
    file: usize,
    /// How many files know what will be read of them.
    told_files: usize,
    row_group: usize,
    /// Rows of the row group that were started.
    row: u64,
    /// The number of the next row over all files.
    table_row: u64,
    /// The decoders of a row group of which only a part was started.
    open: Option<Arc<Decoders>>,
    /// The last stripe's part of that row group is still being decoded.
    blocked: bool,
    failed: bool,
}

/// The decoders of a row group, one for each column group, and what they have in common.
struct Decoders {
    by_group: Vec<Mutex<Option<Decoder>>>,
    batch_rows: usize,
    fitting: FittingRows,
}

impl Decoders {
    fn new(planned: &FilePlan, batch_rows: usize) -> Arc<Self> {
        let by_group = planned.columns.iter().map(|_| Mutex::new(None)).collect();
        Arc::new(Self { by_group, batch_rows, fitting: FittingRows::default() })
    }
}

struct Stripe {
    index: usize,
    file: usize,
    row_group: usize,
    /// Rows of the row group before the stripe; they matter to whoever opens its decoders.
    skipped_rows: usize,
    /// The number of the first row over all files.
    table_row: u64,
    batches: Vec<usize>,
    /// Where its batches are among those of its slot, and the rows of the slot behind them. Usually a stripe fills its
    /// slot; large rows are decoded batch by batch, each when the one before was taken.
    first_batch: usize,
    rows_behind: u64,
    ends_row_group: bool,
    decoders: Arc<Decoders>,
    /// For each column group and batch its columns.
    decoded: Vec<Mutex<Vec<Vec<ArrayRef>>>>,
    failure: Mutex<Option<Error>>,
    unfinished: AtomicUsize,
}

impl Stripe {
    /// The part of the stripe's slot that begins `batches_before` batches behind this one's first: a single batch of the
    /// `rows` that are left.
    fn part(&self, batches_before: usize, rows: u64, decoders: Arc<Decoders>) -> Self {
        let rows_before: usize = self.batches[..batches_before].iter().sum();
        let batch = rows.min(decoders.batch_rows as u64);
        let groups = decoders.by_group.len();
        Self {
            index: self.index,
            file: self.file,
            row_group: self.row_group,
            skipped_rows: self.skipped_rows + rows_before,
            table_row: self.table_row + rows_before as u64,
            batches: vec![batch as usize],
            first_batch: self.first_batch + batches_before,
            rows_behind: rows - batch,
            ends_row_group: self.ends_row_group,
            decoders,
            decoded: (0..groups).map(|_| Mutex::default()).collect(),
            failure: Mutex::new(None),
            unfinished: AtomicUsize::new(groups),
        }
    }
}

impl<T: Send + 'static> Pipeline<T> {
    pub(crate) fn start(
        files: Vec<FilePlan>,
        schema: SchemaRef,
        options: &ReadOptions,
        map: Map<T>,
    ) -> Arc<Self> {
        let cursor = Cursor::at(&files, options.first_row);
        let pipeline = Arc::new(Self {
            files,
            schema,
            batch_rows: options.batch_rows.max(1),
            end_row: options.end_row,
            budget: options.buffered_bytes.max(1),
            fetch_ahead: options.fetch_ahead,
            map,
            workers: options.workers.clone(),
            cancelled: AtomicBool::new(false),
            state: Mutex::new(State {
                cursor,
                queue: VecDeque::new(),
                delivered_stripes: 0,
                delivering: VecDeque::new(),
                resumed: None,
                bytes_in_flight: 0,
                estimated_bytes: 0,
                measured_bytes: 0,
            }),
            ready: Condvar::new(),
        });
        pipeline.start_stripes();
        pipeline
    }

    /// Waits for the next result; `None` at the end.
    pub(crate) fn next_outcome(self: &Arc<Self>) -> Option<Outcome<T>> {
        let mut state = self.state.lock();
        loop {
            if let Some(outcome) = state.delivering.pop_front() {
                return Some(outcome);
            }
            if state.take_batch() {
                drop(state);
                // The budget has room again.
                self.start_stripes();
                state = self.state.lock();
            } else if state.queue.is_empty() {
                return None;
            } else {
                self.ready.wait(&mut state);
            }
        }
    }

    /// Starts what the budget allows.
    fn start_stripes(self: &Arc<Self>) {
        let mut started = Vec::new();
        {
            let mut state = self.state.lock();
            started.extend(state.resumed.take());
            while !self.cancelled.load(Ordering::Relaxed) {
                let Some(stripe) = self.next_stripe(&mut state) else { break };
                started.push(Arc::new(stripe));
            }
        }
        started.iter().for_each(|stripe| self.spawn(stripe));
    }

    fn spawn(self: &Arc<Self>, stripe: &Arc<Stripe>) {
        for group in 0..stripe.decoded.len() {
            let (pipeline, stripe) = (Arc::clone(self), Arc::clone(stripe));
            self.workers.spawn(move || pipeline.decode(&stripe, group));
        }
    }

    /// Begins a stripe once more, with batches of fewer rows.
    fn decode_again(self: &Arc<Self>, stripe: &Stripe, batch_rows: usize, error: Error) {
        let rows = stripe.rows_behind + stripe.batches.iter().map(|rows| *rows as u64).sum::<u64>();
        if rows / batch_rows as u64 > MOST_SMALL_BATCHES {
            self.fail(stripe, 0, error);
            return;
        }
        let decoders = Decoders::new(&self.files[stripe.file], batch_rows);
        {
            let mut state = self.state.lock();
            state.cut_again(stripe.index, batches_of_rows(rows, batch_rows).len());
            if !stripe.ends_row_group {
                state.cursor.open = Some(Arc::clone(&decoders));
            }
        }
        self.spawn(&Arc::new(stripe.part(0, rows, decoders)));
    }

    fn next_stripe(&self, state: &mut State<T>) -> Option<Stripe> {
        let cursor = &mut state.cursor;
        if cursor.blocked || cursor.failed || state.queue.len() > 4 * self.workers.threads() {
            return None;
        }
        let (planned, rows_left) = cursor.settle(&self.files, self.end_row)?;
        if self.fetch_ahead && cursor.told_files <= cursor.file {
            planned.expect(cursor.row_group, cursor.row.saturating_add(self.end_row - cursor.table_row));
            cursor.told_files = cursor.file + 1;
        }
        let group_rows = planned.group_rows(cursor.row_group).max(1);
        let group_bytes = planned.decoded_bytes(cursor.row_group);
        let row_bytes =
            inflated((group_bytes / group_rows).max(1), state.estimated_bytes, state.measured_bytes);

        // Half the budget, so that one stripe can be decoded while another one waits; whole batches, so that
        // the next stripe goes on where this one's decoders stopped.
        let batch_rows = match &cursor.open {
            Some(open) => open.batch_rows,
            None => planned.batch_rows(cursor.row_group, self.batch_rows),
        };
        let step = batch_rows as u64;
        let most = (self.budget / 2 / row_bytes / step).clamp(1, MOST_BATCHES_PER_STRIPE as u64);
        let rows = rows_left.min(most * step);
        let bytes = rows.saturating_mul(row_bytes);
        if state.bytes_in_flight > 0 && state.bytes_in_flight.saturating_add(bytes) > self.budget {
            return None;
        }

        let ends_row_group = rows == rows_left;
        let decoders = cursor.open.take().unwrap_or_else(|| Decoders::new(planned, batch_rows));
        let stripe = Stripe {
            index: state.delivered_stripes + state.queue.len(),
            file: cursor.file,
            row_group: cursor.row_group,
            skipped_rows: cursor.row as usize,
            table_row: cursor.table_row,
            ends_row_group,
            decoded: planned.columns.iter().map(|_| Mutex::default()).collect(),
            failure: Mutex::new(None),
            unfinished: AtomicUsize::new(planned.columns.len()),
            decoders: Arc::clone(&decoders),
            batches: batches_of_rows(rows, batch_rows),
            first_batch: 0,
            rows_behind: 0,
        };
        cursor.row += rows;
        cursor.table_row += rows;
        if !ends_row_group {
            cursor.open = Some(decoders);
            cursor.blocked = true;
        }
        state.bytes_in_flight = state.bytes_in_flight.saturating_add(bytes);
        let waiting = |rows: &usize| BatchSlot { outcomes: None, bytes: *rows as u64 * row_bytes };
        let batches = stripe.batches.iter().map(waiting).collect();
        state.queue.push_back(Slot { batches, delivered_batches: 0, next_part: None });
        Some(stripe)
    }

    /// Decodes one column group of a stripe, and finishes the stripe if it was the last one.
    fn decode(self: &Arc<Self>, stripe: &Arc<Stripe>, group: usize) {
        if let Err(error) = self.decode_columns(stripe, group) {
            stripe.failure.lock().get_or_insert(error);
        }
        if stripe.unfinished.fetch_sub(1, Ordering::AcqRel) == 1 && !self.is_cancelled() {
            self.finish(stripe);
        }
    }

    fn decode_columns(&self, stripe: &Stripe, group: usize) -> Result<()> {
        let planned = &self.files[stripe.file];
        let mut place = stripe.decoders.by_group[group].lock();
        let mut decoder = match place.take() {
            Some(decoder) => decoder,
            None => {
                let columns = &planned.columns[group];
                let group_start = stripe.table_row - stripe.skipped_rows as u64;
                let end = planned.group_rows(stripe.row_group).min(self.end_row.saturating_sub(group_start));
                let rows = stripe.skipped_rows..usize::try_from(end).map_err(Error::corrupt)?;
                let Decoders { batch_rows, fitting, .. } = &*stripe.decoders;
                Decoder::open(planned, stripe.row_group, columns, rows, *batch_rows, fitting)?
            }
        };
        let mut decoded = Vec::with_capacity(stripe.batches.len());
        for rows in &stripe.batches {
            if self.is_cancelled() || stripe.failure.lock().is_some() {
                return Ok(());
            }
            decoded.push(decoder.next(*rows)?);
        }
        *stripe.decoded[group].lock() = decoded;
        if !stripe.ends_row_group || stripe.rows_behind > 0 {
            *place = Some(decoder);
        }
        Ok(())
    }

    /// Every column of the stripe is there: makes batches of them.
    fn finish(self: &Arc<Self>, stripe: &Arc<Stripe>) {
        if let Some(error) = stripe.failure.lock().take() {
            match stripe.decoders.fitting.get() {
                Some(batch_rows) => self.decode_again(stripe, batch_rows, error),
                None => self.fail(stripe, 0, error),
            }
            return;
        }
        if stripe.rows_behind > 0 {
            let next = stripe.part(stripe.batches.len(), stripe.rows_behind, Arc::clone(&stripe.decoders));
            self.state.lock().wait_for_its_turn(next);
        } else if !stripe.ends_row_group {
            self.state.lock().cursor.blocked = false;
        }
        self.start_stripes();
        // A thread takes what it spawned last first: the first batch before the others, all before new stripes.
        for batch in (1..stripe.batches.len()).rev() {
            let (pipeline, stripe) = (Arc::clone(self), Arc::clone(stripe));
            self.workers.spawn(move || pipeline.assemble(&stripe, batch));
        }
        self.assemble(stripe, 0);
    }

    fn assemble(&self, stripe: &Stripe, batch: usize) {
        if self.is_cancelled() {
            return;
        }
        let mut columns: Vec<Option<ArrayRef>> = vec![None; self.schema.fields().len()];
        for (group, decoded) in self.files[stripe.file].columns.iter().zip(&stripe.decoded) {
            let arrays = std::mem::take(&mut decoded.lock()[batch]);
            for (place, array) in group.places.iter().zip(arrays) {
                columns[*place] = Some(array);
            }
        }
        let columns: Vec<ArrayRef> = columns.into_iter().flatten().collect();
        let kept = &self.files[stripe.file].kept;
        let batches = workers::fence(|| batches_of(&self.schema, kept, columns, stripe.batches[batch]))
            .unwrap_or_else(|payload| Err(Error::corrupt(workers::panic_message(payload.as_ref()))));
        match batches {
            Err(error) => self.fail(stripe, batch, error),
            Ok(batches) => {
                let before: usize = stripe.batches[..batch].iter().sum();
                let mut row = stripe.table_row + before as u64;
                let mut bytes = 0;
                let mut outcomes = VecDeque::with_capacity(batches.len());
                for batch in batches {
                    bytes += arrow_bytes(&batch);
                    let first_row = row;
                    row += batch.num_rows() as u64;
                    outcomes.push_back(match workers::fence(|| (self.map)(batch, first_row)) {
                        Ok(item) => Outcome::Item(item),
                        Err(payload) => Outcome::Panicked(payload),
                    });
                }
                self.deliver(stripe, batch, outcomes, bytes);
            }
        }
    }

    /// Ends the table with `error` in place of a batch.
    fn fail(&self, stripe: &Stripe, batch: usize, error: Error) {
        self.state.lock().cursor.failed = true;
        let error = error.in_file(stripe.file);
        self.deliver(stripe, batch, VecDeque::from([Outcome::Failed(error)]), 0);
    }

    fn deliver(&self, stripe: &Stripe, batch: usize, outcomes: VecDeque<Outcome<T>>, bytes: u64) {
        self.state.lock().deliver(stripe.index, stripe.first_batch + batch, outcomes, bytes);
        self.ready.notify_all();
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

impl<T> Pipeline<T> {
    /// Ends all work soon, and frees what was decoded.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        let mut state = self.state.lock();
        let waiting = std::mem::take(&mut state.queue);
        state.cursor.open = None;
        drop(state);
        drop(waiting);
    }
}

impl<T> State<T> {
    fn deliver(&mut self, stripe: usize, batch: usize, outcomes: VecDeque<Outcome<T>>, bytes: u64) {
        let Some(slot) = self.slot(stripe) else { return };
        let Some(batch) = batch.checked_sub(slot.delivered_batches).and_then(|at| slot.batches.get_mut(at))
        else {
            return;
        };
        let estimated = std::mem::replace(batch, BatchSlot { outcomes: Some(outcomes), bytes }).bytes;
        self.bytes_in_flight = self.bytes_in_flight.saturating_sub(estimated).saturating_add(bytes);
        self.estimated_bytes = self.estimated_bytes.saturating_add(estimated);
        self.measured_bytes = self.measured_bytes.saturating_add(bytes);
    }

    /// Says in how many batches the rest of a stripe comes, of which nothing was delivered yet.
    fn cut_again(&mut self, stripe: usize, count: usize) {
        let Some(slot) = self.slot(stripe) else { return };
        let before: u64 = slot.batches.iter().map(|batch| batch.bytes).sum();
        let bytes = before / count.max(1) as u64;
        slot.batches = (0..count).map(|_| BatchSlot { outcomes: None, bytes }).collect();
        self.bytes_in_flight = self.bytes_in_flight.saturating_sub(before - bytes * count as u64);
    }

    fn wait_for_its_turn(&mut self, part: Stripe) {
        if let Some(slot) = self.slot(part.index) {
            slot.next_part = Some(Arc::new(part));
        }
    }

    /// A stripe's place; a cancelled reader has none anymore.
    fn slot(&mut self, stripe: usize) -> Option<&mut Slot<T>> {
        self.queue.get_mut(stripe.checked_sub(self.delivered_stripes)?)
    }

    /// Takes the next batch for delivery, if it is there.
    fn take_batch(&mut self) -> bool {
        let Some(slot) = self.queue.front_mut() else { return false };
        let Some(outcomes) = slot.batches.front_mut().and_then(|batch| batch.outcomes.take()) else {
            return false;
        };
        let bytes = slot.batches.pop_front().map_or(0, |batch| batch.bytes);
        slot.delivered_batches += 1;
        self.resumed = slot.next_part.take();
        if slot.batches.is_empty() {
            self.queue.pop_front();
            self.delivered_stripes += 1;
        }
        self.delivering = outcomes;
        self.bytes_in_flight = self.bytes_in_flight.saturating_sub(bytes);
        true
    }
}

/// So many rows in batches of `batch_rows`.
fn batches_of_rows(rows: u64, batch_rows: usize) -> Vec<usize> {
    let step = batch_rows.max(1) as u64;
    (0..rows.div_ceil(step)).map(|batch| step.min(rows - batch * step) as usize).collect()
}

/// What a row is expected to take, after what was learned from earlier ones: a file need not say how long its
/// strings are.
fn inflated(row_bytes: u64, estimated: u64, measured: u64) -> u64 {
    let factor = measured.checked_div(estimated).unwrap_or(1).max(1);
    row_bytes.saturating_mul(factor)
}

impl Cursor {
    fn at(files: &[FilePlan], first_row: u64) -> Self {
        let mut cursor = Self {
            file: 0,
            told_files: 0,
            row_group: 0,
            row: 0,
            table_row: first_row,
            open: None,
            blocked: false,
            failed: false,
        };
        let mut left = first_row;
        while let Some(planned) = files.get(cursor.file)
            && left >= planned.file.rows()
        {
            left -= planned.file.rows();
            cursor.file += 1;
        }
        if let Some(planned) = files.get(cursor.file) {
            while left >= planned.group_rows(cursor.row_group) {
                left -= planned.group_rows(cursor.row_group);
                cursor.row_group += 1;
            }
        }
        cursor.row = left;
        cursor
    }

    /// Steps over what is done or empty; the file to read from and how many rows before `end_row` its row group still has.
    fn settle<'a>(&mut self, files: &'a [FilePlan], end_row: u64) -> Option<(&'a FilePlan, u64)> {
        let wanted = end_row.checked_sub(self.table_row).filter(|rows| *rows > 0)?;
        loop {
            let planned = files.get(self.file)?;
            if self.row_group == planned.file.row_groups() {
                (self.file, self.row_group, self.row) = (self.file + 1, 0, 0);
                continue;
            }
            match planned.group_rows(self.row_group).checked_sub(self.row) {
                Some(rows_left) if rows_left > 0 => return Some((planned, rows_left.min(wanted))),
                _ => (self.row_group, self.row) = (self.row_group + 1, 0),
            }
        }
    }
}
