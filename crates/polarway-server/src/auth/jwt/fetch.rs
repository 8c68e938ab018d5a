//! Fetches the issuer's keys over HTTP.

use std::time::Duration;

use reqwest::{Client, Url, redirect};

use super::JwtError;

/// How long to wait for a connection, and for the whole answer.
const CONNECT: Duration = Duration::from_secs(3);
const WHOLE: Duration = Duration::from_secs(8);

/// The longest answer.
const MOST_BYTES: usize = 1 << 20;

/// Fetches keys.
pub(super) struct Fetcher {
    client: Client,
    url: Url,
}

impl Fetcher {
    /// For this URL. Redirects are not followed: whoever could redirect us could give us keys.
    pub(super) fn new(url: Url) -> Result<Self, JwtError> {
        let client = Client::builder()
            .connect_timeout(CONNECT)
            .timeout(WHOLE)
            .redirect(redirect::Policy::none())
            .build()
            .map_err(JwtError::Http)?;
        Ok(Self { client, url })
    }

    /// Fetches the current content.
    ///
    /// # Errors
    /// The reason why that failed, as text for the log.
    pub(super) async fn fetch(&self) -> Result<Vec<u8>, String> {
        let failed = |error: reqwest::Error| crate::failure::chain(&error);
        let mut answer = self.client.get(self.url.clone()).send().await.map_err(failed)?;
        if !answer.status().is_success() {
            return Err(format!("{} answers {}", self.url, answer.status()));
        }
        let mut bytes = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(failed)? {
            if bytes.len() + part.len() > MOST_BYTES {
                return Err(format!("{} answers with more than {MOST_BYTES} bytes", self.url));
            }
            bytes.extend_from_slice(&part);
        }
        Ok(bytes)
    }
}
