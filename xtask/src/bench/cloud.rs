//! A bucket behind a line like that to a cloud: versitygw, with a delay and a rate.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use polarway_cloud::{ACCESS_KEY, BUCKET, Line, SECRET_KEY, Server};

use crate::versitygw;

/// The delay of each request.
const DELAY: Duration = Duration::from_millis(30);

/// The rate of each stream.
const BYTES_PER_SECOND: f64 = 90e6;

/// The bucket. It ends when it is dropped.
pub(super) struct Bucket {
    line: Line,
    folder: PathBuf,
    _server: Server,
}

impl Bucket {
    /// An empty bucket, with its files in this folder.
    ///
    /// # Errors
    /// The server can't be provided, or does not start.
    pub(super) fn start(cache: &Path, folder: &Path) -> Result<Self> {
        let server = Server::s3(&versitygw::provide(cache)?, folder)?;
        let line = Line::start(server.address(), DELAY, BYTES_PER_SECOND)?;
        Ok(Self { line, folder: folder.join("s3").join(BUCKET), _server: server })
    }

    /// Tells a participant where it is.
    pub(super) fn describe_to(&self, participant: &mut Command) {
        participant
            .env("POLARWAY_BENCH_BUCKET", BUCKET)
            .env("POLARWAY_BENCH_BUCKET_FOLDER", &self.folder)
            .env("POLARWAY_BENCH_BUCKET_ADDRESS", self.line.address().to_string())
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
            .env("AWS_REGION", "us-east-1");
    }

    /// The bytes that came from it so far.
    pub(super) fn received_bytes(&self) -> u64 {
        self.line.received_bytes()
    }
}
