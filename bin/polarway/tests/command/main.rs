//! The command as a person uses it, against a server that it started.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod buckets;
mod exports;
mod handles;
mod input;
mod queries;
mod shell;
mod support;
mod tls;
mod tokens;
mod values;

use std::io::Read as _;
use std::process::Stdio;

use support::{Server, command, flights_folder};

#[test]
fn files_are_stored_listed_described_and_loaded() {
    let server = Server::start(&[]);
    let airlines = flights_folder().join("airlines.parquet").display().to_string();
    let planes = flights_folder().join("planes.parquet").display().to_string();
    let said = server.run(&["store", "--each", &airlines, &planes]);
    assert!(said.starts_with("airlines: version 1, 16 rows, "), "{said}");
    assert!(said.lines().nth(1).unwrap().starts_with("planes: version 1, 3,322 rows, "), "{said}");

    let list = server.run(&["ls"]);
    assert!(list.contains("│ airlines │") && list.contains("3,322"), "{list}");
    let list = server.run(&["ls", "--format", "json"]);
    let first: serde_json::Value = serde_json::from_str(list.lines().next().unwrap()).unwrap();
    assert_eq!((&first["name"], &first["rows"]), (&"airlines".into(), &16.into()));

    let described = server.run(&["describe", "airlines"]);
    assert!(
        described.starts_with("airlines, version 1 of ") && described.contains("│ carrier"),
        "{described}"
    );
    let csv = server.run(&["load", "airlines", "--format", "csv"]);
    assert_eq!(csv.lines().count(), 17);
    assert!(csv.starts_with("carrier,name\n9E,Endeavor Air Inc.\n"), "{csv}");
}

#[test]
fn what_is_loaded_into_a_file_can_be_stored_again_in_every_format() {
    let server = Server::start(&[]);
    let csv = server.write("trades.csv", "symbol,price\nBTC,50000.5\nETH,3000\n");
    server.run(&["store", "trades", &csv]);
    for file in ["copy.parquet", "copy.csv", "copy.jsonl", "copy.arrow"] {
        assert_eq!(server.run(&["load", "trades", "-o", file]), "");
        server.run(&["store", "copy", file]);
        let query = "SELECT count(*) AS n FROM trades JOIN copy USING (symbol, price)";
        assert_eq!(server.run(&["query", query, "--format", "csv"]), "n\n2\n", "{file}");
    }
}

#[test]
fn versions_are_appended_read_by_number_and_by_time_and_removed() {
    let server = Server::start(&[]);
    let one = server.write("one.csv", "n\n1\n");
    let two = server.write("two.csv", "n\n2\n3\n");
    server.run(&["store", "numbers", &one, "--create"]);
    let said = server.run(&["append", "numbers", &two]);
    assert!(said.starts_with("numbers: version 2, 3 rows"), "{said}");
    let rows = |arguments: &[&str]| {
        let load = [&["load", "numbers", "--format", "csv"], arguments].concat();
        server.run(&load).lines().count() - 1
    };
    assert_eq!((rows(&[]), rows(&["--version", "1"])), (3, 1));
    let listed = server.run(&["versions", "numbers", "--format", "json"]);
    let first: serde_json::Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    assert_eq!(rows(&["--as-of", first["time"].as_str().unwrap()]), 1);

    assert!(server.run(&["rm", "numbers"]).starts_with("numbers: deleted as version 3"));
    assert_eq!(rows(&["--version", "1"]), 1);
    server.run(&["rm", "--purge", "numbers"]);
    let (code, said) = server.fail(&["load", "numbers", "--version", "1"]);
    assert_eq!(code, 1, "{said}");
    assert!(server.run(&["ls"]).contains("no datasets yet"));
}

#[test]
fn pipes_are_read_and_written() {
    let server = Server::start(&[]);
    let output = server.pipe(&["store", "numbers", "-", "--format", "csv"], b"n\n1\n2\n");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let parquet = server.command(&["load", "numbers", "--format", "parquet"]).output().unwrap().stdout;
    let output = server.pipe(&["append", "numbers", "-", "--format", "parquet"], &parquet);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let arrow = server.command(&["load", "numbers", "--format", "arrow"]).output().unwrap().stdout;
    let output = server.pipe(&["append", "numbers", "-", "--format", "arrow"], &arrow);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let output = server.pipe(&["query", "-", "--format", "json"], b"SELECT sum(n)::INT AS sum FROM numbers");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "{\"sum\":12}\n");
}

#[test]
fn a_reader_that_has_read_enough_is_no_failure() {
    let server = Server::start(&[]);
    for format in ["csv", "json", "arrow"] {
        let mut process = server
            .command(&["query", "SELECT * FROM range(3000000)", "--format", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = [0; 100];
        process.stdout.take().unwrap().read_exact(&mut first).unwrap();
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success(), "{format}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stderr.is_empty());
    }
}

#[test]
fn a_folder_of_parquet_files_is_served_without_storing_anything() {
    let folder = flights_folder().canonicalize().unwrap().display().to_string();
    let before = std::fs::read_dir(&folder).unwrap().count();
    let server = Server::start(&["--parquet-path", &folder]);
    assert!(server.run(&["ls"]).contains("336,776"));
    let busiest = "SELECT origin FROM flights GROUP BY ALL ORDER BY count(*) DESC LIMIT 1";
    assert_eq!(server.run(&["query", busiest, "--format", "csv"]), "origin\nEWR\n");
    let loaded = server.run(&["load", "weather", "--format", "csv"]);
    assert_eq!(loaded.lines().count() - 1, 26_115);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), before);
}

