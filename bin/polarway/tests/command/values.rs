//! What stands in the output is what was asked for: any value whole, any time exact.

use crate::support::Server;

#[test]
fn the_time_that_versions_shows_asks_for_that_version() {
    let server = Server::start(&[]);
    for number in 1..=5 {
        let csv = server.write("numbers.csv", &format!("n\n{number}\n"));
        server.run(&["store", "numbers", &csv]);
    }
    let table = server.run(&["versions", "numbers"]);
    let mut shown = 0;
    for line in table.lines().filter(|line| line.starts_with('│')) {
        let cells: Vec<&str> = line.split('│').map(str::trim).collect();
        let (Ok(version), time) = (cells[1].parse::<u64>(), cells[6]) else { continue };
        let loaded = server.run(&["load", "numbers", "--as-of", time, "--format", "csv"]);
        assert_eq!(loaded, format!("n\n{version}\n"), "{time}");
        let described = server.run(&["describe", "numbers", "--version", &version.to_string()]);
        assert!(described.contains(time), "{described}");
        shown += 1;
    }
    assert_eq!(shown, 5, "{table}");
}

/// An expression, and what it is in CSV and in JSON.
const VALUES: [(&str, &str, &str); 32] = [
    (
        "170141183460469231731687303715884105727::HUGEINT::VARCHAR",
        "170141183460469231731687303715884105727",
        "\"170141183460469231731687303715884105727\"",
    ),
    (
        "99999999999999999999999999999999999999::HUGEINT",
        "99999999999999999999999999999999999999",
        "99999999999999999999999999999999999999",
    ),
    ("(SELECT sum(1))", "1", "1"),
    (
        "340282366920938463463374607431768211455::UHUGEINT",
        "340282366920938463463374607431768211455",
        "\"340282366920938463463374607431768211455\"",
    ),
    (
        "'-12345678901234567890123456789012345678901234567890'::BIGNUM",
        "-12345678901234567890123456789012345678901234567890",
        "\"-12345678901234567890123456789012345678901234567890\"",
    ),
    ("'0101'::BIT", "0101", "\"0101\""),
    ("1.50::DECIMAL(5, 2)", "1.50", "\"1.50\""),
    ("TIME '24:00:00'", "24:00:00", "\"24:00:00\""),
    ("TIME '23:59:59.999999'", "23:59:59.999999", "\"23:59:59.999999\""),
    ("TIMETZ '12:00:00-03:30'", "12:00:00-03:30", "\"12:00:00-03:30\""),
    ("DATE '2013-01-01'", "2013-01-01", "\"2013-01-01\""),
    ("DATE '5881580-07-10'", "+5881580-07-10", "\"+5881580-07-10\""),
    ("DATE '5877642-06-25 (BC)'", "-5877641-06-25", "\"-5877641-06-25\""),
    ("DATE '0044-03-15 (BC)'", "-0043-03-15", "\"-0043-03-15\""),
    ("DATE 'infinity'", "infinity", "\"infinity\""),
    ("DATE '-infinity'", "-infinity", "\"-infinity\""),
    (
        "TIMESTAMP '294247-01-10 04:00:54.775806'",
        "+294247-01-10T04:00:54.775806",
        "\"+294247-01-10T04:00:54.775806\"",
    ),
    ("TIMESTAMP '290309-12-22 (BC) 00:00:00'", "-290308-12-22T00:00:00", "\"-290308-12-22T00:00:00\""),
    ("TIMESTAMP '-infinity'", "-infinity", "\"-infinity\""),
    ("TIMESTAMP_S 'infinity'", "infinity", "\"infinity\""),
    ("TIMESTAMPTZ 'infinity'", "infinity", "\"infinity\""),
    (
        "TIMESTAMPTZ '294247-01-10 04:00:54.775806+00'",
        "+294247-01-10T04:00:54.775806Z",
        "\"+294247-01-10T04:00:54.775806Z\"",
    ),
    ("TIMESTAMP_S '290000-01-01 00:00:00'", "+290000-01-01T00:00:00", "\"+290000-01-01T00:00:00\""),
    ("TIMESTAMP '2013-01-02' - TIMESTAMP '2013-01-01 12:00:00'", "12:00:00", "\"12:00:00\""),
    ("INTERVAL '14 months'", "1 year 2 months", "\"1 year 2 months\""),
    ("MAP {1: 'a', 2: NULL}", "\"{1: a, 2: }\"", "{\"1\":\"a\",\"2\":null}"),
    (
        "MAP {'k': MAP {DATE '2013-01-01': 'nan'::DOUBLE}}",
        "{k: {2013-01-01: NaN}}",
        "{\"k\":{\"2013-01-01\":\"NaN\"}}",
    ),
    ("[{'t': TIME '24:00:00'}, NULL]", "\"[{t: 24:00:00}, ]\"", "[{\"t\":\"24:00:00\"},null]"),
    ("'x'::ENUM('x', 'y')", "x", "\"x\""),
    ("union_value(a := 1)", "\"{\"\"a\"\":1}\"", "\"{\\\"a\\\":1}\""),
    ("{'a': 1}::VARIANT", "\"{\"\"a\"\":1}\"", "\"{\\\"a\\\":1}\""),
    ("NULL", "\"\"", "null"),
];

