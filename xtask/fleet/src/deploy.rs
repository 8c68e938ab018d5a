//! The files of `deploy/`, made those of a fleet on this machine.
//!
//! What is put in is what an operator puts in: addresses, and how calls are spread. Besides, nginx is given folders of its
//! own, as it need not be root's. A file in which something is not found any more is an error, so that no test goes on with
//! half of it.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::balancer::Spread;

/// The folders that nginx wants to make, whatever it is used for.
const NGINX_FOLDERS: [&str; 5] = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];

/// `nginx.conf` for these addresses.
pub(crate) fn nginx(
    text: &str,
    listen: SocketAddr,
    workers: &[SocketAddr],
    spread: Spread,
    folder: &Path,
) -> Result<String> {
    let text = with_workers(text, "server worker-", workers)?;
    let text = replace_once(&text, "listen 50052 ", &format!("listen {listen} "))?;
    let folders = NGINX_FOLDERS.map(|name| format!("    {name}_temp_path {}/{name};\n", folder.display()));
    let text = replace_once(&text, "\nhttp {\n", &format!("\nhttp {{\n{}", folders.concat()))?;
    match spread {
        Spread::RoundRobin => Ok(text),
        Spread::LeastConnections => replace_once(&text, "#least_conn;", "least_conn;"),
        Spread::Source => replace_once(&text, "#ip_hash;", "ip_hash;"),
    }
}

/// `haproxy.cfg` for these addresses.
pub(crate) fn haproxy(
    text: &str,
    listen: SocketAddr,
    workers: &[SocketAddr],
    spread: Spread,
) -> Result<String> {
    let text = with_workers(text, "server worker-", workers)?;
    let text = replace_once(&text, "bind :50052 ", &format!("bind {listen} "))?;
    let spread = match spread {
        Spread::RoundRobin => "roundrobin",
        Spread::LeastConnections => "leastconn",
        Spread::Source => "source",
    };
    replace_once(&text, "\n    balance roundrobin\n", &format!("\n    balance {spread}\n"))
}

/// A line for each worker, in the place of those of the file, which differ in the worker's number only.
fn with_workers(text: &str, start: &str, workers: &[SocketAddr]) -> Result<String> {
    let is_of_worker = |line: &&str| line.trim_start().starts_with(start);
    let lines: Vec<&str> = text.lines().filter(is_of_worker).collect();
    for (index, line) in lines.iter().enumerate() {
        let expected = lines[0].replace("worker-1", &format!("worker-{}", index + 1));
        ensure!(*line == expected, "the line of a worker is {line:?}, and {expected:?} was expected");
    }
    ensure!(lines.len() == 3, "three lines that begin with {start:?} were expected");
    let block = lines.join("\n") + "\n";
    let made = workers.iter().enumerate().map(|(index, address)| {
        let line = lines[0].replace("worker-1:50052", &address.to_string());
        line.replace("worker-1", &format!("worker-{}", index + 1)) + "\n"
    });
    replace_once(text, &block, &made.collect::<String>())
}

fn replace_once(text: &str, from: &str, to: &str) -> Result<String> {
    let count = text.matches(from).count();
    ensure!(count == 1, "{from:?} stands {count} times where it was expected once");
    Ok(text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NGINX: &str = include_str!("../../../deploy/nginx/nginx.conf");
    const HAPROXY: &str = include_str!("../../../deploy/haproxy/haproxy.cfg");
    const ENVOY: &str = include_str!("../../../deploy/envoy/envoy.yaml");

    fn addresses() -> (SocketAddr, [SocketAddr; 2]) {
        (
            "127.0.0.1:1".parse().unwrap(),
            ["127.0.0.1:2", "127.0.0.1:3"].map(|address| address.parse().unwrap()),
        )
    }

    #[test]
    fn only_addresses_folders_and_the_spread_change() {
        let (listen, workers) = addresses();
        let made = nginx(NGINX, listen, &workers, Spread::LeastConnections, Path::new("/f")).unwrap();
        let new: Vec<&str> = made.lines().filter(|line| !NGINX.lines().any(|old| old == *line)).collect();
        let folders = NGINX_FOLDERS.map(|name| format!("    {name}_temp_path /f/{name};"));
        let mut expect: Vec<&str> = folders.iter().map(String::as_str).collect();
        expect.extend([
            "        least_conn;",
            "        server 127.0.0.1:2 max_fails=1 fail_timeout=5s;",
            "        server 127.0.0.1:3 max_fails=1 fail_timeout=5s;",
            "        listen 127.0.0.1:1 http2;",
        ]);
        assert_eq!(new, expect);

        let made = haproxy(HAPROXY, listen, &workers, Spread::Source).unwrap();
        let new: Vec<&str> = made.lines().filter(|line| !HAPROXY.lines().any(|old| old == *line)).collect();
        let expect = [
            "    bind 127.0.0.1:1 proto h2",
            "    balance source",
            "    server worker-1 127.0.0.1:2",
            "    server worker-2 127.0.0.1:3",
        ];
        assert_eq!(new, expect);
    }

    #[test]
    fn a_file_that_does_not_look_as_expected_is_an_error() {
        let (listen, workers) = addresses();
        for (from, to) in [("listen 50052", "listen 80"), ("worker-2:50052", "worker-2:1"), ("#ip_hash;", "")]
        {
            let text = NGINX.replace(from, to);
            assert!(nginx(&text, listen, &workers, Spread::Source, Path::new("/f")).is_err(), "{from}");
        }
    }

    #[test]
    fn every_balancer_listens_where_clients_look_and_names_the_same_workers() {
        for (listens, text) in [
            ("listen 50052 http2;", NGINX),
            ("bind :50052 proto h2", HAPROXY),
            ("port_value: 50052 }\n", ENVOY),
        ] {
            assert!(text.contains(listens), "{listens}");
            for worker in ["worker-1", "worker-2", "worker-3"] {
                assert!(text.contains(worker), "{worker}");
            }
            assert!(!text.contains("worker-4"));
        }
    }
}