#[test]
fn failures_are_one_line_with_what_to_do_and_exit_with_1() {
    let server = Server::start(&[]);
    let csv = server.write("numbers.csv", "n\n1\n");
    server.run(&["store", "numbers", &csv]);
    for (arguments, parts) in [
        (&["load", "nubmers"][..], &["nubmers", "numbers"][..]),
        (&["store", "numbers", &csv, "--create"], &["numbers", "exists"]),
        (&["store", "no/name", &csv], &["no/name"]),
        (&["store", "numbers", "/no/such.csv"], &["/no/such.csv", "can't be opened"]),
        (&["store", "numbers", "table.xlsx"], &["table.xlsx", "--format"]),
        (&["query", "SELECT 1 FROM nubmers"], &["nubmers"]),
        (&["query", "-f", "/no/such.sql"], &["/no/such.sql"]),
        (&["load", "numbers", "-o", "/no/such/folder/x.csv"], &["/no/such/folder/x.csv"]),
        (&["load", "numbers", "-o", "x.xlsx"], &["x.xlsx", "--format"]),
        (&["ls", "--url", "http://127.0.0.1:1"], &["127.0.0.1:1", "polarway server", "--url"]),
        (&["ls", "--url", "ftp://here"], &["ftp://here", "http://"]),
    ] {
        let (code, said) = server.fail(arguments);
        assert_eq!((code, said.lines().count()), (1, 1), "{arguments:?}: {said}");
        assert!(said.starts_with("error: "), "{said}");
        assert!(parts.iter().all(|part| said.contains(part)), "{arguments:?}: {said}");
    }
}

#[test]
fn a_file_that_was_there_stays_when_a_load_fails() {
    let server = Server::start(&[]);
    let kept = server.write("kept.csv", "as it was");
    server.fail(&["load", "nobody", "-o", &kept]);
    let late =
        "SELECT CAST(9223372036854775807 - 1000000 + n AS BIGINT) + 1 AS n FROM range(2000000) AS t(n)";
    server.fail(&["query", late, "-o", &kept]);
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "as it was");
    let names: Vec<_> =
        std::fs::read_dir(server.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(
        names.iter().filter(|name| name.to_string_lossy().starts_with(".tmp")).count(),
        0,
        "{names:?}"
    );
}

#[test]
fn usage_that_is_wrong_exits_with_2() {
    for arguments in [
        &["no-such-command"][..],
        &["store", "numbers"],
        &["store", "a", "b.csv", "c.csv"],
        &["load"],
        &["query"],
        &["query", "SELECT 1", "-f", "x.sql"],
        &["load", "x", "--version", "1", "--as-of", "2026-11-01"],
        &["load", "x", "--as-of", "yesterday"],
        &["store", "a", "b.csv", "--format", "xlsx"],
    ] {
        let output = command(arguments).output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn health_stats_settings_and_completions_are_printed() {
    let server = Server::start(&[]);
    assert_eq!(server.run(&["health"]), "OK\n");
    let stats: serde_json::Value = serde_json::from_str(&server.run(&["stats", "--format", "json"])).unwrap();
    assert_eq!(stats["server_version"], env!("CARGO_PKG_VERSION"));
    assert!(stats["cache"]["hit_rate"].is_number());
    let shown = server.run(&["config", "show", "--cache-size", "4"]);
    assert!(shown.contains("cache_size = 4.0") && shown.contains("# --cache-size"), "{shown}");
    for shell in ["bash", "zsh", "fish"] {
        assert!(server.run(&["completions", shell]).contains("describe"), "{shell}");
    }
}

#[test]
fn a_misspelt_name_is_told_the_nearest_by_every_command() {
    let server = Server::start(&[]);
    let csv = server.write("trades.csv", "symbol,price\nBTC,50000.5\n");
    for name in ["trades", "quotes"] {
        server.run(&["store", name, &csv]);
    }
    for arguments in [
        &["load", "tradse"][..],
        &["load", "Trades"],
        &["load", "tradse", "--version", "1"],
        &["load", "tradse", "--as-of", "2020-01-01"],
        &["load", "tradse", "-o", "x.parquet"],
        &["describe", "tradse"],
        &["describe", "TRADES"],
        &["versions", "tradse"],
        &["append", "tradse", &csv],
        &["rm", "tradse"],
        &["query", "FROM tradse"],
    ] {
        let (code, said) = server.fail(arguments);
        assert!(code == 1 && said.contains("trades"), "{arguments:?}: {said}");
        assert!(!said.contains("quotes"), "{arguments:?}: {said}");
        println!("{arguments:?}: {said}");
    }
}

#[test]
fn a_dataset_that_cannot_be_read_is_listed_with_the_reason() {
    let cold = tempfile::tempdir().unwrap();
    let server = Server::start(&["--parquet-path", cold.path().to_str().unwrap()]);
    let csv = server.write("trades.csv", "symbol,price\nBTC,50000.5\n");
    for name in ["quotes", "trades"] {
        server.run(&["store", name, &csv]);
    }
    assert!(!server.run(&["ls"]).contains("error"), "a column of nothing");
    std::fs::write(cold.path().join("trades/_polarway/commits/0000000002.json"), "{\"format\": 9}").unwrap();
    let list = server.run(&["ls"]);
    assert!(list.contains("its format is 9") && list.contains("│ quotes"), "{list}");
    let list = server.run(&["ls", "--format", "json"]);
    let rows: Vec<serde_json::Value> = list.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&rows[0]["name"], &rows[0]["rows"]), (&"quotes".into(), &1.into()));
    assert_eq!((&rows[1]["name"], &rows[1]["rows"]), (&"trades".into(), &serde_json::Value::Null));
    assert!(rows[1]["error"].as_str().unwrap().contains("0000000002.json"), "{list}");
    assert_eq!(server.run(&["query", "SELECT count(*) AS n FROM quotes", "--format", "csv"]), "n\n1\n");
}
