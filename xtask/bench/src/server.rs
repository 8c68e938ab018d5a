//! A server in a process of its own, and a client of it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use polarway_client::DistributedClient;

use crate::cloud::Place;

/// What each call has to bring: a server on a network asks for it.
pub(crate) const TOKEN: &str = "bench-R5t0yq2cVn8";

/// The program `polarway-server`, built beside this one.
pub(crate) fn program() -> Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("polarway-server"))
}

/// `polarway-server` on a free port, as it stands on a network: with a token, metrics and a log. It ends with this value.
pub(crate) struct Server {
    process: Child,
    pub(crate) url: String,
    pub(crate) client: DistributedClient,
    pub(crate) folder: PathBuf,
}

impl Server {
    pub(crate) async fn start(folder: &Path, cache_gigabytes: &str) -> Result<Self> {
        Self::spawn(folder, cache_gigabytes, None, &[]).await
    }

    /// The same over a bucket, whose newest versions may be a second old.
    pub(crate) async fn start_over_bucket(folder: &Path, place: &Place) -> Result<Self> {
        let settings = ["--parquet-path", &place.url, "--bucket-endpoint", &place.endpoint];
        let settings = [&settings[..], &["--bucket-plain-http", "--max-staleness", "1s"]].concat();
        Self::spawn(folder, "1.0", None, &settings).await
    }

    /// The same with TLS, with these files of a certificate, which is its own CA, and its key.
    pub(crate) async fn start_with_tls(
        folder: &Path,
        cache_gigabytes: &str,
        (certificate, key): (&Path, &Path),
    ) -> Result<Self> {
        Self::spawn(folder, cache_gigabytes, Some((certificate, key)), &[]).await
    }

    async fn spawn(
        folder: &Path,
        cache_gigabytes: &str,
        tls: Option<(&Path, &Path)>,
        settings: &[&str],
    ) -> Result<Self> {
        let program = program()?;
        let mut command = Command::new(&program);
        if let Some((certificate, key)) = tls {
            command.arg("--tls-cert").arg(certificate).arg("--tls-key").arg(key);
        }
        let mut process = command
            .args(["--bind", "127.0.0.1:0", "--janitor-interval", "never", "--cache-size", cache_gigabytes])
            .args(["--metrics", "--metrics-port", "0"])
            .args(settings)
            .env("POLARWAY_AUTH_TOKEN", TOKEN)
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
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{address}");
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        let mut client = DistributedClient::builder().url(&url).token(TOKEN);
        if let Some((certificate, _)) = tls {
            client = client.tls_ca(certificate);
        }
        let client = client.connect().await?;
        Ok(Self { process, url, client, folder: folder.to_owned() })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
