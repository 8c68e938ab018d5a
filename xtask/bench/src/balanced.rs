//! A worker behind nginx, with the file that operators get, and an Arrow Flight server behind the same nginx.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use polarway_client::DistributedClient;
use polarway_fleet::{Balancer, Fleet, FleetConfig, Spread};

use crate::clock::timed;
use crate::network::{SMALL_ROWS, short};
use crate::server::program;
use crate::whole_table::read_arrow;

/// Where nginx is to listen, and where it finds the Flight server: the caller's choice, as a peer has to know them, too.
const NGINX_PORT: &str = "POLARWAY_BENCH_NGINX_PORT";
const FLIGHT_PORT: &str = "POLARWAY_BENCH_FLIGHT_PORT";

/// The path of all of Flight's calls.
const FLIGHT_PATH: &str = "/arrow.flight.protocol.FlightService/";

pub(crate) struct Balanced {
    client: DistributedClient,
    rows: usize,
    _fleet: Fleet,
}

impl Balanced {
    /// Starts both and stores the table and a small one, and loads them into the worker's cache.
    pub(crate) async fn set_up(data: &Path, folder: &Path) -> Result<Self> {
        let table = read_arrow(&data.join("table.arrow"))?;
        let server = program()?;
        let mut config = FleetConfig::new(server, folder, with_flight(folder)?);
        config.workers = 1;
        config.balancer = Some((Balancer::Nginx, Spread::RoundRobin));
        config.port = Some(port(NGINX_PORT)?);
        config.server_arguments =
            ["--cache-size", "4.0", "--janitor-interval", "never"].map(str::to_owned).to_vec();
        let fleet = Fleet::start(config)?;
        let client = DistributedClient::connect(fleet.url()).await?;
        client.store("stored", &table).await?;
        client.store("small", table.slice(0, SMALL_ROWS)).await?;
        for name in ["stored", "small"] {
            client.load(name).await?;
        }
        Ok(Self { client, rows: table.num_rows(), _fleet: fleet })
    }

    /// A cached table, to batches.
    pub(crate) async fn load_cached(&self) -> Result<f64> {
        let (seconds, loaded) = timed(self.client.load("stored")).await?;
        ensure!(loaded.num_rows() == self.rows, "{} rows came", loaded.num_rows());
        Ok(seconds)
    }

    /// A small cached table, to batches.
    pub(crate) async fn load_small(&self) -> Result<f64> {
        short(async || Ok(self.client.load("small").await?.num_rows() == SMALL_ROWS)).await
    }
}

/// A folder like `deploy`, in which nginx hands Flight's calls on to a Flight server, with the settings that ours have.
fn with_flight(folder: &Path) -> Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/nginx/nginx.conf");
    let text = fs::read_to_string(&source).with_context(|| format!("reading {}", source.display()))?;
    let location = block(&text, "        location / {\n", "\n        }\n")?;
    let flight = location
        .replace("location / {", &format!("location {FLIGHT_PATH} {{"))
        .replace("polarway_backend", "flight_backend");
    let upstream = format!(
        "    upstream flight_backend {{\n        server 127.0.0.1:{};\n        keepalive 64;\n        \
         keepalive_requests 1000000;\n    }}\n\n    server {{\n",
        port(FLIGHT_PORT)?
    );
    let text = text.replace(location, &format!("{location}{flight}")).replace("    server {\n", &upstream);
    let deploy = folder.join("deploy");
    fs::create_dir_all(deploy.join("nginx"))?;
    fs::write(deploy.join("nginx/nginx.conf"), text)?;
    Ok(deploy)
}

fn block<'a>(text: &'a str, start: &str, end: &str) -> Result<&'a str> {
    let from = text.find(start).with_context(|| format!("nginx.conf has no {start:?}"))?;
    let length = text[from..].find(end).with_context(|| format!("nginx.conf has no {end:?}"))?;
    Ok(&text[from..from + length + end.len()])
}

fn port(variable: &str) -> Result<u16> {
    let text = std::env::var(variable).with_context(|| format!("reading {variable}"))?;
    text.parse().with_context(|| format!("{variable} is no port"))
}
