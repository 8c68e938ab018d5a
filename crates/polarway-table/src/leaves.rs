//! The types that nested types are made of.

use arrow_schema::DataType;

/// Whether one of the leaves of a type is what is looked for; the type itself is the only leaf of one that is not nested. A
/// dictionary is a leaf.
pub fn holds_leaf(data_type: &DataType, is_wanted: &dyn Fn(&DataType) -> bool) -> bool {
    match data_type {
        DataType::Struct(fields) => fields.iter().any(|field| holds_leaf(field.data_type(), is_wanted)),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _)
        | DataType::RunEndEncoded(_, item) => holds_leaf(item.data_type(), is_wanted),
        leaf => is_wanted(leaf),
    }
}

/// The same where the values of a dictionary are leaves in its place.
pub fn holds_value(data_type: &DataType, is_wanted: &dyn Fn(&DataType) -> bool) -> bool {
    holds_leaf(data_type, &|leaf| match leaf {
        DataType::Dictionary(_, values) => holds_value(values, is_wanted),
        value => is_wanted(value),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_schema::Field;

    use super::*;

    #[test]
    fn leaves_are_found_in_every_nesting_and_values_in_dictionaries_too() {
        let words = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
        let structs = DataType::Struct(vec![Field::new("words", words, true)].into());
        let pair = vec![Field::new("key", DataType::Int64, false), Field::new("value", structs, true)];
        let entries = Arc::new(Field::new("entries", DataType::Struct(pair.into()), false));
        let nested = DataType::new_list(DataType::Map(entries, false), true);
        let is = |wanted: DataType| move |leaf: &DataType| *leaf == wanted;
        assert!(holds_leaf(&nested, &is(DataType::Int64)) && holds_value(&nested, &is(DataType::Int64)));
        assert!(!holds_leaf(&nested, &is(DataType::Utf8)) && holds_value(&nested, &is(DataType::Utf8)));
        assert!(holds_leaf(&nested, &|leaf| matches!(leaf, DataType::Dictionary(_, _))));
        assert!(!holds_value(&nested, &is(DataType::Float64)));
        assert!(holds_leaf(&DataType::Null, &is(DataType::Null)));
    }
}
