//! Uploads in parts that were begun and not completed: a writer that is killed leaves them behind, and they cost money.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Limited};
use object_store::aws::{AmazonS3, AwsAuthorizer};
use object_store::client::{HttpRequest, HttpRequestBody};
use object_store::gcp::GoogleCloudStorage;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::signer::Signer as _;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::direct::{Direct, failed};

/// How long a URL may be used that only says where the bucket is.
const BRIEFLY: Duration = Duration::from_secs(60);

/// The longest page of a list that is read: a thousand uploads take a part of it.
const MOST_PAGE_BYTES: usize = 16 << 20;

/// An upload that was begun and not completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// The object that it would have become, relative to the prefix of the bucket.
    pub path: String,
    /// When it was begun, by the service's clock: microseconds since 1970-01-01 UTC.
    pub begun_us: i64,
    key: String,
    id: String,
}

/// The uploads under the prefix of a bucket.
pub struct Uploads {
    service: Service,
    direct: Direct,
    prefix: String,
}

/// A service that lists uploads. Azure does not: it removes the parts of an upload that was not completed after a week.
pub(crate) enum Service {
    S3(Arc<AmazonS3>),
    /// With the URL of the bucket.
    Gcs(Arc<GoogleCloudStorage>, String),
}

impl Uploads {
    /// The uploads under this prefix of a bucket, which may be empty.
    pub(crate) fn new(service: Service, direct: Direct, prefix: &str) -> Self {
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Self { service, direct, prefix }
    }

    /// All of them.
    ///
    /// # Errors
    /// The service does not answer, or refuses.
    pub async fn list(&self) -> object_store::Result<Vec<Unfinished>> {
        let mut found = Vec::new();
        let mut page = Page::default();
        loop {
            page = self.page(&page).await?;
            found.extend(page.uploads.drain(..).filter_map(|upload| {
                Some(Unfinished {
                    path: upload.key.strip_prefix(&self.prefix)?.to_owned(),
                    begun_us: chrono::DateTime::parse_from_rfc3339(&upload.initiated)
                        .ok()?
                        .timestamp_micros(),
                    key: upload.key,
                    id: upload.id,
                })
            }));
            if !page.is_truncated || page.next_key.is_empty() {
                return Ok(found);
            }
        }
    }

    /// Removes one with all its parts. It is no error if it is gone.
    ///
    /// # Errors
    /// The service does not answer, or refuses.
    pub async fn abort(&self, upload: &Unfinished) -> object_store::Result<()> {
        let path = Path::parse(&upload.key)?;
        let aborted = match &self.service {
            Service::S3(store) => store.abort_multipart(&path, &upload.id).await,
            Service::Gcs(store, _) => store.abort_multipart(&path, &upload.id).await,
        };
        match aborted {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            other => other,
        }
    }

    /// The uploads behind those of a page.
    async fn page(&self, last: &Page) -> object_store::Result<Page> {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let mut query = format!("uploads=&prefix={}", encoded(&self.prefix));
        if !last.next_key.is_empty() {
            let (key, id) = (encoded(&last.next_key), encoded(&last.next_id));
            query = format!("{query}&key-marker={key}&upload-id-marker={id}");
        }
        let answer = self.direct.send(self.request(&query).await?).await?;
        let status = answer.status();
        if !status.is_success() {
            return Err(failed(format!("the list of uploads was answered with {status}")));
        }
        let body = Limited::new(answer.into_body(), MOST_PAGE_BYTES).collect().await.map_err(failed)?;
        quick_xml::de::from_reader(&*body.to_bytes()).map_err(failed)
    }

