//! Tables drawn for people: the first rows and the last, as many columns as fit.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef, TimeUnit};
use polarway_table::{duckdb_type, text_options, texts};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::{OutputError, Sink};

/// Rows shown at the top of a long table, and as many at its end.
const EDGE_ROWS: usize = 20;

/// The greatest width of a cell while others need room.
const WIDE_CELL: usize = 40;

const ELLIPSIS: &str = "…";

/// The room for a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Characters in a line; `None` is no limit.
    pub(crate) width: Option<usize>,
}

impl Shape {
    /// The size of the terminal; without a terminal there is no limit.
    pub(crate) fn of_stdout() -> Self {
        use std::io::IsTerminal as _;

        let stdout = std::io::stdout();
        if !stdout.is_terminal() {
            return Self { width: None };
        }
        let columns = rustix::termios::tcgetwinsize(&stdout).map_or(0, |size| usize::from(size.ws_col));
        Self { width: Some(if columns == 0 { 80 } else { columns }) }
    }
}

/// A table that is being collected. Rows that will not be shown are dropped.
pub(crate) struct Drawing {
    sink: Sink,
    shape: Shape,
    columns: Vec<Column>,
    first: Vec<Vec<String>>,
    last: VecDeque<Vec<String>>,
    rows: u64,
}

struct Column {
    name: String,
    type_name: String,
    is_right: bool,
}

impl Drawing {
    pub(super) fn new(schema: &SchemaRef, sink: Sink, shape: Shape) -> Self {
        let columns = schema.fields().iter().map(|field| {
            // It is a number, whatever its Arrow type is.
            let is_hugeint = duckdb_type(field) == Some("HUGEINT");
            Column {
                name: printable(field.name()),
                type_name: if is_hugeint { "hugeint".to_owned() } else { type_name(field.data_type()) },
                is_right: is_hugeint || field.data_type().is_numeric(),
            }
        });
        let columns = columns.collect();
        Self { sink, shape, columns, first: Vec::new(), last: VecDeque::new(), rows: 0 }
    }

    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<(), OutputError> {
        let rows = batch.num_rows();
        // Only rows that may be shown are formatted: the first of the table and the last of the batch.
        for row in 0..rows {
            let is_first = self.first.len() < EDGE_ROWS;
            if is_first || row + EDGE_ROWS >= rows {
                let cells = cells(batch, row)?;
                if is_first {
                    self.first.push(cells);
                } else {
                    if self.last.len() == EDGE_ROWS {
                        self.last.pop_front();
                    }
                    self.last.push_back(cells);
                }
            }
        }
        self.rows += rows as u64;
        Ok(())
    }

    /// Draws it, with the time that it took, if that is known.
    pub(super) fn finish(mut self, took: Option<Duration>) -> Result<Sink, OutputError> {
        let shown = (self.first.len() + self.last.len()) as u64;
        let mut rows = std::mem::take(&mut self.first);
        if shown < self.rows {
            rows.push(vec![ELLIPSIS.to_owned(); self.columns.len()]);
        }
        rows.extend(self.last.drain(..));
        let (text, shown_columns) = grid(&self.columns, &rows, self.shape);
        let mut footer = counted_rows(self.rows);
        if shown < self.rows {
            let _ = write!(footer, " ({shown} shown)");
        }
        if shown_columns < self.columns.len() {
            let _ = write!(footer, ", {} columns ({shown_columns} shown)", self.columns.len());
        }
        if let Some(took) = took {
            let _ = write!(footer, " in {}", seconds(took));
        }
        writeln!(self.sink, "{text}{footer}")?;
        Ok(self.sink)
    }
}

/// Draws a small list with the same look.
pub(crate) fn draw(headers: &[(&str, bool)], rows: &[Vec<String>], shape: Shape) -> String {
    let columns: Vec<Column> = headers
        .iter()
        .map(|(name, is_right)| Column {
            name: (*name).to_owned(),
            type_name: String::new(),
            is_right: *is_right,
        })
        .collect();
    grid(&columns, rows, shape).0
}

fn cells(batch: &RecordBatch, row: usize) -> Result<Vec<String>, OutputError> {
    let options = text_options("NULL");
    let columns = batch.columns().iter().zip(batch.schema_ref().fields());
    let cells = columns.map(|(column, field)| {
        let text = texts(column.as_ref(), field, &options)?.value(row).try_to_string()?;
        Ok(printable(&text))
    });
    cells.collect()
}

/// Shows control characters as escapes, so that they don't move the cursor or break the line.
pub(super) fn printable(text: &str) -> String {
    if text.chars().any(char::is_control) { text.escape_debug().to_string() } else { text.to_owned() }
}

