//! Opens an engine, with components of the program's own where it has some.

use std::fmt;
use std::sync::Arc;

use metrics::Recorder;
use polarway_handles::{RandomSource, SystemRandom};
use polarway_query::QueryObserver;
use polarway_storage::{Backend, Clock, Environment, IdSource};

use crate::access::{AccessPolicy, AllowAll};
use crate::config::Config;
use crate::error::Result;
use crate::metrics::SharedRecorder;
use crate::polarway::Polarway;

/// Wraps each storage that an engine opens.
type StorageLayer = Box<dyn Fn(Arc<dyn Backend>) -> Arc<dyn Backend> + Send>;

/// Opens an engine with components of a program's own. A [`Config`] is plain data; a component does something.
///
/// ```no_run
/// use std::time::Duration;
/// use polarway_core::components::ManualClock;
/// use polarway_core::{Config, Polarway};
///
/// # async fn expiry() -> polarway_core::Result<()> {
/// let clock = ManualClock::new(1_767_225_600_000_000);
/// let polarway = Polarway::builder(Config::new("./polarway-data")).clock(clock.clone()).open().await?;
/// let kept = polarway.query_handle("SELECT 42").await?;
/// clock.advance(Duration::from_secs(3_600));
/// assert!(polarway.handle(&kept.handle.id.to_string()).await.is_err());
/// # Ok(())
/// # }
/// ```
#[must_use = "an engine is opened by `open`"]
pub struct Builder {
    config: Config,
    components: Components,
}

/// The components of an engine.
pub(crate) struct Components {
    pub(crate) environment: Environment,
    pub(crate) random: Arc<dyn RandomSource>,
    pub(crate) policy: Arc<dyn AccessPolicy>,
    pub(crate) recorder: Option<SharedRecorder>,
    pub(crate) query_observer: Option<Arc<dyn QueryObserver>>,
    storage_layer: Option<StorageLayer>,
}

impl Components {
    /// Wraps a storage in the layer, if there is one.
    pub(crate) fn over(&self, storage: Arc<dyn Backend>) -> Arc<dyn Backend> {
        match &self.storage_layer {
            Some(layer) => layer(storage),
            None => storage,
        }
    }
}

impl Builder {
    pub(crate) fn new(config: Config) -> Self {
        let environment = Environment::default();
        Self {
            config,
            components: Components {
                environment,
                random: Arc::new(SystemRandom),
                policy: Arc::new(AllowAll),
                recorder: None,
                query_observer: None,
                storage_layer: None,
            },
        }
    }

    /// The clock for versions, handles and the janitor; without it, the machine's. Deadlines of queries always use the
    /// machine's clock, and tasks that wait for their caller use tokio's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.components.environment.clock = clock;
        self
    }

    /// Where the names of data files and the identities of versions come from.
    pub fn ids(mut self, ids: Arc<dyn IdSource>) -> Self {
        self.components.environment.ids = ids;
        self
    }

    /// Where the random bits for ids of handles come from. Whoever can guess an id can use its handle.
    pub fn random(mut self, random: Arc<dyn RandomSource>) -> Self {
        self.components.random = random;
        self
    }

    /// Wraps each storage that the engine opens, the cold tier and the storage of handles. A layer can count calls, for example,
    /// or make them fail, or give files another time.
    pub fn storage_layer(
        mut self,
        layer: impl Fn(Arc<dyn Backend>) -> Arc<dyn Backend> + Send + 'static,
    ) -> Self {
        self.components.storage_layer = Some(Box::new(layer));
        self
    }

    /// Where the engine counts and measures itself; without one, it does not. See [`metrics`](crate::metrics).
    ///
    /// The macros of the `metrics` crate look for a recorder of the process or of the thread, and an engine works on many
    /// threads. So it uses this recorder alone, and several engines of a process can have several.
    pub fn recorder(mut self, recorder: Arc<dyn Recorder + Send + Sync>) -> Self {
        self.components.recorder = Some(recorder);
        self
    }

    /// Who learns of each query that has ended, for example to log slow ones.
    pub fn query_observer(mut self, observer: Arc<dyn QueryObserver>) -> Self {
        self.components.query_observer = Some(observer);
        self
    }

    /// Who decides what [callers](crate::Caller) may do. Without one, everybody may do everything.
    pub fn access_policy(mut self, policy: Arc<dyn AccessPolicy>) -> Self {
        self.components.policy = policy;
        self
    }

    /// Opens the engine.
    ///
    /// # Errors
    /// As [`Polarway::open`].
    pub async fn open(self) -> Result<Polarway> {
        Polarway::open_with(self.config, self.components).await
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("config", &self.config)
            .field("environment", &self.components.environment)
            .finish_non_exhaustive()
    }
}