    /// A signed request for the bucket itself.
    async fn request(&self, query: &str) -> object_store::Result<HttpRequest> {
        let get = |bucket: &str| {
            let uri = format!("{bucket}?{query}");
            Request::get(uri).body(HttpRequestBody::empty()).map_err(failed)
        };
        match &self.service {
            Service::S3(store) => {
                // The client does not tell its URL and region, but signs with them.
                let signed = store.signed_url(Method::GET, &Path::default(), BRIEFLY).await?;
                let (bucket, parameters) = signed.as_str().split_once('?').unwrap_or((signed.as_str(), ""));
                let region =
                    region_of(parameters).ok_or_else(|| failed("a URL was signed without a region"))?;
                let credential = store.credentials().get_credential().await?;
                let mut request = get(bucket)?;
                AwsAuthorizer::new(&credential, "s3", region).authorize(&mut request, None);
                Ok(request)
            }
            Service::Gcs(store, bucket) => {
                let credential = store.credentials().get_credential().await?;
                let mut request = get(bucket)?;
                if !credential.bearer.is_empty() {
                    let bearer = format!("Bearer {}", credential.bearer).parse().map_err(failed)?;
                    request.headers_mut().insert(header::AUTHORIZATION, bearer);
                }
                Ok(request)
            }
        }
    }
}

impl fmt::Debug for Uploads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uploads").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// The region in the parameters of a signed URL: `X-Amz-Credential=KEY/DAY/REGION/s3/aws4_request`, with encoded slashes.
fn region_of(parameters: &str) -> Option<&str> {
    let scope = parameters.split('&').find_map(|pair| pair.strip_prefix("X-Amz-Credential="))?;
    scope.rsplit("%2F").nth(2)
}

/// A page of the list.
#[derive(Debug, Default, Deserialize)]
struct Page {
    #[serde(rename = "IsTruncated", default)]
    is_truncated: bool,
    #[serde(rename = "NextKeyMarker", default)]
    next_key: String,
    #[serde(rename = "NextUploadIdMarker", default)]
    next_id: String,
    #[serde(rename = "Upload", default)]
    uploads: Vec<Listed>,
}

#[derive(Debug, Deserialize)]
struct Listed {
    #[serde(rename = "Key")]
    key: String,
    #[serde(rename = "UploadId")]
    id: String,
    #[serde(rename = "Initiated")]
    initiated: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_the_list_is_read_as_the_services_write_it() {
        let page = r#"<?xml version="1.0" encoding="UTF-8"?>
            <ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
              <Bucket>lake</Bucket><KeyMarker></KeyMarker><UploadIdMarker/>
              <NextKeyMarker>a&amp;b</NextKeyMarker><NextUploadIdMarker>2</NextUploadIdMarker>
              <MaxUploads>1000</MaxUploads><IsTruncated>true</IsTruncated>
              <Upload><Key>a&amp;b</Key><UploadId>1</UploadId>
                <Initiator><ID>x</ID><DisplayName>y</DisplayName></Initiator>
                <Initiated>2026-01-01T00:00:00.000Z</Initiated></Upload>
              <Upload><Key>c</Key><UploadId>2</UploadId><Initiated>2026-01-01T00:00:01Z</Initiated></Upload>
            </ListMultipartUploadsResult>"#;
        let page: Page = quick_xml::de::from_reader(page.as_bytes()).unwrap();
        assert!(page.is_truncated);
        assert_eq!((page.next_key.as_str(), page.next_id.as_str()), ("a&b", "2"));
        let keys: Vec<&str> = page.uploads.iter().map(|upload| upload.key.as_str()).collect();
        assert_eq!(keys, ["a&b", "c"]);
        let none: Page = quick_xml::de::from_reader(&b"<ListMultipartUploadsResult/>"[..]).unwrap();
        assert!(!none.is_truncated && none.uploads.is_empty());
    }

    #[test]
    fn the_region_is_found_whatever_the_key() {
        let parameters = "X-Amz-Algorithm=A&X-Amz-Credential=a%2Fb%2F20260101%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Date=D";
        assert_eq!(region_of(parameters), Some("eu-west-1"));
        assert_eq!(region_of("X-Amz-Date=D"), None);
    }
}
