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
