//! The buckets that tests are given.

use std::env;
use std::net::SocketAddr;

use crate::servers::{ACCESS_KEY, AZURE_ACCOUNT, AZURE_KEY, BUCKET, SECRET_KEY, Servers};

/// The variable with the addresses of the servers, as `cargo xtask test` sets it: those of S3, Azure and Google.
const SERVERS_VARIABLE: &str = "POLARWAY_TEST_BUCKET_SERVERS";

/// The variable with URLs of real buckets, with spaces between. Their credentials are those of the environment.
const REAL_VARIABLE: &str = "POLARWAY_TEST_BUCKETS";

/// The schemes of the protocols, in the order of the servers.
const SCHEMES: [&str; 3] = ["s3", "az", "gs"];

/// A bucket for tests.
#[derive(Clone, Debug)]
pub struct Given {
    /// Its URL. Each test needs a prefix of its own below it.
    pub url: String,
    /// The server, if it is one of the tests' own.
    pub server: Option<SocketAddr>,
    /// The variables with its credentials; empty if those of the environment are right.
    pub variables: Vec<(&'static str, String)>,
}

impl Servers {
    /// The variable by which tests know the servers.
    pub fn variable(&self) -> (&'static str, String) {
        (SERVERS_VARIABLE, format!("{} {} {}", self.s3(), self.azure(), self.gcs()))
    }
}

impl Given {
    /// All buckets that there are.
    pub fn all() -> Vec<Self> {
        let words = |variable: &str| {
            let text = env::var(variable).unwrap_or_default();
            text.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        let servers: Vec<SocketAddr> =
            words(SERVERS_VARIABLE).iter().filter_map(|word| word.parse().ok()).collect();
        let own = SCHEMES.into_iter().zip(servers);
        let real =
            words(REAL_VARIABLE).into_iter().map(|url| Self { url, server: None, variables: Vec::new() });
        own.map(|(scheme, server)| Self::of_server(scheme, server)).chain(real).collect()
    }

    /// The bucket of a server, by the scheme of its protocol.
    fn of_server(scheme: &str, server: SocketAddr) -> Self {
        let variables = match scheme {
            "s3" => vec![
                ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
                ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
                ("AWS_REGION", "us-east-1".to_owned()),
            ],
            "az" => vec![
                ("AZURE_STORAGE_ACCOUNT", AZURE_ACCOUNT.to_owned()),
                ("AZURE_STORAGE_KEY", AZURE_KEY.to_owned()),
            ],
            _ => vec![("GOOGLE_SERVICE_ACCOUNT_KEY", anonymous_account())],
        };
        Self { url: format!("{scheme}://{BUCKET}"), server: Some(server), variables }
    }

    /// The scheme of its URL.
    pub fn scheme(&self) -> &'static str {
        SCHEMES.into_iter().find(|scheme| self.url.starts_with(scheme)).unwrap_or_default()
    }

    /// The URL of the service at this address, in place of the given server's.
    pub fn endpoint_at(&self, address: SocketAddr) -> String {
        let account = if self.scheme() == "az" { format!("/{AZURE_ACCOUNT}") } else { String::new() };
        format!("http://{address}{account}")
    }

    /// The URL of its service, if it is not the cloud's own.
    pub fn endpoint(&self) -> Option<String> {
        self.server.map(|server| self.endpoint_at(server))
    }
}

/// A service account that signs nothing.
fn anonymous_account() -> String {
    let empty = ["client_email", "private_key", "private_key_id"].map(|key| format!("\"{key}\":\"\","));
    format!("{{{}\"disable_oauth\":true}}", empty.concat())
}
