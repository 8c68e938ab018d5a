//! The versions and algorithms of TLS that both ends use.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, SupportedProtocolVersion};

/// The protocol inside of TLS.
pub const ALPN: &[u8] = b"h2";

/// The versions of TLS.
pub const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

/// The algorithms: those of ring, with AES-128 first. It is about a third faster than AES-256, which matters for large tables,
/// and no weaker against any known attack.
pub fn provider() -> Arc<CryptoProvider> {
    let mut provider = ring::default_provider();
    // A stable sort: the order among the others stays.
    provider.cipher_suites.sort_by_key(|suite| !is_aes_128(suite.suite()));
    Arc::new(provider)
}

fn is_aes_128(suite: CipherSuite) -> bool {
    matches!(
        suite,
        CipherSuite::TLS13_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fast_algorithms_come_first_and_none_is_lost() {
        let suites = provider().cipher_suites.clone();
        assert_eq!(suites.iter().filter(|suite| is_aes_128(suite.suite())).count(), 3);
        assert!(suites[..3].iter().all(|suite| is_aes_128(suite.suite())));
        assert_eq!(suites.len(), ring::default_provider().cipher_suites.len());
    }
}
