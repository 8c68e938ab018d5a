//! Makes a client from the options.

use polarway::DistributedClient;

use crate::arguments::Connection;
use crate::failure::{Failure, Result};

impl Connection {
    /// Connects with the token from the environment. The token is not an option, because lists of processes show options.
    pub(crate) async fn connect(&self) -> Result<DistributedClient> {
        let urls = self.url.iter().map(|url| with_scheme(url));
        let mut builder = DistributedClient::builder().urls(urls).timeout(self.timeout);
        if let Some(token) = std::env::var("POLARWAY_AUTH_TOKEN").ok().filter(|token| !token.is_empty()) {
            builder = builder.token(token);
        }
        builder.connect().await.map_err(|error| match error.kind() {
            polarway::ErrorKind::Unreachable => Failure::new(format!(
                "no server answers at {}: {error}. Start one with `polarway server`, or name another with --url",
                self.url.join(", ")
            )),
            _ => error.into(),
        })
    }
}

/// Adds `http://` to an address without it.
fn with_scheme(url: &str) -> String {
    if url.contains("://") { url.to_owned() } else { format!("http://{url}") }
}
