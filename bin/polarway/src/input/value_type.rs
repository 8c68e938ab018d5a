//! The types that a column of texts can have, and how its texts are converted.

use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, PrimitiveBuilder, StringBuilder};
use arrow_array::types::{
    Date32Type, Float64Type, Int64Type, TimestampMicrosecondType, TimestampNanosecondType,
    TimestampSecondType, UInt64Type,
};
use arrow_array::{ArrayRef, ArrowPrimitiveType};
use arrow_schema::{DataType, TimeUnit};
use clap::ValueEnum;

use crate::exact::{self, Moment};

/// What the values of a column are. Each type but `double` holds all that a text says, or none of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ValueType {
    /// true or false
    Boolean,
    /// An integer of 64 bits
    Integer,
    /// An integer of 64 bits without a sign
    Unsigned,
    /// A number that a double holds with all its digits
    #[value(skip)]
    ExactDouble,
    /// The double that is nearest to the number
    Double,
    /// A day, such as 2026-11-01
    Date,
    /// A day and a time, to the microsecond
    Timestamp,
    /// The same, of whole seconds
    TimestampS,
    /// The same, to the nanosecond
    TimestampNs,
    /// A day and a time with a zone, to the microsecond
    Timestamptz,
    /// The same, to the nanosecond
    TimestamptzNs,
    /// What the file has there, as it is
    Text,
}

/// The types that are inferred from values, narrowest first. A column that fits none of them is text.
const FOUND: [ValueType; 9] = [
    ValueType::Boolean,
    ValueType::Integer,
    ValueType::Unsigned,
    ValueType::ExactDouble,
    ValueType::Date,
    ValueType::Timestamp,
    ValueType::TimestampNs,
    ValueType::Timestamptz,
    ValueType::TimestamptzNs,
];

impl ValueType {
    pub(super) fn data_type(self) -> DataType {
        let utc = || Some(Arc::from("UTC"));
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Integer => DataType::Int64,
            Self::Unsigned => DataType::UInt64,
            Self::ExactDouble | Self::Double => DataType::Float64,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::TimestampS => DataType::Timestamp(TimeUnit::Second, None),
            Self::TimestampNs => DataType::Timestamp(TimeUnit::Nanosecond, None),
            Self::Timestamptz => DataType::Timestamp(TimeUnit::Microsecond, utc()),
            Self::TimestamptzNs => DataType::Timestamp(TimeUnit::Nanosecond, utc()),
            Self::Text => DataType::Utf8,
        }
    }

    /// Whether this type can hold the text's value without loss.
    fn holds(self, text: &str) -> bool {
        match self {
            Self::Boolean => exact::boolean(text).is_some(),
            Self::Integer => exact::integer::<i64>(text).is_some(),
            Self::Unsigned => exact::integer::<u64>(text).is_some(),
            Self::ExactDouble => exact::double(text).is_some(),
            Self::Double => exact::nearest_double(text).is_some(),
            Self::Date => exact::date(text).is_some(),
            Self::Timestamp => timestamp(text).is_some(),
            Self::TimestampS => timestamp_s(text).is_some(),
            Self::TimestampNs => timestamp_ns(text).is_some(),
            Self::Timestamptz => timestamptz(text).is_some(),
            Self::TimestamptzNs => timestamptz_ns(text).is_some(),
            Self::Text => true,
        }
    }

    /// The builder of a column of this type.
    pub(super) fn builder(self) -> Box<dyn ValueBuilder> {
        match self {
            Self::Boolean => Box::new(BooleanBuilder::new()),
            Self::Integer => Primitive::<Int64Type>::boxed(exact::integer, self),
            Self::Unsigned => Primitive::<UInt64Type>::boxed(exact::integer, self),
            Self::ExactDouble => Primitive::<Float64Type>::boxed(exact::double, self),
            Self::Double => Primitive::<Float64Type>::boxed(exact::nearest_double, self),
            Self::Date => Primitive::<Date32Type>::boxed(exact::date, self),
            Self::Timestamp => Primitive::<TimestampMicrosecondType>::boxed(timestamp, self),
            Self::TimestampS => Primitive::<TimestampSecondType>::boxed(timestamp_s, self),
            Self::TimestampNs => Primitive::<TimestampNanosecondType>::boxed(timestamp_ns, self),
            Self::Timestamptz => Primitive::<TimestampMicrosecondType>::boxed(timestamptz, self),
            Self::TimestamptzNs => Primitive::<TimestampNanosecondType>::boxed(timestamptz_ns, self),
            Self::Text => Box::new(StringBuilder::new()),
        }
    }
}

