//! Values for parameters, and a hand on what runs.

use std::process::Stdio;

use super::support::Server;

#[test]
fn parameters_take_their_values_from_the_line() {
    let server = Server::start(&[]);
    let csv = |arguments: &[&str]| server.run(&[&["query", "--format", "csv"], arguments].concat());
    assert_eq!(csv(&["SELECT $a + $b AS sum", "--param", "a=40", "-p", "b=2"]), "sum\n42\n");
    assert_eq!(csv(&["SELECT ? || ? AS text", "-p", "1=it's", "-p", "2=\"7\""]), "text\nit's7\n");
    let (code, said) = server.fail(&["query", "SELECT $year", "-p", "yaer=1"]);
    assert!(code == 1 && said.contains("$year has no value"), "{said}");
    let (code, said) = server.fail(&["query", "SELECT 1", "-p", "year"]);
    assert!(code == 2 && said.contains("NAME=VALUE"), "{said}");
}

#[test]
fn a_query_says_which_workers_ran_it_where_they_were_chosen() {
    let server = Server::start(&[]);
    let run = server.command(&["query", "--engine", "local", "SELECT 42 AS answer"]).output().unwrap();
    assert_eq!(String::from_utf8(run.stderr).unwrap(), "ran on one worker\n");
    let usual = server.command(&["query", "SELECT 42 AS answer"]).output().unwrap();
    assert_eq!(String::from_utf8(usual.stderr).unwrap(), "");
    let (code, said) = server.fail(&["query", "--engine", "distributed", "SELECT 42"]);
    assert!(code == 1 && said.contains("not set up to run queries with others"), "{said}");
    let (code, said) = server.fail(&["query", "--engine", "remote", "SELECT 42"]);
    assert!(code == 2 && said.contains("remote"), "{said}");
    let workers = server.run(&["workers"]);
    assert!(workers.contains("docs/distributed.md"), "{workers}");
    assert_eq!(server.run(&["workers", "--format", "json"]), "");
}

#[test]
fn a_query_ends_when_its_time_is_over() {
    let server = Server::start(&[]);
    let endless = "SELECT sum(a.range % 7) FROM range(1000000000) a, range(1000000) b";
    let (code, said) = server.fail(&["query", endless, "--time", "1s"]);
    assert!(code == 1 && said.contains("deadline"), "{said}");
}

#[test]
fn a_running_query_is_listed_and_cancelled() {
    let server = Server::start(&[]);
    assert_eq!(server.run(&["queries"]), "no queries\n");
    let endless = "SELECT sum(a.range % 7)\nFROM range(1000000000) a, range(1000000) b";
    let query =
        server.command(&["query", endless]).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let listed: serde_json::Value = polarway_testing::wait_for(|| {
        let list = server.run(&["queries", "--format", "json"]);
        list.lines().next().map(|line| serde_json::from_str(line).unwrap())
    });
    assert_eq!(listed["sql"], endless);
    let table = server.run(&["queries"]);
    assert!(table.contains("SELECT sum(a.range % 7) FROM range"), "{table}");
    assert_eq!(server.run(&["cancel", listed["id"].as_str().unwrap()]), "");
    let output = query.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("interrupted"), "{said}");
    let (code, said) = server.fail(&["cancel", "nonsense"]);
    assert!(code == 1 && said.contains("\"nonsense\""), "{said}");
}
