//! The types of random values, and values at their edges.

use std::fmt;

/// A type of SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Boolean,
    TinyInt,
    SmallInt,
    Integer,
    BigInt,
    HugeInt,
    UTinyInt,
    USmallInt,
    UInteger,
    UBigInt,
    Float,
    Double,
    Decimal(u8, i8),
    Varchar,
    Date,
    Time,
    Timestamp,
    TimestampTz,
    Interval,
    Blob,
    /// A list of INTEGERs.
    Numbers,
    /// A list of VARCHARs.
    Texts,
    /// A DOUBLE and a VARCHAR.
    Pair,
}

use Type::*;

pub(super) const INTEGERS: [Type; 9] =
    [TinyInt, SmallInt, Integer, BigInt, HugeInt, UTinyInt, USmallInt, UInteger, UBigInt];

pub(super) const DECIMALS: [Type; 4] = [Decimal(4, 1), Decimal(9, 3), Decimal(18, 2), Decimal(38, 10)];

pub(super) const TIMES: [Type; 3] = [Date, Timestamp, TimestampTz];

/// All types of columns.
pub(super) const STORED: [Type; 24] = [
    Boolean,
    TinyInt,
    SmallInt,
    Integer,
    BigInt,
    UTinyInt,
    USmallInt,
    UInteger,
    UBigInt,
    Float,
    Double,
    DECIMALS[0],
    DECIMALS[1],
    DECIMALS[2],
    DECIMALS[3],
    Varchar,
    Date,
    Time,
    Timestamp,
    TimestampTz,
    Blob,
    Numbers,
    Texts,
    Pair,
];

impl Type {
    pub(super) fn is_integer(self) -> bool {
        INTEGERS.contains(&self)
    }

    pub(super) fn is_number(self) -> bool {
        self.is_integer() || matches!(self, Float | Double | Decimal(..))
    }

