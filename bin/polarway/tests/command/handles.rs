//! Results that are kept, from the command line.

use super::support::Server;

fn server_with_numbers() -> Server {
    let server = Server::start(&[]);
    let csv = server.write("numbers.csv", "n,text\n1,one\n2,two\n3,three\n");
    server.run(&["store", "numbers", &csv]);
    server
}

/// Keeps a result, and gives the id.
#[track_caller]
fn keep(server: &Server, arguments: &[&str]) -> String {
    let output = server.command(&[&["query", "--keep"], arguments].concat()).output().unwrap();
    let (printed, said) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.is_empty(), "{arguments:?}: {said}");
    let id = printed.strip_suffix('\n').unwrap();
    assert!(id.starts_with("h_") && id.lines().count() == 1, "{printed:?}");
    id.to_owned()
}

#[test]
fn keep_prints_an_id_alone_which_sql_and_load_take() {
    let server = server_with_numbers();
    let id = keep(&server, &["FROM numbers WHERE n > $least ORDER BY n", "-p", "least=1", "--time", "30s"]);
    let csv = "n,text\n2,two\n3,three\n";
    assert_eq!(server.run(&["load", &id, "--format", "csv"]), csv);
    let count = format!("SELECT sum(n)::INT AS sum FROM {id}");
    assert_eq!(server.run(&["query", &count, "--format", "csv"]), "sum\n5\n");
    assert_eq!(server.run(&["load", &id, "-o", "kept.csv"]), "");
    assert_eq!(std::fs::read_to_string(server.folder.path().join("kept.csv")).unwrap(), csv);
    // A file may be named after it.
    let named = format!("{id}.parquet");
    server.run(&["load", &id, "-o", &named]);
    assert!(server.run(&["store", "copy", &named]).starts_with("copy: version 1, 2 rows"));
    let next = keep(&server, &[&format!("SELECT max(n) AS most FROM {id}")]);
    assert_eq!(server.run(&["load", &next, "--format", "json"]), "{\"most\":3}\n");
    // What is kept is no dataset.
    let list = server.run(&["ls"]);
    assert!(!list.contains(&id), "{list}");
}

#[test]
fn handles_are_listed_shown_and_dropped() {
    let server = server_with_numbers();
    assert!(server.run(&["handles", "ls"]).starts_with("no handles"));
    assert_eq!(server.run(&["handles", "ls", "--format", "csv"]), "id,rows,bytes,created,expires\n");
    let one = keep(&server, &["FROM numbers"]);
    let two = keep(&server, &["SELECT 1 AS a LIMIT 0"]);
    let table = server.run(&["handles", "ls"]);
    assert!(table.contains(&one) && table.contains(&two), "{table}");
    let json = server.run(&["handles", "ls", "--format", "json"]);
    let listed: Vec<serde_json::Value> =
        json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found = listed.iter().find(|handle| handle["id"] == one.as_str()).unwrap();
    assert_eq!((listed.len(), &found["rows"]), (2, &3.into()));
    assert!(found["bytes"].as_u64().unwrap() > 24 && found["expires"].is_string(), "{found}");

    let shown = server.run(&["handles", "show", &one]);
    assert!(shown.starts_with(&format!("{one}, made ")), "{shown}");
    assert!(shown.contains("\n3 rows, ") && shown.contains("30m after its last use"), "{shown}");
    assert!(shown.contains("│ text"), "{shown}");
    let csv = server.run(&["handles", "show", &one, "--format", "csv"]);
    assert_eq!(csv, "column,type,null\nn,int64,yes\ntext,utf8,yes\n");
    let json = server.run(&["handles", "show", &one, "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["rows"], &json["columns"][1]["column"]), (&3.into(), &"text".into()));

    let said = server.run(&["handles", "drop", &one, &two]);
    assert_eq!(said, format!("{one}: dropped\n{two}: dropped\n"));
    assert!(server.run(&["handles", "ls"]).starts_with("no handles"));
    // Twice does no harm.
    server.run(&["handles", "drop", &one]);
}

#[test]
fn the_time_to_live_is_set_and_changed() {
    let server = server_with_numbers();
    let id = keep(&server, &["FROM numbers", "--ttl", "90s"]);
    assert!(server.run(&["handles", "show", &id]).contains("1m 30s after its last use"));
    let said = server.run(&["handles", "extend", &id, "--ttl", "2h"]);
    assert!(said.starts_with(&format!("{id}: expires ")) && said.contains("2h after its last use"), "{said}");
    assert!(server.run(&["handles", "extend", &id]).contains("2h after its last use"));
    assert!(server.run(&["handles", "show", &id]).contains("2h after its last use"));
}

#[test]
fn what_is_gone_or_never_was_is_told_in_one_line() {
    let server = server_with_numbers();
    let dropped = keep(&server, &["FROM numbers"]);
    server.run(&["handles", "drop", &dropped]);
    let expired = keep(&server, &["FROM numbers", "--ttl", "100ms"]);
    // To look at it is no use of it.
    let is_there = || server.command(&["handles", "show", &expired]).output().unwrap().status.success();
    assert!((0..2_000).any(|_| !is_there()), "it does not expire");
    let by_id = |id: &str| format!("FROM {id}");
    for id in [&dropped, &expired] {
        for arguments in
            [&["load", id][..], &["query", &by_id(id)], &["handles", "show", id], &["handles", "extend", id]]
        {
            let (code, said) = server.fail(arguments);
            assert_eq!((code, said.lines().count()), (1, 1), "{arguments:?}: {said}");
            assert!(said.starts_with("error: ") && said.contains(id.as_str()), "{arguments:?}: {said}");
        }
    }
    for command in ["show", "extend", "drop"] {
        let (code, said) = server.fail(&["handles", command, "nonsense"]);
        assert!(code == 1 && said.contains("nonsense"), "{said}");
    }
    let (code, said) = server.fail(&["query", "--keep", "FROM nubmers"]);
    assert!(code == 1 && said.contains("nubmers"), "{said}");
}

#[test]
fn usage_that_is_wrong_exits_with_2() {
    let server = Server::start(&[]);
    for arguments in [
        &["handles"][..],
        &["handles", "show"],
        &["handles", "drop"],
        &["handles", "extend", "h_0", "--ttl", "soon"],
        &["query", "--keep", "SELECT 1", "-o", "x.csv"],
        &["query", "--keep", "SELECT 1", "--format", "csv"],
        &["query", "SELECT 1", "--ttl", "1h"],
    ] {
        assert_eq!(server.fail(arguments).0, 2, "{arguments:?}");
    }
}

#[test]
fn commands_for_datasets_point_to_those_for_results_that_are_kept() {
    let server = server_with_numbers();
    let id = keep(&server, &["FROM numbers"]);
    for (arguments, instead) in [
        (&["describe", &id][..], "polarway handles show"),
        (&["versions", &id], "polarway handles show"),
        (&["rm", &id], "polarway handles drop"),
    ] {
        let (code, said) = server.fail(arguments);
        assert!(code == 1 && said.contains(&format!("{instead} {id}")), "{arguments:?}: {said}");
    }
    let output = server.pipe(&["sql"], format!(".schema {id}\n").as_bytes());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&format!("polarway handles show {id}")), "{said}");
    // A name that is only like one is a name.
    let (_, said) = server.fail(&["describe", "h_short"]);
    assert!(!said.contains("handles show"), "{said}");
}
