//! JSON lines, for tables of any types. Every line is JSON that any parser reads, and values are complete: a value that has no
//! form in JSON is text.

use std::fmt;
use std::io::Write as _;
use std::sync::{Arc, OnceLock};

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float16Type, Float32Type, Float64Type};
use arrow_array::{Array, RecordBatch};
use arrow_json::writer::{LineDelimited, NullableEncoder, WriterBuilder, make_encoder};
use arrow_json::{Encoder, EncoderFactory, EncoderOptions};
use arrow_schema::{ArrowError, DataType, Field, FieldRef};
use polarway_table::{distinct_names, duckdb_type, text_options, texts};

use super::{OutputError, Sink};

/// One object for each row. Each has all keys, also those with null.
pub(crate) struct JsonLines {
    writer: arrow_json::Writer<Sink, LineDelimited>,
    failure: Failure,
}

/// The error of a value that has no text; encoders can't return one.
type Failure = Arc<OnceLock<ArrowError>>;

impl JsonLines {
    pub(super) fn new(sink: Sink) -> Self {
        let failure = Failure::default();
        let encoders = Encoders { failure: Arc::clone(&failure) };
        let writer = WriterBuilder::new()
            .with_explicit_nulls(true)
            .with_encoder_factory(Arc::new(encoders))
            .build(sink);
        Self { writer, failure }
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), OutputError> {
        self.writer.write(batch)?;
        match self.failure.get() {
            None => Ok(()),
            Some(failure) => Err(OutputError::Rows(ArrowError::JsonError(failure.to_string()))),
        }
    }

    pub(super) fn finish(mut self) -> Result<Sink, OutputError> {
        self.writer.finish()?;
        Ok(self.writer.into_inner())
    }
}

/// Encoders for types that Arrow's own encoders cut, refuse, or write in a form that no parser reads.
#[derive(Debug)]
struct Encoders {
    failure: Failure,
}

impl EncoderFactory for Encoders {
    fn make_default_encoder<'a>(
        &self,
        field: &'a FieldRef,
        array: &'a dyn Array,
        options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let encoder: Box<dyn Encoder + 'a> = match array.data_type() {
            // Integers are numbers, like BIGINT, whatever their Arrow type is.
            _ if duckdb_type(field) == Some("HUGEINT") => {
                let mut text = self.texts(array, field)?;
                encoder(move |row, json| json.extend_from_slice(text(row).as_bytes()))
            }
            DataType::Float16 => {
                let floats = array.as_primitive::<Float16Type>();
                encoder(move |row, json| write_float(json, floats.value(row).to_f32()))
            }
            DataType::Float32 => {
                let floats = array.as_primitive::<Float32Type>();
                encoder(move |row, json| write_float(json, floats.value(row)))
            }
            DataType::Float64 => {
                let floats = array.as_primitive::<Float64Type>();
                encoder(move |row, json| write_float(json, floats.value(row)))
            }
            DataType::Struct(_) => objects(array, options)?,
            DataType::Map(..) => self.maps(array, options)?,
            DataType::Dictionary(..) => {
                let dictionary = array.as_any_dictionary();
                let mut values = make_encoder(field, dictionary.values().as_ref(), options)?;
                // A dictionary without values is all nulls, and has no keys to normalize.
                let keys = match dictionary.values().is_empty() {
                    true => Vec::new(),
                    false => dictionary.normalized_keys(),
                };
                encoder(move |row, json| values.encode(keys[row], json))
            }
            DataType::Boolean
            | DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::List(_)
            | DataType::LargeList(_)
            | DataType::ListView(_)
            | DataType::LargeListView(_)
            | DataType::FixedSizeList(..)
            | DataType::RunEndEncoded(..)
            | DataType::Null => return Ok(None),
            other if other.is_integer() => return Ok(None),
            // As text, a number keeps digits that a parser would cut.
            _ => {
                let mut text = self.texts(array, field)?;
                encoder(move |row, json| write_text(json, &text(row)))
            }
        };
        Ok(Some(NullableEncoder::new(encoder, array.logical_nulls())))
    }
}

