//! Files and pipes of rows, from the command line.

use std::io::Write as _;
use std::process::Output;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::support::Server;

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[track_caller]
fn succeeds(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What a command says that must fail with one line and exit code 1.
#[track_caller]
fn said(output: Output) -> String {
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    said
}

#[test]
fn compressed_files_and_pipes_are_stored_under_the_name_of_what_is_inside() {
    let server = Server::start(&[]);
    let json = "{\"n\": 1}\n{\"n\": 2}\n";
    for (name, bytes) in [
        ("csv_gz.csv.gz", gzip("n\n1\n2\n")),
        ("tsv_gz.tsv.gz", gzip("n\tm\n1\t3\n2\t4\n")),
        ("jsonl_gz.jsonl.gz", gzip(json)),
        ("json_zst.json.zst", zstd::stream::encode_all(json.as_bytes(), 1).unwrap()),
    ] {
        std::fs::write(server.folder.path().join(name), bytes).unwrap();
        server.run(&["store", "--each", name]);
        let dataset = name.split('.').next().unwrap();
        let sum = format!("SELECT sum(n)::INT AS sum FROM {dataset}");
        assert_eq!(server.run(&["query", &sum, "--format", "csv"]), "sum\n3\n", "{name}");
    }
    succeeds(&server.pipe(&["store", "piped", "-", "--format", "csv"], &gzip("n\n7\n")));
    assert_eq!(server.run(&["load", "piped", "--format", "csv"]), "n\n7\n");
    // What is no text comes compressed as well.
    let parquet = server.command(&["load", "piped", "--format", "parquet"]).output().unwrap().stdout;
    let parquet = zstd::stream::encode_all(&*parquet, 1).unwrap();
    succeeds(&server.pipe(&["append", "piped", "-", "--format", "parquet"], &parquet));
    assert_eq!(server.run(&["load", "piped", "--format", "csv"]), "n\n7\n7\n");
}

#[test]
fn a_late_value_that_does_not_fit_stores_nothing_and_tells_its_line() {
    let server = Server::start(&[]);
    let csv = format!("n\n{}2.5\n", "1\n".repeat(30_000));
    let path = server.write("late.csv", &csv);
    let json = format!("{}{{\"n\": 2.5}}\n", "{\"n\": 1}\n".repeat(30_000));
    let json_path = server.write("late.jsonl", &json);
    for (path, line) in [(&path, "line 30002:"), (&json_path, "line 30001:")] {
        let error = said(server.command(&["store", "late", path]).output().unwrap());
        assert!(error.contains(line) && error.contains("2.5") && error.contains(path), "{error}");
        assert!(!error.contains("External"), "{error}");
        server.fail(&["describe", "late"]);
    }
    let error = said(server.pipe(&["store", "late", "-", "--format", "csv"], csv.as_bytes()));
    assert!(error.contains("line 30002:"), "{error}");

    server.run(&["store", "late", &path, "--type", "n=double"]);
    let most = "SELECT max(n) AS most, count(*)::INT AS rows FROM late";
    assert_eq!(server.run(&["query", most, "--format", "csv"]), "most,rows\n2.5,30001\n");
    server.run(&["store", "late", &json_path, "--infer-rows", "100000"]);
    assert_eq!(server.run(&["query", most, "--format", "csv"]), "most,rows\n2.5,30001\n");
    let wrong = server.command(&["store", "late", &path, "--type", "n=number"]).output().unwrap();
    let wrong = (wrong.status.code(), String::from_utf8(wrong.stderr).unwrap());
    assert!(wrong.0 == Some(2) && wrong.1.contains("double, date"), "{wrong:?}");
}

#[test]
fn digits_and_times_come_back_as_they_were_written() {
    let server = Server::start(&[]);
    let csv = "id,zip,big,time,fine\n\
               1,00123,18446744073709551615,2026-11-01 13:30:00,2026-11-01 13:30:00.123456789\n";
    let path = server.write("x.csv", csv);
    server.run(&["store", "x", &path]);
    let described = server.run(&["describe", "x", "--format", "csv"]);
    for column in ["zip,utf8", "big,uint64", "time,timestamp(us)", "fine,timestamp(ns)"] {
        assert!(described.contains(column), "{column} is missing: {described}");
    }
    let loaded = server.run(&["load", "x", "--format", "csv"]);
    assert!(loaded.contains("00123,18446744073709551615,2026-11-01T13:30:00"), "{loaded}");
    assert!(loaded.contains("13:30:00.123456789"), "{loaded}");
    let query = "SELECT count(*)::INT AS n FROM x WHERE big = $big AND time = '2026-11-01 13:30:00'";
    let arguments = ["query", query, "--param", "big=18446744073709551615", "--format", "csv"];
    assert_eq!(server.run(&arguments), "n\n1\n");
    let digits = "123456789012345678901234567890";
    let query = "SELECT ($n + 1)::VARCHAR AS next, typeof($m) AS type";
    let arguments =
        ["query", query, "-p", &format!("n={digits}"), "-p", "m=9223372036854775808", "--format", "csv"];
    assert_eq!(server.run(&arguments), format!("next,type\n{}1,UBIGINT\n", &digits[..29]));
}

#[test]
fn malformed_arrow_and_parquet_files_are_one_line_of_error() {
    let server = Server::start(&[]);
    let csv = server.write("numbers.csv", "n\n1\n2\n3\n");
    server.run(&["store", "numbers", &csv]);
    for format in ["arrow", "parquet"] {
        let whole = server.command(&["load", "numbers", "--format", format]).output().unwrap().stdout;
        for place in (0..whole.len()).step_by(whole.len().div_ceil(20)) {
            let mut bytes = whole.clone();
            bytes[place..].iter_mut().take(8).for_each(|byte| *byte ^= 0xa5);
            let output = server.pipe(&["store", "damaged", "-", "--format", format], &bytes);
            if !output.status.success() {
                assert!(said(output).starts_with("error: "), "{format}, {place}");
            }
        }
    }
    assert_eq!(server.run(&["query", "SELECT 42 AS n", "--format", "csv"]), "n\n42\n");
}
