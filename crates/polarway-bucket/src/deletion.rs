//! Deletes objects: many in one request where the service takes that, and one by one where it does not.
//!
//! The clients of S3 and Azure have no other way than requests for many objects, which some services do not know and some
//! credentials do not permit. So the requests for one object are made here.

use std::collections::HashSet;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _, stream};
use http::{Method, StatusCode, Uri};
use object_store::aws::AmazonS3;
use object_store::azure::{AzureAuthorizer, AzureCredentialProvider, MicrosoftAzure};
use object_store::client::{HttpRequest, HttpRequestBody};
use object_store::path::Path;
use object_store::signer::Signer as _;
use object_store::{Error, ObjectStore, Result};

use crate::direct::{Direct, failed};
use crate::refusal::{Refusal, RefusalKind};

/// The most requests for one object that are sent at a time.
const IN_FLIGHT: usize = 8;

/// How long the signature in the address of a request is valid.
const SIGNED_FOR: Duration = Duration::from_secs(300);

/// How often a request for one object is sent while the service is busy or does not answer, and the pause before the second time.
/// The pause doubles each time.
const MOST_TRIES: u32 = 7;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// An object that could not be deleted.
#[derive(Debug)]
pub struct NotDeleted {
    /// Its path.
    pub path: Path,
    /// Why.
    pub error: Error,
}

/// How objects of one bucket are deleted.
pub(crate) struct Deletion {
    /// It takes many objects at once.
    pub(crate) store: Arc<dyn ObjectStore>,
    /// How one object is deleted; `None` where the store does so by itself.
    pub(crate) single: Option<Single>,
    /// Set once the service refused a request for many and carried out those for one.
    pub(crate) takes_no_batch: AtomicBool,
}

impl Deletion {
    /// Deletes objects, in no order: all that it can. One that is not there counts as deleted.
    ///
    /// # Errors
    /// The first one that could not be deleted.
    pub(crate) async fn delete(&self, paths: &[Path]) -> Result<(), NotDeleted> {
        let Some(single) = &self.single else { return self.in_batches_surely(paths).await.into_result() };
        let mut left = paths.to_vec();
        if !self.takes_no_batch.load(Ordering::Relaxed) {
            let batches = self.in_batches_surely(paths).await;
            if batches.failed.as_ref().is_some_and(would_fail_alone) {
                return batches.into_result();
            }
            left = batches.left;
        }
        // Of one object it is not known what was refused.
        let takes_none = paths.len() > 1 && left.len() == paths.len();
        let deleted = stream::iter(left).map(|path| single.delete(path)).buffer_unordered(IN_FLIGHT);
        let mut results: Vec<Result<Deleted, NotDeleted>> = deleted.collect().await;
        if takes_none && results.iter().any(|result| matches!(result, Ok(Deleted::Now))) {
            self.takes_no_batch.store(true, Ordering::Relaxed);
        }
        let failed = results.iter().position(Result::is_err);
        failed.map_or(Ok(()), |failed| results.swap_remove(failed).map(drop))
    }

    /// The same, where an answer that is not of the protocol is a failure: the client panics on some of them.
    async fn in_batches_surely(&self, paths: &[Path]) -> Batches {
        let batches = AssertUnwindSafe(self.in_batches(paths)).catch_unwind().await;
        batches.unwrap_or_else(|_| Batches {
            left: paths.to_vec(),
            failed: Some(failed("the service gave an answer that is not of the protocol".to_owned())),
        })
    }

    async fn in_batches(&self, paths: &[Path]) -> Batches {
        let wanted = stream::iter(paths.to_vec()).map(Ok).boxed();
        let mut answers = self.store.delete_stream(wanted);
        let mut deleted = HashSet::new();
        let mut failed = None;
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(path) => drop(deleted.insert(path)),
                // Nothing may be at the object's path, or at that of the request.
                Err(Error::NotFound { .. }) => {}
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        let left = paths.iter().filter(|path| !deleted.contains(path)).cloned().collect();
        Batches { left, failed }
    }
}

impl fmt::Debug for Deletion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deletion").field("store", &self.store).finish_non_exhaustive()
    }
}

/// How requests for many objects ended.
struct Batches {
    /// The objects that they did not delete.
    left: Vec<Path>,
    failed: Option<Error>,
}

impl Batches {
    fn into_result(self) -> Result<(), NotDeleted> {
        let path = self.left.into_iter().next().unwrap_or_default();
        self.failed.map_or(Ok(()), |error| Err(NotDeleted { path, error }))
    }
}

/// How an object came not to be there.
enum Deleted {
    Now,
    Before,
}

/// Whether a request for one object would fail for the same reason.
fn would_fail_alone(error: &Error) -> bool {
    Refusal::among_causes(error).is_some_and(|refusal| {
        !matches!(
            refusal.kind,
            RefusalKind::Unsupported | RefusalKind::MissingRight | RefusalKind::WrongKey | RefusalKind::Other
        )
    })
}

/// Makes and sends requests that delete one object.
pub(crate) struct Single {
    pub(crate) service: Service,
    pub(crate) direct: Direct,
    /// What every path in the bucket begins with.
    pub(crate) prefix: Path,
}

/// What knows an object's address and signs requests.
pub(crate) enum Service {
    S3(Arc<AmazonS3>),
    Azure {
        /// A client whose key is not the account's: it gives addresses with a signature, and without that they are right.
        addresses: Arc<MicrosoftAzure>,
        credentials: AzureCredentialProvider,
        account: String,
    },
}

impl Single {
    async fn delete(&self, path: Path) -> Result<Deleted, NotDeleted> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..MOST_TRIES {
            match self.send(&path).await {
                Err(error) if may_pass(&error) => {}
                result => return result.map_err(|error| NotDeleted { path, error }),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        self.send(&path).await.map_err(|error| NotDeleted { path, error })
    }

    async fn send(&self, path: &Path) -> Result<Deleted> {
        // An object that is not there is an answer.
        match self.direct.send(self.request(path).await?).await?.status() {
            status if status.is_success() => Ok(Deleted::Now),
            StatusCode::NOT_FOUND => Ok(Deleted::Before),
            status => Err(failed(format!("the service answered {status}"))),
        }
    }

    async fn request(&self, path: &Path) -> Result<HttpRequest> {
        let path: Path = self.prefix.parts().chain(path.parts()).collect();
        match &self.service {
            Service::S3(store) => {
                let address = store.signed_url(Method::DELETE, &path, SIGNED_FOR).await?;
                delete_request(address.as_str())
            }
            Service::Azure { addresses, credentials, account } => {
                let mut address = addresses.signed_url(Method::DELETE, &path, SIGNED_FOR).await?;
                address.set_query(None);
                let mut request = delete_request(address.as_str())?;
                let credential = credentials.get_credential().await?;
                AzureAuthorizer::new(&credential, account).authorize(&mut request);
                Ok(request)
            }
        }
    }
}

fn delete_request(address: &str) -> Result<HttpRequest> {
    let mut request = HttpRequest::new(HttpRequestBody::empty());
    *request.method_mut() = Method::DELETE;
    *request.uri_mut() = address.parse::<Uri>().map_err(failed)?;
    Ok(request)
}

fn may_pass(error: &Error) -> bool {
    Refusal::among_causes(error).is_some_and(|refusal| {
        matches!(refusal.kind, RefusalKind::Busy | RefusalKind::NoAnswer | RefusalKind::Unreachable)
    })
}