/// The lines of a table, and how many of its columns they show.
fn grid(columns: &[Column], rows: &[Vec<String>], shape: Shape) -> (String, usize) {
    let has_types = columns.iter().any(|column| !column.type_name.is_empty());
    let natural: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(index, column)| {
            let cells = rows.iter().map(|row| row[index].width());
            cells.chain([column.name.width(), column.type_name.width()]).max().unwrap_or(0)
        })
        .collect();
    let (shown, widths) = fit(&natural, shape.width);
    let hidden = shown.len() < columns.len();
    // A narrow column marks the place of columns that are left out.
    let gap = hidden.then_some(shown.len().div_ceil(2));
    let line = |left: &str, middle: &str, right: &str| {
        let mut parts: Vec<String> = widths.iter().map(|width| "─".repeat(width + 2)).collect();
        if let Some(gap) = gap {
            parts.insert(gap, "─".repeat(3));
        }
        format!("{left}{}{right}\n", parts.join(middle))
    };
    let row = |cell: &dyn Fn(usize) -> (String, Align), filler: &str| {
        let mut parts: Vec<String> = shown
            .iter()
            .zip(&widths)
            .map(|(index, width)| {
                let (text, align) = cell(*index);
                format!(" {} ", aligned(&shortened(&text, *width), *width, align))
            })
            .collect();
        if let Some(gap) = gap {
            parts.insert(gap, format!(" {filler} "));
        }
        format!("│{}│\n", parts.join("│"))
    };
    let mut text = line("┌", "┬", "┐");
    text += &row(&|index| (columns[index].name.clone(), Align::Center), ELLIPSIS);
    if has_types {
        text += &row(&|index| (columns[index].type_name.clone(), Align::Center), " ");
    }
    text += &line("├", "┼", "┤");
    for cells in rows {
        let align = |index: usize| if columns[index].is_right { Align::Right } else { Align::Left };
        text += &row(&|index| (cells[index].clone(), align(index)), ELLIPSIS);
    }
    text += &line("└", "┴", "┘");
    (text, shown.len())
}

/// Which columns are shown in a line of this width, and how wide each is.
fn fit(natural: &[usize], width: Option<usize>) -> (Vec<usize>, Vec<usize>) {
    let all: Vec<usize> = (0..natural.len()).collect();
    let Some(width) = width else { return (all, natural.to_vec()) };
    let taken = |widths: &[usize]| widths.iter().map(|width| width + 3).sum::<usize>() + 1;
    if taken(natural) <= width {
        return (all, natural.to_vec());
    }
    let narrow: Vec<usize> = natural.iter().map(|natural| (*natural).min(WIDE_CELL)).collect();
    let mut shown = all;
    let widths_of = |shown: &[usize]| shown.iter().map(|index| narrow[*index]).collect::<Vec<_>>();
    // Columns are left out from the middle, since the first and the last are the most useful; the mark takes four characters.
    while shown.len() > 1 {
        let mark = if shown.len() < natural.len() { 4 } else { 0 };
        if taken(&widths_of(&shown)) + mark <= width {
            break;
        }
        shown.remove(shown.len() / 2);
    }
    let mut widths = widths_of(&shown);
    let mark = if shown.len() < natural.len() { 4 } else { 0 };
    if let [only] = &mut widths[..] {
        *only = (*only).min(width.saturating_sub(4 + mark).max(1));
    }
    (shown, widths)
}

#[derive(Clone, Copy)]
enum Align {
    Left,
    Center,
    Right,
}

fn aligned(text: &str, width: usize, align: Align) -> String {
    let space = width.saturating_sub(text.width());
    let left = match align {
        Align::Left => 0,
        Align::Center => space / 2,
        Align::Right => space,
    };
    format!("{}{text}{}", " ".repeat(left), " ".repeat(space - left))
}

fn shortened(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    let mut taken = 1; // the ellipsis
    for character in text.chars() {
        taken += character.width().unwrap_or(0);
        if taken > width {
            break;
        }
        short.push(character);
    }
    short + ELLIPSIS
}

/// A type as a short name, such as `timestamp(us, UTC)`.
pub(crate) fn type_name(data_type: &DataType) -> String {
    let unit = |unit: &TimeUnit| match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    };
    match data_type {
        DataType::Timestamp(precision, None) => format!("timestamp({})", unit(precision)),
        DataType::Timestamp(precision, Some(zone)) => format!("timestamp({}, {zone})", unit(precision)),
        DataType::Time32(precision) | DataType::Time64(precision) => format!("time({})", unit(precision)),
        DataType::Duration(precision) => format!("duration({})", unit(precision)),
        DataType::Decimal32(digits, scale)
        | DataType::Decimal64(digits, scale)
        | DataType::Decimal128(digits, scale)
        | DataType::Decimal256(digits, scale) => format!("decimal({digits}, {scale})"),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => format!("list({})", type_name(item.data_type())),
        DataType::FixedSizeList(item, size) => format!("list({}, {size})", type_name(item.data_type())),
        DataType::Struct(fields) => {
            let fields =
                fields.iter().map(|field| format!("{}: {}", field.name(), type_name(field.data_type())));
            format!("struct({})", fields.collect::<Vec<_>>().join(", "))
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => {
                format!("map({}, {})", type_name(fields[0].data_type()), type_name(fields[1].data_type()))
            }
            _ => "map".to_owned(),
        },
        DataType::Dictionary(keys, values) => {
            format!("dictionary({}, {})", type_name(keys), type_name(values))
        }
        other => other.to_string().to_lowercase(),
    }
}

/// The number of rows, and the time that they took.
pub(crate) fn timed_rows(rows: u64, took: Duration) -> String {
    format!("{} in {}", counted_rows(rows), seconds(took))
}

fn counted_rows(rows: u64) -> String {
    if rows == 1 { "1 row".to_owned() } else { format!("{} rows", grouped(rows)) }
}

pub(super) fn seconds(took: Duration) -> String {
    format!("{:.3} s", took.as_secs_f64())
}

/// A number with commas between its thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
