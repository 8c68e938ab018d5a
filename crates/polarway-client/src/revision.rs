//! Whether a server and this client can work with each other.
//!
//! The protocol is only added to. A server may thus be newer than its clients, as far as it says; it may not be older: it would
//! pass over what it does not know, and nobody would be told.

use polarway_proto::PROTOCOL_REVISION;
use polarway_proto::v1::GetServerInfoResponse;

use crate::error::{Error, Result};

/// # Errors
/// Either side is too old for the other; the message says which, and what to do.
pub(crate) fn check(server: &GetServerInfoResponse) -> Result<()> {
    let (client_version, server_version) = (env!("CARGO_PKG_VERSION"), &server.server_version);
    let revision = server.protocol_revision;
    if revision < PROTOCOL_REVISION {
        return Err(Error::protocol(format!(
            "the server is older than this client: it is Polarway {server_version}, which speaks revision {revision} of the \
             protocol, and this client, {client_version}, speaks revision {PROTOCOL_REVISION}. Upgrade the server, or use the \
             client of its version"
        )));
    }
    let oldest = server.oldest_client_revision;
    if oldest > PROTOCOL_REVISION {
        return Err(Error::protocol(format!(
            "this client is older than the server allows: it is Polarway {client_version}, which speaks revision \
             {PROTOCOL_REVISION} of the protocol, and the server, {server_version}, takes revision {oldest} and later. Upgrade \
             the client to the server's version"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(protocol_revision: u32, oldest_client_revision: u32) -> Result<()> {
        let server_version = "7.8.9".to_owned();
        check(&GetServerInfoResponse {
            server_version,
            protocol_revision,
            oldest_client_revision,
            ..GetServerInfoResponse::default()
        })
    }

    #[test]
    fn a_server_may_be_newer_than_its_client_and_not_older() {
        answer(PROTOCOL_REVISION, PROTOCOL_REVISION).unwrap();
        answer(PROTOCOL_REVISION + 5, 0).unwrap();
        let older = answer(PROTOCOL_REVISION - 1, 0).unwrap_err().to_string();
        for part in ["the server is older", "7.8.9", "Upgrade the server"] {
            assert!(older.contains(part), "{older}");
        }
        let newer = answer(PROTOCOL_REVISION + 5, PROTOCOL_REVISION + 1).unwrap_err().to_string();
        for part in ["this client is older", "7.8.9", "Upgrade the client"] {
            assert!(newer.contains(part), "{newer}");
        }
    }
}
