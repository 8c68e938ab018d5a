//! A server in a process of its own, and a client of it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use polarway_client::DistributedClient;

/// `polarway-server` on a free port, which ends with this value.
pub(crate) struct Server {
    process: Child,
    pub(crate) url: String,
    pub(crate) client: DistributedClient,
    pub(crate) folder: PathBuf,
}

impl Server {
    pub(crate) async fn start(folder: &Path, cache_gigabytes: &str) -> Result<Self> {
        // Built beside this program.
        let program = std::env::current_exe()?.with_file_name("polarway-server");
        let mut process = Command::new(&program)
            .args(["--bind", "127.0.0.1:0", "--janitor-interval", "never", "--cache-size", cache_gigabytes])
            .arg("--data-dir")
            .arg(folder)
            .env("RUST_LOG", "info")
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let mut log = BufReader::new(process.stderr.take().context("the server has no log")?);
        let mut line = String::new();
        log.read_line(&mut line)?;
        let Some((_, address)) = line.trim().rsplit_once("listening on ") else {
            bail!("the server did not start: {line}");
        };
        let url = format!("http://{address}");
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        let client = DistributedClient::connect(&url).await?;
        Ok(Self { process, url, client, folder: folder.to_owned() })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
