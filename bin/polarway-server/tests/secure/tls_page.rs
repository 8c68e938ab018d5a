//! The commands of the page about TLS work.

use std::process::Command;

use crate::support::Server;
use crate::tls_certificates::{Files, trusting};

const PAGE: &str = include_str!("../../../../docs/tls.md");

#[tokio::test]
async fn the_certificates_of_the_page_serve_both_ends() {
    if Command::new("openssl").arg("version").output().is_err() {
        return polarway_testing::not_run("there is no openssl on this machine");
    }
    let commands = PAGE.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let files = Files::new();
    let made = Command::new("sh").args(["-ec", commands]).current_dir(files.path("")).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let path = |name: &str| files.path(name).display().to_string();
    let (certificate, key, ca) = (path("server.crt"), path("server.key"), path("ca.crt"));
    let server = Server::start_with(&["--tls-cert", &certificate, "--tls-key", &key, "--tls-ca", &ca]);
    let url = format!("https://{}", server.address());
    let client = trusting(&url, ca.as_ref()).tls_identity(path("client.crt"), path("client.key"));
    client.connect().await.unwrap().health_check().await.unwrap();
}
