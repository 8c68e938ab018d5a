//! Buckets of real servers, each under a prefix that nobody else uses.

use std::net::SocketAddr;
use std::sync::Arc;

use polarway_bucket::{Bucket, BucketOptions, BucketUrl};
use polarway_cloud::{Action, Given, Proxy, Request};
use polarway_storage::{Backend, ObjectBackend};
use polarway_testing::not_run;
use uuid::Uuid;

use super::given::options;

/// The buckets that there are. Without any, the test is noted as not run.
pub(crate) fn given() -> Vec<Given> {
    let given = Given::all();
    if given.is_empty() {
        not_run("there are no servers of buckets: `cargo xtask test` starts them");
    }
    given
}

/// A bucket at a place of its own.
pub(crate) struct Place {
    given: Given,
    url: BucketUrl,
}

impl Place {
    pub(crate) fn new(given: &Given) -> Self {
        let url = format!("{}/test-{}", given.url, Uuid::now_v7()).parse().unwrap();
        Self { given: given.clone(), url }
    }

    /// How it is reached, through a proxy if there is one.
    pub(crate) fn options(&self, through: Option<SocketAddr>) -> BucketOptions {
        let mut options = options(&self.given);
        if let Some(proxy) = through {
            options.endpoint = Some(self.given.endpoint_at(proxy));
        }
        options
    }

    pub(crate) fn url(&self) -> &BucketUrl {
        &self.url
    }

    pub(crate) fn bucket(&self, through: Option<SocketAddr>) -> Bucket {
        Bucket::new(&self.url, &self.options(through)).unwrap()
    }

    pub(crate) fn backend(&self, through: Option<SocketAddr>) -> Arc<ObjectBackend> {
        Arc::new(ObjectBackend::of_bucket(self.bucket(through)).unwrap())
    }

    /// The same bucket, where each request is treated so. `None` for a bucket of a cloud: its requests are signed for its address.
    pub(crate) fn behind(
        &self,
        decide: impl Fn(&Request) -> Action + Send + Sync + 'static,
    ) -> Option<(Proxy, Arc<ObjectBackend>)> {
        let proxy = Proxy::start(self.given.server?, decide).unwrap();
        let backend = self.backend(Some(proxy.address()));
        Some((proxy, backend))
    }
}

/// Makes so many files below a folder, whose names need escapes in a URL, and gives their paths.
pub(crate) fn files(backend: &dyn Backend, count: usize) -> Vec<String> {
    let paths: Vec<String> = (0..count).map(|file| format!("d/part {file}&+é%20.x")).collect();
    paths.iter().for_each(|path| backend.replace(path, "x".into()).unwrap());
    paths
}

/// Whether a request asks to delete many objects.
pub(crate) fn is_batch(request: &Request) -> bool {
    request.method == "POST" && (request.target.ends_with("?delete") || request.target.contains("comp=batch"))
}
