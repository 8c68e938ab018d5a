//! How the buckets are reached that tests are given.

use polarway_bucket::BucketOptions;
use polarway_cloud::Given;

/// The options for a bucket.
pub(crate) fn options(given: &Given) -> BucketOptions {
    let mut options = BucketOptions::default();
    options.endpoint = given.endpoint();
    options.plain_http = true;
    if !given.variables.is_empty() {
        options.variables = Some(given.variables.iter().cloned().collect());
    }
    options
}