    /// Values as texts, the last ones at the edges.
    pub(super) fn values(self) -> &'static [&'static str] {
        match self {
            Boolean => &["true", "false"],
            TinyInt => &["0", "1", "2", "-1", "7", "100", "127", "-128"],
            SmallInt => &["0", "1", "2", "-3", "300", "32767", "-32768"],
            Integer => &["0", "1", "-1", "5", "1000000", "2147483647", "-2147483648"],
            BigInt => &["0", "1", "-7", "9007199254740993", "9223372036854775807", "-9223372036854775808"],
            HugeInt => &[
                "0",
                "1",
                "-1",
                "18446744073709551616",
                "99999999999999999999999999999999999999",
                "-99999999999999999999999999999999999999",
                "170141183460469231731687303715884105727",
            ],
            UTinyInt => &["0", "1", "3", "200", "255"],
            USmallInt => &["0", "1", "9", "65535"],
            UInteger => &["0", "1", "11", "4294967295"],
            UBigInt => &["0", "1", "13", "9223372036854775808", "18446744073709551615"],
            Float => &["0", "1.5", "-2.25", "0.1", "16777217", "-0.0", "NaN", "inf", "-inf", "3.4028235e38"],
            Double => &[
                "0",
                "0.5",
                "-1.5",
                "2.5",
                "0.1",
                "1e15",
                "9007199254740993",
                "9.2233720368547758e18",
                "-0.0",
                "NaN",
                "inf",
                "-inf",
                "1e308",
                "5e-324",
            ],
            Decimal(4, _) => &["0", "0.5", "-0.5", "1.5", "12.3", "999.9", "-999.9"],
            Decimal(9, _) => &["0", "0.001", "-1.500", "2.5", "123456.789", "999999.999", "-999999.999"],
            Decimal(18, _) => &["0", "0.01", "-2.50", "0.05", "9999999999999999.99", "-9999999999999999.99"],
            Decimal(..) => &[
                "0",
                "0.0000000001",
                "-1.5",
                "1.05",
                "9999999999999999999999999999.9999999999",
                "-9999999999999999999999999999.9999999999",
            ],
            Varchar => &[
                "",
                "a",
                "A",
                "b",
                "ab",
                "aba",
                "%",
                "_",
                "a%b",
                "\\",
                "äö",
                "ß",
                "日本",
                "😀é",
                "e\u{301}",
                " a ",
                "1",
                "-12",
                "1.5",
                "2024-02-29",
                "true",
                "NaN",
            ],
            Date => &[
                "1970-01-01",
                "2024-02-29",
                "2023-12-31",
                "2021-01-03",
                "1969-12-31",
                "1900-03-01",
                "0001-01-01",
                "9999-12-31",
                "10000-01-01",
                "0044-03-15 (BC)",
                "infinity",
                "-infinity",
            ],
            Time => &["00:00:00", "12:34:56", "23:59:59.999999", "00:00:00.000001", "24:00:00"],
            Timestamp | TimestampTz => &[
                "1970-01-01 00:00:00",
                "2024-02-29 12:34:56.789",
                "2023-12-31 23:59:59.999999",
                "2024-03-10 02:30:00",
                "1969-12-31 23:59:59.5",
                "0001-01-01 00:00:00",
                "9999-12-31 23:59:59",
                "294246-12-31 04:00:54.775806",
                "290309-12-22 (BC) 00:00:00",
                "infinity",
                "-infinity",
            ],
            Blob => &["", "a", "b", "\\x00", "a\\xFFb", "\\x80"],
            Numbers => &["[]", "[1]", "[1, NULL]", "[1, 2, 3]", "[NULL]", "[2147483647, -1]", "[1, 2]"],
            Texts => &["[]", "[a]", "[a, b]", "[a, NULL, c]", "[NULL]", "[äö, '', ab]"],
            Pair => &[
                "{'a': 1, 'b': x}",
                "{'a': NULL, 'b': x}",
                "{'a': 1, 'b': NULL}",
                "{'a': NaN, 'b': y}",
                "{'a': -0.0, 'b': x}",
                "{'a': 0.0, 'b': x}",
                "{'a': NULL, 'b': NULL}",
            ],
            Interval => &[
                "0 days",
                "1 month",
                "-1 month",
                "13 months",
                "1 day",
                "-36 hours",
                "1.5 seconds",
                "-0.0007 seconds",
                "1 month 2 days 3 hours",
                "1 month -1 day",
                "-3 months 30 days -1.002003 seconds",
                "10 days",
            ],
        }
    }

    /// The name of the column of this type.
    pub(super) fn column(self) -> &'static str {
        match self {
            Boolean => "b",
            TinyInt => "i8",
            SmallInt => "i16",
            Integer => "i32",
            BigInt => "i64",
            HugeInt => "i128",
            UTinyInt => "u8",
            USmallInt => "u16",
            UInteger => "u32",
            UBigInt => "u64",
            Float => "f32",
            Double => "f64",
            Decimal(4, _) => "d4",
            Decimal(9, _) => "d9",
            Decimal(18, _) => "d18",
            Decimal(..) => "d38",
            Varchar => "s",
            Date => "dt",
            Time => "tm",
            Timestamp => "ts",
            TimestampTz => "tz",
            Interval => "iv",
            Blob => "bl",
            Numbers => "li",
            Texts => "ls",
            Pair => "st",
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Boolean => "BOOLEAN",
            TinyInt => "TINYINT",
            SmallInt => "SMALLINT",
            Integer => "INTEGER",
            BigInt => "BIGINT",
            HugeInt => "HUGEINT",
            UTinyInt => "UTINYINT",
            USmallInt => "USMALLINT",
            UInteger => "UINTEGER",
            UBigInt => "UBIGINT",
            Float => "FLOAT",
            Double => "DOUBLE",
            Decimal(width, scale) => return write!(f, "DECIMAL({width}, {scale})"),
            Varchar => "VARCHAR",
            Date => "DATE",
            Time => "TIME",
            Timestamp => "TIMESTAMP",
            TimestampTz => "TIMESTAMPTZ",
            Interval => "INTERVAL",
            Blob => "BLOB",
            Numbers => "INTEGER[]",
            Texts => "VARCHAR[]",
            Pair => "STRUCT(a DOUBLE, b VARCHAR)",
        };
        f.write_str(name)
    }
}
