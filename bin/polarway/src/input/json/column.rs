//! Columns that grow by one JSON value at a time.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, ListArray, StructArray};
use arrow_buffer::{NullBufferBuilder, OffsetBufferBuilder};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields};
use serde_json::value::RawValue;

use super::misfit::{Misfit, Result};
use super::parse::{Entries, Json, parse};
use super::shape::Shape;
use crate::input::value_type::{ValueBuilder, ValueType};
use crate::output::type_name;

pub(super) enum Column {
    Value {
        accepts: Accepts,
        value_type: ValueType,
        values: Box<dyn ValueBuilder>,
    },
    List {
        item: Box<Column>,
        field: FieldRef,
        offsets: OffsetBufferBuilder<i32>,
        validity: NullBufferBuilder,
    },
    Struct(Struct),
}

/// Which kinds of JSON values a column of plain values accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepts {
    Boolean,
    Number,
    Text,
    /// All of them, because the column's type was given. A text column also stores other values, as written.
    Everything,
}

impl Column {
    pub(super) fn new(shape: &Shape) -> Self {
        match shape {
            Shape::Boolean => Self::value(Accepts::Boolean, ValueType::Boolean),
            Shape::Number(candidates) => Self::value(Accepts::Number, candidates.narrowest()),
            // Without a value the type is unknown, and text can hold most values.
            Shape::Text | Shape::Unknown => Self::value(Accepts::Text, ValueType::Text),
            Shape::List(shape) => {
                let item = Box::new(Self::new(shape));
                let field = Arc::new(Field::new_list_field(item.data_type(), true));
                Self::List {
                    item,
                    field,
                    offsets: OffsetBufferBuilder::new(0),
                    validity: NullBufferBuilder::new(0),
                }
            }
            Shape::Object(keys) => {
                Self::Struct(Struct::new(keys.iter().map(|(key, shape)| (key.clone(), Self::new(shape)))))
            }
        }
    }

    pub(super) fn value(accepts: Accepts, value_type: ValueType) -> Self {
        Self::Value { accepts, value_type, values: value_type.builder() }
    }

    pub(super) fn data_type(&self) -> DataType {
        match self {
            Self::Value { value_type, .. } => value_type.data_type(),
            Self::List { field, .. } => DataType::List(Arc::clone(field)),
            Self::Struct(columns) => DataType::Struct(columns.fields.clone()),
        }
    }

    pub(super) fn append_null(&mut self) {
        match self {
            Self::Value { values, .. } => values.append_null(),
            Self::List { offsets, validity, .. } => {
                offsets.push_length(0);
                validity.append_null();
            }
            Self::Struct(columns) => columns.append_null(),
        }
    }

    pub(super) fn append(&mut self, value: &RawValue) -> Result<()> {
        match (self, parse(value)?) {
            (column, Json::Null) => {
                column.append_null();
                Ok(())
            }
            (Self::Value { accepts, value_type, values }, json) => {
                let is_held = match (accepts, json) {
                    (Accepts::Boolean | Accepts::Everything, Json::Boolean(text))
                    | (Accepts::Number | Accepts::Everything, Json::Number(text)) => values.append(text),
                    (Accepts::Text | Accepts::Everything, Json::Text(text)) => values.append(&text),
                    (Accepts::Everything, _) if *value_type == ValueType::Text => values.append(value.get()),
                    _ => false,
                };
                let expected = || format!("the type {}", type_name(&value_type.data_type()));
                if is_held { Ok(()) } else { Err(Misfit::new(value.get(), expected())) }
            }
            (Self::List { item, offsets, validity, .. }, Json::List(values)) => {
                offsets.push_length(values.len());
                validity.append_non_null();
                values.into_iter().try_for_each(|value| item.append(value)).map_err(Misfit::in_list)
            }
            (Self::List { .. }, _) => Err(Misfit::new(value.get(), "a list")),
            (Self::Struct(columns), Json::Object(entries)) => columns.append(entries),
            (Self::Struct(_), _) => Err(Misfit::new(value.get(), "an object")),
        }
    }

    fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::Value { values, .. } => values.finish(),
            Self::List { item, field, offsets, validity } => {
                let offsets = std::mem::replace(offsets, OffsetBufferBuilder::new(0)).finish();
                Arc::new(ListArray::try_new(Arc::clone(field), offsets, item.finish()?, validity.finish())?)
            }
            Self::Struct(columns) => Arc::new(columns.finish()?),
        })
    }
}

/// Named columns: those of an object, or of the rows themselves.
pub(super) struct Struct {
    fields: Fields,
    columns: Vec<Column>,
    places: HashMap<String, usize>,
    /// The row in which each column got its last value.
    filled: Vec<usize>,
    rows: usize,
    validity: NullBufferBuilder,
}

impl Struct {
    pub(super) fn new(columns: impl Iterator<Item = (String, Column)>) -> Self {
        let (names, columns): (Vec<String>, Vec<Column>) = columns.unzip();
        let fields =
            names.iter().zip(&columns).map(|(name, column)| Field::new(name, column.data_type(), true));
        Self {
            fields: fields.collect(),
            filled: vec![0; columns.len()],
            columns,
            places: names.into_iter().enumerate().map(|(place, name)| (name, place)).collect(),
            rows: 0,
            validity: NullBufferBuilder::new(0),
        }
    }

    pub(super) fn fields(&self) -> &Fields {
        &self.fields
    }

    fn append_null(&mut self) {
        self.rows += 1;
        self.validity.append_null();
        self.columns.iter_mut().for_each(Column::append_null);
    }

    pub(super) fn append(&mut self, entries: Entries<'_>) -> Result<()> {
        self.rows += 1;
        self.validity.append_non_null();
        for (key, value) in entries {
            let Some(&place) = self.places.get(&*key) else { return Err(Misfit::unknown_key(&key)) };
            if std::mem::replace(&mut self.filled[place], self.rows) == self.rows {
                return Err(Misfit::twice(&key));
            }
            self.columns[place].append(value).map_err(|misfit| misfit.under(&key))?;
        }
        for (column, filled) in self.columns.iter_mut().zip(&self.filled) {
            if *filled != self.rows {
                column.append_null();
            }
        }
        Ok(())
    }

    pub(super) fn finish(&mut self) -> Result<StructArray, ArrowError> {
        let rows = std::mem::take(&mut self.rows);
        self.filled.fill(0);
        let columns = self.columns.iter_mut().map(Column::finish).collect::<Result<_, _>>()?;
        StructArray::try_new_with_length(self.fields.clone(), columns, self.validity.finish(), rows)
    }
}
