//! Starts the servers that buckets are tested against.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use polarway_fleet::free_port;

use crate::front;
use crate::message::Request;
use crate::proxy::Proxy;
use crate::sign;

/// The bucket, or container, that each server has.
pub const BUCKET: &str = "lake";

/// The keys of the servers. They protect nothing.
pub const ACCESS_KEY: &str = "test";
/// As above.
pub const SECRET_KEY: &str = "testtest";
/// The account of Azurite, which is known to everybody.
pub const AZURE_ACCOUNT: &str = "devstoreaccount1";
/// Its key, which is known to everybody too.
pub const AZURE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// How long a server may take to start, on a machine that is busy.
const START_TIME: Duration = Duration::from_secs(60);

/// The programs that are started.
#[derive(Clone, Debug)]
pub struct Programs {
    /// versitygw.
    pub s3: PathBuf,
    /// The script of Azurite's blob service, which node runs.
    pub azure: PathBuf,
}

/// Servers of all three protocols, each with an empty bucket. They end when this is dropped.
pub struct Servers {
    s3: Server,
    azure: Server,
    front: Proxy,
}

/// One server, which ends when this is dropped.
pub struct Server {
    process: Child,
    address: SocketAddr,
}

impl Servers {
    /// Starts them, with their files in this folder.
    ///
    /// # Errors
    /// A program can't be run, or does not answer.
    pub fn start(programs: &Programs, folder: &Path) -> Result<Self> {
        let s3 = Server::s3(&programs.s3, folder)?;
        let azure_files = folder.join("azure");
        fs::create_dir_all(&azure_files)?;
        let azure = Server::start(folder, "azurite", |port| {
            let mut command = Command::new("node");
            command.arg(&programs.azure).args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string()]);
            command
                .args(["--silent", "--skipApiVersionCheck", "--disableTelemetry", "--location"])
                .arg(&azure_files);
            command
        })?;
        create_container(azure.address)?;
        let front = front::start(s3.address, ACCESS_KEY, SECRET_KEY)?;
        Ok(Self { s3, azure, front })
    }

    /// The address of the server of S3.
    pub fn s3(&self) -> SocketAddr {
        self.s3.address
    }

    /// The address of the server of Azure.
    pub fn azure(&self) -> SocketAddr {
        self.azure.address
    }

    /// The address of the front that speaks Google's protocol.
    pub fn gcs(&self) -> SocketAddr {
        self.front.address()
    }
}

impl Server {
    /// versitygw with an empty bucket, which is the folder `s3/lake` in this one.
    ///
    /// # Errors
    /// The program can't be run, or does not answer.
    pub fn s3(program: &Path, folder: &Path) -> Result<Self> {
        let files = folder.join("s3");
        fs::create_dir_all(files.join(BUCKET))?; // a bucket is a folder there
        Self::start(folder, "versitygw", |port| {
            let mut command = Command::new(program);
            command.env("ROOT_ACCESS_KEY", ACCESS_KEY).env("ROOT_SECRET_KEY", SECRET_KEY);
            // As the services of clouds do.
            command.arg("--keep-alive");
            command.arg("--port").arg(format!("127.0.0.1:{port}")).arg("posix").arg(files);
            command
        })
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn start(folder: &Path, name: &str, command: impl FnOnce(u16) -> Command) -> Result<Self> {
        let port = free_port()?;
        let log_path = folder.join(format!("{name}.log"));
        let log = fs::File::create(&log_path)?;
        let mut command = command(port);
        command.current_dir(folder).stdin(Stdio::null()).stderr(log.try_clone()?).stdout(log);
        let process = command.spawn().with_context(|| format!("{name} can't be started"))?;
        let mut server = Self { process, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)) };
        let began = Instant::now();
        while TcpStream::connect(server.address).is_err() {
            if let Some(status) = server.process.try_wait()? {
                let said = fs::read_to_string(&log_path).unwrap_or_default();
                bail!("{name} ended with {status}: {}", said.trim());
            }
            if began.elapsed() > START_TIME {
                bail!("{name} does not answer");
            }
            sleep(Duration::from_millis(20));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn create_container(azure: SocketAddr) -> Result<()> {
    let target = format!("/{AZURE_ACCOUNT}/{BUCKET}?restype=container");
    let mut request = Request::new("PUT", &target);
    request.set("host", &azure.to_string());
    sign::for_azure(&mut request, AZURE_ACCOUNT, AZURE_KEY);
    let answer = request.send_to(azure).context("Azurite does not answer")?;
    if answer.status != 201 {
        bail!("Azurite made no container: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
    }
    Ok(())
}