#[test]
fn a_value_of_any_type_of_sql_is_told_whole_in_csv_and_json() {
    let server = Server::start(&[]);
    let columns = VALUES.iter().enumerate().map(|(place, (sql, ..))| format!("{sql} AS c{place}"));
    let sql = format!("SELECT {}", columns.collect::<Vec<_>>().join(", "));
    let json = server.run(&["query", &sql, "--format", "json"]);
    let row = json.trim_end().strip_prefix('{').unwrap();
    let mut expect = VALUES.iter().enumerate().map(|(place, (_, _, json))| format!("\"c{place}\":{json}"));
    assert_eq!(row.strip_suffix('}').unwrap(), expect.by_ref().collect::<Vec<_>>().join(","));
    serde_json::from_str::<serde_json::Value>(&json).unwrap();
    let csv = server.run(&["query", &sql, "--format", "csv"]);
    let expect: Vec<_> = VALUES.iter().map(|(_, csv, _)| if *csv == "\"\"" { "" } else { csv }).collect();
    assert_eq!(csv.lines().nth(1).unwrap(), expect.join(","));
    let table = server.run(&["query", &sql, "--format", "table"]);
    assert!(!table.contains("ERROR") && table.contains("24:00:00"), "{table}");
}

#[test]
fn the_longest_numbers_are_told_whole_and_never_stand_in_a_file_that_can_not_hold_them() {
    let server = Server::start(&[]);
    let sql = "SELECT '-170141183460469231731687303715884105728'::HUGEINT AS low, sum(i) AS high \
               FROM (VALUES (170141183460469231731687303715884105726), (1)) t(i)";
    let (low, high) = ("-170141183460469231731687303715884105728", "170141183460469231731687303715884105727");
    assert_eq!(server.run(&["query", sql, "--format", "csv"]), format!("low,high\n{low},{high}\n"));
    assert_eq!(
        server.run(&["query", sql, "--format", "json"]),
        format!("{{\"low\":{low},\"high\":{high}}}\n")
    );
    let table = server.run(&["query", sql]);
    assert!(
        table.contains(low) && table.contains(&format!(" {high} │")) && table.contains("hugeint"),
        "{table}"
    );
    let output = server.pipe(&["sql", "--format", "csv"], format!("{sql};").as_bytes());
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("low,high\n{low},{high}\n"));
    // With values, whose types are known with them.
    let given = ["query", "SELECT $n::HUGEINT * 1 AS n", "-p", &format!("n=\"{high}\""), "--format", "csv"];
    assert_eq!(server.run(&given), format!("n\n{high}\n"));
    for format in ["arrow", "parquet"] {
        let output = server.command(&["query", sql, "--format", format]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{format}: {said}");
        assert!(said.contains(&format!("\"low\" holds {low}")), "{format}: {said}");
    }
}

#[test]
fn columns_of_one_name_all_keep_their_values() {
    let server = Server::start(&[]);
    let sql = "SELECT 1 v, 2 v, 3 \"V\", 4 \"a\"\"b\nc\"";
    let json = server.run(&["query", sql, "--format", "json"]);
    assert_eq!(json, "{\"v\":1,\"v_1\":2,\"V\":3,\"a\\\"b\\nc\":4}\n");
    assert_eq!(server.run(&["query", sql, "--format", "csv"]), "v,v,V,\"a\"\"b\nc\"\n1,2,3,4\n");
    let file = server.folder.path().join("x.parquet").display().to_string();
    server.run(&["query", sql, "-o", &file]);
    server.run(&["store", "x", &file]);
    let stored = server.run(&["load", "x", "--format", "json"]);
    assert_eq!(stored, json);
}

#[test]
fn a_file_whose_first_column_has_no_name_is_asked_like_any_other() {
    let server = Server::start(&[]);
    // As pandas and R write it.
    let csv = server.write("frame.csv", ",a\n0,x\n1,y\n");
    server.run(&["store", "frame", &csv]);
    assert_eq!(server.run(&["query", "FROM frame", "--format", "csv"]), "column0,a\n0,x\n1,y\n");
    assert_eq!(server.run(&["query", "SELECT a FROM frame WHERE column0 = 1", "--format", "csv"]), "a\ny\n");
    assert_eq!(server.run(&["load", "frame", "--format", "csv"]), ",a\n0,x\n1,y\n");
}

#[test]
fn some_columns_and_rows_are_loaded_alone() {
    let server = Server::start(&[]);
    let csv = server.write("t.csv", "a,\"b,c\",d\n1,2,3\n4,5,6\n7,8,9\n");
    server.run(&["store", "t", &csv]);
    let load = |arguments: &[&str]| server.run(&[&["load", "t", "--format", "csv"], arguments].concat());
    assert_eq!(load(&["--columns", "d,a"]), "d,a\n3,1\n6,4\n9,7\n");
    assert_eq!(load(&["--columns", "\"b,c\"", "--rows", "1..2"]), "\"b,c\"\n5\n");
    assert_eq!(load(&["--rows", "..1"]), "a,\"b,c\",d\n1,2,3\n");
    assert_eq!(load(&["--rows", "2..100"]), "a,\"b,c\",d\n7,8,9\n");
    assert_eq!(load(&["--rows", "3..", "--columns", "a"]), "a\n");
    for (arguments, status, said) in [
        (["--columns", "a,x"], 1, "there is no column \"x\""),
        (["--columns", "a,a"], 1, "asked for twice"),
        (["--columns", "a,"], 2, "a name is missing"),
        (["--rows", "4.."], 1, "3"),
        (["--rows", "7"], 2, "100..200"),
        (["--rows", "2..1"], 2, "end before they begin"),
    ] {
        let (code, message) = server.fail(&[&["load", "t"][..], &arguments].concat());
        assert_eq!(code, status, "{arguments:?}: {message}");
        assert!(message.contains(said), "{arguments:?}: {message}");
    }
}