fn timestamp(text: &str) -> Option<i64> {
    exact::moment(text).filter(|moment| !moment.has_zone).and_then(Moment::microseconds)
}

fn timestamp_s(text: &str) -> Option<i64> {
    timestamp(text).filter(|micros| micros % 1_000_000 == 0).map(|micros| micros / 1_000_000)
}

fn timestamp_ns(text: &str) -> Option<i64> {
    exact::moment(text).filter(|moment| !moment.has_zone).and_then(Moment::nanoseconds)
}

fn timestamptz(text: &str) -> Option<i64> {
    exact::moment(text).filter(|moment| moment.has_zone).and_then(Moment::microseconds)
}

fn timestamptz_ns(text: &str) -> Option<i64> {
    exact::moment(text).filter(|moment| moment.has_zone).and_then(Moment::nanoseconds)
}

/// The types that can hold all values seen so far.
#[derive(Clone, Debug)]
pub(super) struct Candidates {
    types: Vec<ValueType>,
    has_seen: bool,
}

impl Candidates {
    pub(super) fn all() -> Self {
        Self { types: FOUND.to_vec(), has_seen: false }
    }

    pub(super) fn numbers() -> Self {
        let types = vec![ValueType::Integer, ValueType::Unsigned, ValueType::ExactDouble];
        Self { types, has_seen: false }
    }

    pub(super) fn see(&mut self, text: &str) {
        self.has_seen = true;
        self.types.retain(|candidate| candidate.holds(text));
    }

    /// The narrowest type. Without a value the type is unknown, and text can hold any value.
    pub(super) fn narrowest(&self) -> ValueType {
        self.types.first().copied().filter(|_| self.has_seen).unwrap_or(ValueType::Text)
    }
}

/// A column that grows by one text at a time.
pub(super) trait ValueBuilder: Send {
    /// Appends a value; if the column's type can't hold it without loss, appends nothing and returns false.
    fn append(&mut self, text: &str) -> bool;

    fn append_null(&mut self);

    /// The column so far; the next value begins a new column.
    fn finish(&mut self) -> ArrayRef;
}

struct Primitive<T: ArrowPrimitiveType> {
    parse: fn(&str) -> Option<T::Native>,
    values: PrimitiveBuilder<T>,
}

impl<T: ArrowPrimitiveType> Primitive<T> {
    fn boxed(parse: fn(&str) -> Option<T::Native>, value_type: ValueType) -> Box<dyn ValueBuilder> {
        let values = PrimitiveBuilder::new().with_data_type(value_type.data_type());
        Box::new(Self { parse, values })
    }
}

impl<T: ArrowPrimitiveType> ValueBuilder for Primitive<T> {
    fn append(&mut self, text: &str) -> bool {
        let value = (self.parse)(text);
        value.inspect(|value| self.values.append_value(*value)).is_some()
    }

    fn append_null(&mut self) {
        self.values.append_null();
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.values.finish())
    }
}

impl ValueBuilder for BooleanBuilder {
    fn append(&mut self, text: &str) -> bool {
        let value = exact::boolean(text);
        value.inspect(|value| self.append_value(*value)).is_some()
    }

    fn append_null(&mut self) {
        self.append_null();
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.finish())
    }
}

impl ValueBuilder for StringBuilder {
    fn append(&mut self, text: &str) -> bool {
        self.append_value(text);
        true
    }

    fn append_null(&mut self) {
        self.append_null();
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.finish())
    }
}
