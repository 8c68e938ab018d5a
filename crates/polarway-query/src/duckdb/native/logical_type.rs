//! DuckDB's description of a type.

use std::ffi::{CStr, c_char};

use duckdb::ffi;

use super::super::sql_type::SqlType;

#[derive(Debug)]
pub(super) struct LogicalType(pub(super) ffi::duckdb_logical_type);

impl Drop for LogicalType {
    fn drop(&mut self) {
        // SAFETY: the type is ours; null is accepted.
        unsafe { ffi::duckdb_destroy_logical_type(&mut self.0) };
    }
}

impl LogicalType {
    /// The type as plain data.
    pub(super) fn sql_type(&self) -> SqlType {
        // SAFETY: the type is alive in each call, indexes are below the count that it gives, each child is a new object
        // of ours, and so is each text.
        unsafe {
            SqlType::Named(match ffi::duckdb_get_type_id(self.0) {
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_BOOLEAN => "BOOLEAN",
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_TINYINT => "TINYINT",
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_SMALLINT => "SMALLINT",
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_INTEGER => "INTEGER",
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_BIGINT => "BIGINT",
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_UTINYINT => "UTINYINT",
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_USMALLINT => "USMALLINT",
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_UINTEGER => "UINTEGER",
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_UBIGINT => "UBIGINT",
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_FLOAT => "FLOAT",
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_DOUBLE => "DOUBLE",
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP => "TIMESTAMP",
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_DATE => "DATE",
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIME => "TIME",
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_INTERVAL => "INTERVAL",
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_HUGEINT => "HUGEINT",
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_UHUGEINT => "UHUGEINT",
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_VARCHAR => {
                    match owned_text(ffi::duckdb_logical_type_get_alias(self.0)).as_str() {
                        "JSON" => "JSON",
                        _ => "VARCHAR",
                    }
                }
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_BLOB => "BLOB",
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_S => "TIMESTAMP_S",
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_MS => "TIMESTAMP_MS",
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_NS => "TIMESTAMP_NS",
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_UUID => "UUID",
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_BIT => "BIT",
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIME_TZ => "TIME WITH TIME ZONE",
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_TZ => "TIMESTAMP WITH TIME ZONE",
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_BIGNUM => "BIGNUM",
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_SQLNULL => "\"NULL\"",
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIME_NS => "TIME_NS",
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_GEOMETRY => "GEOMETRY",
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_VARIANT => "VARIANT",
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_DECIMAL => {
                    return SqlType::Decimal {
                        width: ffi::duckdb_decimal_width(self.0),
                        scale: ffi::duckdb_decimal_scale(self.0),
                    };
                }
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_ENUM => {
                    let values = (0..u64::from(ffi::duckdb_enum_dictionary_size(self.0)))
                        .map(|index| owned_text(ffi::duckdb_enum_dictionary_value(self.0, index)));
                    return SqlType::Enum(values.collect());
                }
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_LIST => {
                    let item = Self(ffi::duckdb_list_type_child_type(self.0));
                    return SqlType::List(Box::new(item.sql_type()));
                }
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_ARRAY => {
                    let item = Self(ffi::duckdb_array_type_child_type(self.0));
                    return SqlType::Array(
                        Box::new(item.sql_type()),
                        ffi::duckdb_array_type_array_size(self.0),
                    );
                }
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_MAP => {
                    let key = Self(ffi::duckdb_map_type_key_type(self.0));
                    let value = Self(ffi::duckdb_map_type_value_type(self.0));
                    return SqlType::Map(Box::new(key.sql_type()), Box::new(value.sql_type()));
                }
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_STRUCT => {
                    let fields = (0..ffi::duckdb_struct_type_child_count(self.0)).map(|index| {
                        let field = Self(ffi::duckdb_struct_type_child_type(self.0, index));
                        (owned_text(ffi::duckdb_struct_type_child_name(self.0, index)), field.sql_type())
                    });
                    return SqlType::Struct(fields.collect());
                }
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_UNION => {
                    let members = (0..ffi::duckdb_union_type_member_count(self.0)).map(|index| {
                        let member = Self(ffi::duckdb_union_type_member_type(self.0, index));
                        (owned_text(ffi::duckdb_union_type_member_name(self.0, index)), member.sql_type())
                    });
                    return SqlType::Union(members.collect());
                }
                _ => return SqlType::Unknown,
            })
        }
    }
}

/// Takes ownership of a text from DuckDB.
///
/// # Safety
/// `text` is null, or points to text that ends in NUL and is ours to free.
unsafe fn owned_text(text: *mut c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: not null, and the caller says that it ends in NUL and is ours.
    unsafe {
        let owned = CStr::from_ptr(text).to_string_lossy().into_owned();
        ffi::duckdb_free(text.cast());
        owned
    }
}
