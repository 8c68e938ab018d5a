//! The words of DuckDB's SQL that are coloured and completed.

use polarway_sql::identifier;

/// A list of words.
#[derive(Clone, Copy)]
pub(super) struct Words(&'static str);

impl Words {
    pub(super) fn iter(self) -> impl Iterator<Item = &'static str> {
        self.0.split(' ')
    }
}

/// Words that are names only in quotes.
const RESERVED: Words = Words(
    "ALL AND ANTI ANY ARRAY AS ASC ASOF BOTH CASE CAST COLLATE COLUMN CREATE CROSS DEFAULT DESC DESCRIBE \
     DISTINCT DO ELSE END EXCEPT FALSE FETCH FOR FROM FULL GLOB GROUP HAVING ILIKE IN INNER INTERSECT \
     INTO IS JOIN LATERAL LEFT LIKE LIMIT NATURAL NOT NULL OFFSET ON ONLY OR ORDER OUTER PIVOT POSITIONAL \
     QUALIFY RIGHT SELECT SEMI SHOW SIMILAR SOME SUMMARIZE TABLE TABLESAMPLE THEN TO TRUE TRY_CAST UNION \
     UNIQUE UNPIVOT USING VARIADIC WHEN WHERE WINDOW WITH",
);

/// Words with a meaning where a statement expects them, and names elsewhere.
const UNRESERVED: Words = Words(
    "ANALYZE AT BETWEEN BY CUBE CURRENT ESCAPE EXCLUDE EXISTS EXPLAIN FILTER FIRST FOLLOWING GROUPING \
     INTERVAL LAST MATERIALIZED NULLS OVER PARTITION PERCENT PRECEDING RANGE RECURSIVE RENAME REPLACE \
     ROLLUP ROW ROWS SAMPLE SETS TABLES TIMESTAMP UNBOUNDED VALUES VERSION WITHIN ZONE",
);

/// Words that a statement begins with.
pub(super) const STARTS: Words =
    Words("SELECT FROM WITH DESCRIBE SUMMARIZE EXPLAIN SHOW TABLE VALUES PIVOT UNPIVOT");

/// The most common functions.
pub(super) const FUNCTIONS: Words = Words(
    "abs any_value approx_count_distinct approx_quantile arg_max arg_min array_agg avg bool_and bool_or \
     ceil coalesce concat concat_ws contains corr count date_diff date_part date_trunc dense_rank epoch \
     exp first_value floor format generate_series greatest histogram ifnull lag last_value lead least len \
     length list list_contains ln log lower ltrim max median min mode ntile nullif power quantile_cont \
     random rank read_csv read_json read_parquet regexp_extract regexp_matches regexp_replace round \
     row_number rtrim split_part sqrt starts_with stddev strftime string_agg strptime substring sum trim \
     unnest",
);

/// Functions that are used as tables.
pub(super) const TABLE_FUNCTIONS: Words =
    Words("generate_series range read_csv read_json read_parquet unnest");

/// Whether it is a keyword, ignoring case.
pub(super) fn is_keyword(word: &str) -> bool {
    keywords().any(|keyword| keyword.eq_ignore_ascii_case(word))
}

/// All keywords.
pub(super) fn keywords() -> impl Iterator<Item = &'static str> {
    RESERVED.iter().chain(UNRESERVED.iter())
}

/// A name as SQL reads it: quoted, if it is not a name without quotes.
pub(super) fn quoted_where_needed(name: &str) -> String {
    let begins = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let is_plain = begins && name.chars().all(|part| part.is_ascii_alphanumeric() || part == '_');
    if is_plain && !RESERVED.iter().any(|word| word.eq_ignore_ascii_case(name)) {
        name.to_owned()
    } else {
        identifier(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_where_they_must_be_and_only_there() {
        for (name, expect) in [
            ("flights", "flights"),
            ("Flights_2", "Flights_2"),
            ("version", "version"),
            ("order", "\"order\""),
            ("2024", "\"2024\""),
            ("my-data", "\"my-data\""),
            ("a\"b", "\"a\"\"b\""),
            ("größe", "\"größe\""),
            ("", "\"\""),
        ] {
            assert_eq!(quoted_where_needed(name), expect);
        }
    }
}
