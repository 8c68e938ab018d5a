//! Tables over the network inside of TLS: what encryption costs, beside the same without it.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use polarway_client::Table;
use rcgen::{CertificateParams, KeyPair};

use crate::clock::timed;
use crate::server::Server;
use crate::whole_table::read_arrow;

pub(crate) struct Secure {
    table: Table,
    server: Server,
    stores: u64,
}

impl Secure {
    /// Starts a server with a certificate of its own, stores the table, and loads it into the cache.
    pub(crate) async fn set_up(data: &Path, folder: &Path) -> Result<Self> {
        let table = read_arrow(&data.join("table.arrow"))?;
        fs::create_dir_all(folder)?;
        let (certificate, key) = (folder.join("server.crt"), folder.join("server.key"));
        let pair = KeyPair::generate()?;
        let params = CertificateParams::new(["127.0.0.1".to_owned()])?;
        fs::write(&certificate, params.self_signed(&pair)?.pem())?;
        fs::write(&key, pair.serialize_pem())?;
        let server = Server::start_with_tls(&folder.join("data"), "4.0", (&certificate, &key)).await?;
        server.client.store("stored", &table).await?;
        server.client.load("stored").await?;
        Ok(Self { table, server, stores: 0 })
    }

    /// A cached table, to batches.
    pub(crate) async fn load_cached(&self) -> Result<f64> {
        let (seconds, loaded) = timed(self.server.client.load("stored")).await?;
        ensure!(loaded.num_rows() == self.table.num_rows(), "{} rows came", loaded.num_rows());
        Ok(seconds)
    }

    /// The table from the client's memory to a dataset on the server's disk. What was written is removed afterwards.
    pub(crate) async fn store(&mut self) -> Result<f64> {
        self.stores += 1;
        let name = format!("store-{}", self.stores);
        let (seconds, _) = timed(self.server.client.store(&name, &self.table)).await?;
        fs::remove_dir_all(self.server.folder.join("cold").join(&name))
            .context("removing what was stored")?;
        Ok(seconds)
    }
}
