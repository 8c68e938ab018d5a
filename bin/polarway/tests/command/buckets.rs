//! The page about buckets, followed as a new user follows it: the commands are those of the page.

use std::path::Path;

use polarway_cloud::Given;
use polarway_testing::not_run;

use crate::support::Server;

const PAGE: &str = include_str!("../../../../docs/buckets.md");

/// The commands under a heading of the page.
fn commands(heading: &str) -> Vec<&'static str> {
    let (_, section) = PAGE.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    section.lines().filter_map(|line| line.strip_prefix("$ ")).collect()
}

/// The flags of a worker, as the page says for this cloud, in a bucket of the tests'.
fn flags(given: &Given, place: &str) -> Vec<String> {
    let heading = match given.scheme() {
        "s3" => "Amazon S3",
        "az" => "Azure Blob Storage",
        _ => "Google Cloud Storage",
    };
    let commands = commands(heading);
    let command = commands.iter().find_map(|command| command.strip_prefix("polarway server ")).unwrap();
    let (_, bucket) = given.url.split_once("://").unwrap();
    let words = command.split(' ').map(|word| match word {
        "my-lake" => format!("{bucket}/{place}/handles"),
        word => word.replace("my-lake", &format!("{bucket}/{place}")),
    });
    let endpoint = given.endpoint().map(|endpoint| format!("--bucket-endpoint={endpoint}"));
    words.chain(["--bucket-plain-http".to_owned()]).chain(endpoint).collect()
}

#[test]
fn the_first_steps_of_the_page_about_buckets_work_in_each_cloud() {
    let all = Given::all();
    if all.is_empty() {
        not_run("there are no servers of buckets: `cargo xtask test` starts them");
    }
    for given in all {
        let flags = flags(&given, &format!("page-{:016x}", fastrand::u64(..)));
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let [first, second] = [(); 2].map(|()| Server::start_with(&flags, &given.variables));
        let steps = commands("First steps").join("\n").replace("http://127.0.0.1:50053", &second.url);
        assert!(steps.contains(&second.url));
        let programs = Path::new(env!("CARGO_BIN_EXE_polarway")).parent().unwrap();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        let mut shell = std::process::Command::new("sh");
        shell.args(["-euc", &steps]).env("PATH", path).env("POLARWAY_URL", &first.url);
        let output = shell.current_dir(first.folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}: {said}{}", given.url, String::from_utf8_lossy(&output.stderr));
        assert!(said.starts_with("trades: version 1, 2 rows, "), "{said}");
        assert_eq!(said.matches("│ BTC").count(), 3, "{said}");
        assert_eq!(said.matches("│ ETH").count(), 1, "{said}");
    }
}
