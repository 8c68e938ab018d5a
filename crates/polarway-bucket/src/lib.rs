//! Buckets of S3, Azure Blob and Google Cloud Storage.
//!
//! This crate owns where a bucket is ([`BucketUrl`]), how it is reached ([`BucketOptions`]), which credentials are used, the
//! clients ([`Bucket`]), and what an answer that is no success means ([`Refusal`]). It does not know what is stored there.
//!
//! The protocols themselves are those of the `object_store` crate.

mod aws_profile;
mod azure;
mod client;
mod deletion;
mod direct;
mod error;
mod options;
mod refusal;
mod renewed;
mod traffic;
mod transport;
mod uploads;
mod url;
mod variables;

pub use client::Bucket;
pub use deletion::NotDeleted;
pub use error::{Error, Result};
pub use options::BucketOptions;
pub use refusal::{Refusal, RefusalKind};
pub use traffic::Traffic;
pub use uploads::{Unfinished, Uploads};
pub use url::{BucketUrl, InvalidUrl, Provider};
pub use variables::Variables;