impl Encoders {
    /// Formats each value.
    fn texts<'a>(
        &self,
        array: &'a dyn Array,
        field: &'a Field,
    ) -> Result<impl FnMut(usize) -> String + use<'a>, ArrowError> {
        let formatter = texts(array, field, &text_options("null"))?;
        let failure = Arc::clone(&self.failure);
        Ok(move |row| {
            formatter.value(row).try_to_string().unwrap_or_else(|error| {
                // The first error is kept; the others have the same cause.
                let _ = failure.set(error);
                String::new()
            })
        })
    }

    /// Maps as objects: keys are text, and a key that occurs twice keeps both values.
    fn maps<'a>(
        &self,
        array: &'a dyn Array,
        options: &'a EncoderOptions,
    ) -> Result<Box<dyn Encoder + 'a>, ArrowError> {
        let map = array.as_map();
        let [key_field, value_field] = &map.entries().fields()[..] else {
            return Err(ArrowError::JsonError("the entries of a map are no pairs".to_owned()));
        };
        let mut key = self.texts(map.keys().as_ref(), key_field)?;
        let mut values = make_encoder(value_field, map.values().as_ref(), options)?;
        let offsets = map.offsets();
        Ok(encoder(move |row, json| {
            let entries = offsets[row] as usize..offsets[row + 1] as usize;
            let keys: Vec<String> = entries.clone().map(&mut key).collect();
            json.push(b'{');
            let keys = distinct_names(keys.iter().map(String::as_str), str::to_owned);
            for (entry, key) in entries.zip(keys) {
                write_member(json, &key, &mut values, entry);
            }
            json.push(b'}');
        }))
    }
}

/// Rows and structs as objects: of several fields of one name each keeps its value, under a name with a number.
fn objects<'a>(
    array: &'a dyn Array,
    options: &'a EncoderOptions,
) -> Result<Box<dyn Encoder + 'a>, ArrowError> {
    let structs = array.as_struct();
    let names = distinct_names(structs.fields().iter().map(|field| field.name().as_str()), str::to_owned);
    let values = structs.fields().iter().zip(structs.columns());
    let values = values.map(|(field, column)| make_encoder(field, column.as_ref(), options));
    let mut members: Vec<_> = names.into_iter().zip(values.collect::<Result<Vec<_>, _>>()?).collect();
    Ok(encoder(move |row, json| {
        json.push(b'{');
        for (name, values) in &mut members {
            write_member(json, name, values, row);
        }
        json.push(b'}');
    }))
}

fn write_member(json: &mut Vec<u8>, key: &str, values: &mut NullableEncoder<'_>, row: usize) {
    if json.last() != Some(&b'{') {
        json.push(b',');
    }
    write_text(json, key);
    json.push(b':');
    if values.is_null(row) {
        json.extend_from_slice(b"null");
    } else {
        values.encode(row, json);
    }
}

fn write_text(json: &mut Vec<u8>, text: &str) {
    let _infallible = serde_json::to_writer(json, text);
}

/// A number with the fewest digits that identify it. NaN and infinity are text, in the words of JavaScript and protobuf.
fn write_float<F: Copy + Into<f64> + fmt::Debug>(json: &mut Vec<u8>, float: F) {
    let wide: f64 = float.into();
    let _infallible = match wide {
        wide if wide.is_finite() => write!(json, "{float:?}"),
        wide if wide.is_nan() => write!(json, "\"NaN\""),
        wide if wide > 0.0 => write!(json, "\"Infinity\""),
        _ => write!(json, "\"-Infinity\""),
    };
}

/// An encoder from a function of the row.
struct Written<F>(F);

fn encoder<'a>(write: impl FnMut(usize, &mut Vec<u8>) + 'a) -> Box<dyn Encoder + 'a> {
    Box::new(Written(write))
}

impl<F: FnMut(usize, &mut Vec<u8>)> Encoder for Written<F> {
    fn encode(&mut self, row: usize, json: &mut Vec<u8>) {
        (self.0)(row, json);
    }
}
