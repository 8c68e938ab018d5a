//! Tokens: made by the command, taken by a server, sent by the command.

use crate::support::{Server, command};

/// What `polarway token new` prints with these arguments: the token, and its entry.
fn made(arguments: &[&str]) -> (String, String) {
    let output = command(&[&["token", "new"], arguments].concat()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    let (token, entry) = printed.split_once("\n\n").unwrap();
    (token.to_owned(), entry.to_owned())
}

fn refused(arguments: &[&str]) -> String {
    let output = command(&[&["token", "new"], arguments].concat()).output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_printed_entry_lets_its_token_in_and_no_other() {
    let (token, entry) = made(&["--name", "reports", "--role", "reader", "--read", "t", "--expires", "90d"]);
    let (loader, second) = made(&["--name", "loader", "--role", "writer"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.toml");
    std::fs::write(&file, format!("{entry}\n{second}")).unwrap();
    let server = Server::start(&["--auth-file", file.to_str().unwrap()]);
    let run = |token: &str, arguments: &[&str]| {
        let output = server.command(arguments).env("POLARWAY_AUTH_TOKEN", token).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        if output.status.success() { Ok(String::from_utf8(output.stdout).unwrap()) } else { Err(said) }
    };
    server.write("t.csv", "n\n1\n");
    for name in ["t", "secrets"] {
        run(&loader, &["store", name, "t.csv"]).unwrap();
    }
    assert_eq!(run(&token, &["query", "FROM t", "--format", "csv"]).unwrap(), "n\n1\n");
    assert!(!run(&token, &["ls"]).unwrap().contains("secrets"));
    assert!(run(&token, &["load", "secrets"]).unwrap_err().contains("no dataset"));
    assert!(run(&token, &["rm", "t"]).unwrap_err().contains("may not delete"));
    for wrong in ["", "pw_wrong"] {
        let said = run(wrong, &["ls"]).unwrap_err();
        assert!(said.contains("token") && !said.contains("pw_"), "{said}");
    }
}

#[test]
fn the_settings_in_force_are_printed_without_the_token() {
    let mut show = command(&["config", "show", "--auth-file", "tokens.toml"]);
    let shown = show.env("POLARWAY_AUTH_TOKEN", "canary-secret").output().unwrap();
    assert!(shown.status.success());
    let all = [shown.stdout, shown.stderr].concat();
    let all = String::from_utf8(all).unwrap();
    assert!(all.contains("tokens.toml") && !all.contains("canary"), "{all}");
}

#[test]
fn what_no_server_would_take_is_not_printed() {
    assert!(refused(&["--role", "reader"]).contains("--name"));
    assert!(refused(&["--name", "x", "--role", "root"]).contains("reader, writer, admin"));
    assert!(refused(&["--name", "a b", "--role", "reader"]).contains("`name`"));
    assert!(refused(&["--name", "x", "--role", "reader", "--read", "a/b"]).contains("\"a/b\""));
    assert!(refused(&["--name", "x", "--role", "reader", "--expires", "2020-01-01"]).contains("expired"));
    assert!(refused(&["--name", "x", "--role", "reader", "--expires", "soon"]).contains("90d"));
}

#[test]
fn whether_a_server_serves_is_told_without_a_token_and_nothing_else_is() {
    let (_, entry) = made(&["--name", "reports", "--role", "reader"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.toml");
    std::fs::write(&file, entry).unwrap();
    let server = Server::start(&["--auth-file", file.to_str().unwrap()]);
    assert_eq!(server.run(&["health"]), "OK\n");
    let with_another = server.command(&["health"]).env("POLARWAY_AUTH_TOKEN", "another").output().unwrap();
    assert!(with_another.status.success());
    assert!(server.fail(&["ls"]).1.contains("needs a token"));
}
