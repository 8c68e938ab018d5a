//! Credentials that the clients ask for themselves, such as those of a container or an identity, and keep until shortly before they
//! end. Some are withdrawn before that: once a service has refused them, they are asked for anew.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use object_store::{CredentialProvider, Result};
use parking_lot::Mutex;

use crate::traffic::Traffic;

/// How often refused credentials are asked for anew at most: wrong ones are refused each time.
const PAUSE: Duration = Duration::from_secs(1);

type Provider<C> = Arc<dyn CredentialProvider<Credential = C>>;

/// Makes what asks for credentials, without any that it knows.
type Make<C> = Box<dyn Fn() -> Result<Provider<C>> + Send + Sync>;

/// Credentials that are asked for anew when a service has refused them.
pub(crate) struct Renewed<C> {
    make: Make<C>,
    traffic: Arc<Traffic>,
    current: Mutex<Current<C>>,
}

struct Current<C> {
    provider: Provider<C>,
    made: Instant,
    /// How many requests had been refused before.
    refused_before: u64,
}

impl<C> Renewed<C> {
    /// Credentials of what this makes.
    ///
    /// # Errors
    /// It can't be made.
    pub(crate) fn new(
        make: impl Fn() -> Result<Provider<C>> + Send + Sync + 'static,
        traffic: &Arc<Traffic>,
    ) -> Result<Self> {
        let traffic = Arc::clone(traffic);
        let (provider, made, refused_before) = (make()?, Instant::now(), traffic.refused_keys());
        Ok(Self {
            make: Box::new(make),
            traffic,
            current: Mutex::new(Current { provider, made, refused_before }),
        })
    }

    fn provider(&self) -> Result<Provider<C>> {
        let refused = self.traffic.refused_keys();
        let mut current = self.current.lock();
        if refused != current.refused_before && current.made.elapsed() >= PAUSE {
            *current = Current { provider: (self.make)()?, made: Instant::now(), refused_before: refused };
        }
        Ok(Arc::clone(&current.provider))
    }
}

impl<C> fmt::Debug for Renewed<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewed").finish_non_exhaustive()
    }
}

#[async_trait]
impl<C: fmt::Debug + Send + Sync + 'static> CredentialProvider for Renewed<C> {
    type Credential = C;

    async fn get_credential(&self) -> Result<Arc<C>> {
        self.provider()?.get_credential().await
    }
}
