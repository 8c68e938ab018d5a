//! Where the addresses of workers come from.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use url::Url;

use crate::error::Error;

/// How long a name may take to be looked up.
const LOOK_UP: Duration = Duration::from_secs(5);

/// Where the addresses of workers come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerSource {
    /// A list.
    List(Vec<Url>),
    /// One name with an address for each worker, and the port of all.
    Dns {
        /// The name.
        name: String,
        /// The port.
        port: u16,
    },
}

impl PeerSource {
    /// A list of workers, each as host and port.
    ///
    /// # Errors
    /// An entry that is not a host with a port.
    pub fn list<'a>(addresses: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        addresses.into_iter().map(peer_url).collect::<Result<_, _>>().map(Self::List)
    }

    /// A name that has an address for each worker, with their port.
    ///
    /// # Errors
    /// A text that is not a name with a port.
    pub fn dns(name_and_port: &str) -> Result<Self, Error> {
        let url = peer_url(name_and_port)?;
        let name = url.host_str().unwrap_or_default().to_owned();
        Ok(Self::Dns { name, port: url.port_or_known_default().unwrap_or_default() })
    }

    /// The addresses, each once, in their order.
    pub(super) async fn urls(&self) -> io::Result<Vec<Url>> {
        let (name, port) = match self {
            Self::List(urls) => return Ok(urls.clone()),
            Self::Dns { name, port } => (name, *port),
        };
        let late =
            || io::Error::new(io::ErrorKind::TimedOut, format!("{name} could not be looked up in time"));
        let found = tokio::time::timeout(LOOK_UP, tokio::net::lookup_host((name.as_str(), port))).await;
        let found: BTreeSet<_> = found.map_err(|_| late())??.collect();
        Ok(found.into_iter().filter_map(|address| Url::parse(&format!("http://{address}")).ok()).collect())
    }
}

/// The URL of a worker from its host and port.
fn peer_url(address: &str) -> Result<Url, Error> {
    let invalid = || {
        Error::Configuration(format!(
            "{address:?} is not the host and port of a worker, such as worker-1:7438"
        ))
    };
    let is_plain = address
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0));
    let url = Url::parse(&format!("http://{address}")).map_err(|_| invalid())?;
    let has_more =
        !url.username().is_empty() || url.path() != "/" || url.query().is_some() || url.fragment().is_some();
    match is_plain && !has_more {
        true => Ok(url),
        false => Err(invalid()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_host_with_a_port_is_the_address_of_a_worker() {
        let PeerSource::List(urls) = PeerSource::list(["worker-1:7438", "[::1]:80", "10.0.0.1:9"]).unwrap()
        else {
            panic!("a list is none")
        };
        assert_eq!(urls[0].as_str(), "http://worker-1:7438/");
        assert_eq!(urls[1].host_str(), Some("[::1]"));
        for wrong in [
            "",
            "worker",
            "worker:",
            ":80",
            "worker:0",
            "worker:70000",
            "http://worker:80",
            "a@b:80",
            "w:80/x",
            "w:80?x:1",
        ] {
            let error = PeerSource::list([wrong]).unwrap_err().to_string();
            assert!(error.contains(&format!("{wrong:?}")), "{error}");
        }
        assert_eq!(
            PeerSource::dns("workers.default.svc:7438").unwrap(),
            PeerSource::Dns { name: "workers.default.svc".to_owned(), port: 7438 }
        );
    }
}
