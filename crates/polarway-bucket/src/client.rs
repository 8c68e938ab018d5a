//! Makes the clients of a bucket.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureAccessKey, AzureConfigKey, AzureCredential, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::path::Path as ObjectPath;
use object_store::prefix::PrefixStore;
use object_store::{
    BackoffConfig, Certificate, ClientOptions, CredentialProvider, ObjectStore, RetryConfig,
    StaticCredentialProvider,
};

use crate::aws_profile::Profile;
use crate::azure;
use crate::deletion::{Deletion, NotDeleted, Service, Single};
use crate::direct::Direct;
use crate::error::{Error, Result};
use crate::options::BucketOptions;
use crate::renewed::Renewed;
use crate::traffic::Traffic;
use crate::transport::Connector;
use crate::uploads::{Service as UploadService, Uploads};
use crate::url::{BucketUrl, Provider};
use crate::variables::Variables;

const USER_AGENT: &str = concat!("polarway/", env!("CARGO_PKG_VERSION"));

/// The service of Google, where no other URL is set.
const GOOGLE_SERVICE: &str = "https://storage.googleapis.com";

/// The account of Azure's emulator.
const EMULATOR_ACCOUNT: &str = "devstoreaccount1";

const CONNECT_TIME: Duration = Duration::from_secs(5);

/// A bucket that can be read and written, with paths relative to its prefix.
///
/// No request is made before it is used.
pub struct Bucket {
    url: BucketUrl,
    retrying: Arc<dyn ObjectStore>,
    single: Arc<dyn ObjectStore>,
    deletion: Deletion,
    uploads: Option<Uploads>,
    traffic: Arc<Traffic>,
}

/// The clients of one bucket, without its prefix.
struct Clients {
    retrying: Arc<dyn ObjectStore>,
    single: Arc<dyn ObjectStore>,
    /// How one object is deleted, where the clients always ask for many.
    single_deletion: Option<Single>,
    /// `None` where the service does not list uploads.
    uploads: Option<Uploads>,
}

impl Bucket {
    /// A client for this bucket.
    ///
    /// # Errors
    /// Options, variables and files that can't be used.
    pub fn new(url: &BucketUrl, options: &BucketOptions) -> Result<Self> {
        let variables = options.variables.clone().unwrap_or_else(Variables::of_process);
        let traffic = Arc::new(Traffic::default());
        let maker = Maker { url, options, variables: &variables, traffic: &traffic };
        let Clients { retrying, single, single_deletion, uploads } = match url.provider() {
            Provider::S3 => maker.s3()?,
            Provider::Azure => maker.azure()?,
            Provider::Gcs => maker.gcs()?,
        };
        let below = |store: Arc<dyn ObjectStore>| -> Arc<dyn ObjectStore> {
            if url.prefix().is_empty() { store } else { Arc::new(PrefixStore::new(store, url.prefix())) }
        };
        let retrying = below(retrying);
        let deletion = Deletion {
            store: Arc::clone(&retrying),
            single: single_deletion,
            takes_no_batch: AtomicBool::new(false),
        };
        Ok(Self { url: url.clone(), retrying, single: below(single), deletion, uploads, traffic })
    }

    /// The client for all but commits: it sends a request again that was not answered, or while the service is busy.
    pub fn retrying(&self) -> &Arc<dyn ObjectStore> {
        &self.retrying
    }

    /// The client for commits: it sends a request once. So when a call has returned, nothing is done later.
    pub fn single(&self) -> &Arc<dyn ObjectStore> {
        &self.single
    }

    /// Deletes objects, in no order and with as few requests as the service allows: all that it can. One that is not there counts
    /// as deleted.
    ///
    /// # Errors
    /// The first one that could not be deleted.
    pub async fn delete(&self, paths: &[ObjectPath]) -> Result<(), NotDeleted> {
        self.deletion.delete(paths).await
    }

    /// The uploads that were begun and not completed, where the service lists them.
    pub fn uploads(&self) -> Option<&Uploads> {
        self.uploads.as_ref()
    }

    /// What went over the network, by all clients.
    pub fn traffic(&self) -> &Arc<Traffic> {
        &self.traffic
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("url", &self.url.to_string()).finish_non_exhaustive()
    }
}

/// What clients are made from.
struct Maker<'m> {
    url: &'m BucketUrl,
    options: &'m BucketOptions,
    variables: &'m Variables,
    traffic: &'m Arc<Traffic>,
}

/// How often and how long a request is tried again: so long that a busy service recovers, and not longer than a caller waits.
fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(5),
            base: 2.0,
        },
        max_retries: 10,
        retry_timeout: Duration::from_secs(30),
    }
}

fn no_retries() -> RetryConfig {
    RetryConfig { max_retries: 0, ..retries() }
}

impl Maker<'_> {
    fn s3(&self) -> Result<Clients> {
        let endpoint =
            self.endpoint(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"], "AWS_ALLOW_HTTP")?;
        let options = self.client_options("AWS_ALLOW_HTTP", Some("AWS_CA_BUNDLE"))?;
        let mut builder =
            AmazonS3Builder::new().with_client_options(options.clone()).with_http_connector(self.connector());
        for (name, value) in self.variables.beginning_with("AWS_") {
            if let Ok(key) = name.to_ascii_lowercase().parse() {
                builder = builder.with_config(key, value);
            }
        }
        builder = builder.with_bucket_name(self.url.bucket());
        let has_keys = self.variables.first(&["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]).is_some();
        let has_identity = self.variables.get("AWS_WEB_IDENTITY_TOKEN_FILE").is_some();
        let is_open = self.variables.is_true("AWS_SKIP_SIGNATURE");
        if !has_keys
            && !has_identity
            && !is_open
            && let Some(profile) = Profile::find(self.variables)?
        {
            if let Some(region) = &profile.region {
                builder = builder.with_config(AmazonS3ConfigKey::DefaultRegion, region);
            }
            builder = builder.with_credentials(Arc::new(profile.credentials(self.traffic)));
        }
        if let Some(region) = &self.options.region {
            builder = builder.with_region(region);
        }
        let is_virtual = self.options.virtual_hosted;
        if is_virtual {
            builder = builder.with_virtual_hosted_style_request(true);
        }
        // The client takes an endpoint in this style with the bucket in it.
        if let Some(endpoint) = &self.options.endpoint {
            let host_first =
                |(scheme, rest): (&str, &str)| format!("{scheme}://{}.{rest}", self.url.bucket());
            let with_bucket = if is_virtual { endpoint.split_once("://").map(host_first) } else { None };
            builder =
                builder.with_config(AmazonS3ConfigKey::S3Endpoint, with_bucket.as_ref().unwrap_or(endpoint));
        } else if let Some(endpoint) = endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        let asking = builder.clone().with_retry(retries());
        let credentials = self.renewed(move || Ok(Arc::clone(asking.clone().build()?.credentials())))?;
        let builder = builder.with_credentials(credentials);
        let retrying = Arc::new(self.built(builder.clone().with_retry(retries()).build())?);
        let single = self.built(builder.with_retry(no_retries()).build())?;
        let uploads = Some(self.uploads(UploadService::S3(Arc::clone(&retrying)), options.clone()));
        let single_deletion = Some(self.single_deletion(Service::S3(Arc::clone(&retrying)), options));
        Ok(Clients { retrying, single: Arc::new(single), single_deletion, uploads })
    }

    fn azure(&self) -> Result<Clients> {
        self.endpoint(&["AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"], "AZURE_ALLOW_HTTP")?;
        let options = self.client_options("AZURE_ALLOW_HTTP", None)?;
        let mut builder = MicrosoftAzureBuilder::new()
            .with_client_options(options.clone())
            .with_http_connector(self.connector());
        for (key, value) in azure::settings(self.variables)? {
            builder = builder.with_config(key, value);
        }
        builder = builder.with_container_name(self.url.bucket());
        if let Some(endpoint) = &self.options.endpoint {
            builder = builder.with_endpoint(endpoint.trim_end_matches('/').to_owned());
        }
        let is_emulator =
            builder.get_config_value(&AzureConfigKey::UseEmulator).is_some_and(|value| value == "true");
        let account = builder.get_config_value(&AzureConfigKey::AccountName);
        let Some(account) = account.or_else(|| is_emulator.then(|| EMULATOR_ACCOUNT.to_owned())) else {
            let reason = "no storage account is named: set AZURE_STORAGE_ACCOUNT".to_owned();
            return Err(Error::Client { url: self.url.clone(), reason });
        };
        let asking = builder.clone().with_retry(retries());
        let credentials = self.renewed(move || Ok(Arc::clone(asking.clone().build()?.credentials())))?;
        let builder = builder.with_credentials(Arc::clone(&credentials) as _);
        let retrying = self.built(builder.clone().with_retry(retries()).build())?;
        let any_key =
            AzureCredential::AccessKey(self.built(AzureAccessKey::try_new("").map_err(Into::into))?);
        let any_key = Arc::new(StaticCredentialProvider::new(any_key));
        let addresses = Arc::new(self.built(builder.clone().with_credentials(any_key).build())?);
        let service = Service::Azure { addresses, credentials, account };
        let single = self.built(builder.with_retry(no_retries()).build())?;
        let single_deletion = Some(self.single_deletion(service, options));
        Ok(Clients { retrying: Arc::new(retrying), single: Arc::new(single), single_deletion, uploads: None })
    }

    fn gcs(&self) -> Result<Clients> {
        self.endpoint(&["GOOGLE_BASE_URL"], "GOOGLE_ALLOW_HTTP")?;
        self.check_google_credentials()?;
        let options = self.client_options("GOOGLE_ALLOW_HTTP", None)?;
        let mut builder = GoogleCloudStorageBuilder::new()
            .with_client_options(options.clone())
            .with_http_connector(self.connector());
        if let Some(file) = self.variables.get("SERVICE_ACCOUNT") {
            builder = builder.with_service_account_path(file);
        }
        for (name, value) in self.variables.beginning_with("GOOGLE_") {
            if let Ok(key) = name.to_ascii_lowercase().parse() {
                builder = builder.with_config(key, value);
            }
        }
        builder = builder.with_bucket_name(self.url.bucket());
        if let Some(endpoint) = &self.options.endpoint {
            builder = builder.with_config(GoogleConfigKey::BaseUrl, endpoint.trim_end_matches('/'));
        }
        let base = builder.get_config_value(&GoogleConfigKey::BaseUrl);
        let base = base.unwrap_or_else(|| GOOGLE_SERVICE.to_owned());
        let asking = builder.clone().with_retry(retries());
        let credentials = self.renewed(move || Ok(Arc::clone(asking.clone().build()?.credentials())))?;
        let builder = builder.with_credentials(credentials);
        let retrying = Arc::new(self.built(builder.clone().with_retry(retries()).build())?);
        let address = format!("{}/{}/", base.trim_end_matches('/'), self.url.bucket());
        let uploads = Some(self.uploads(UploadService::Gcs(Arc::clone(&retrying), address), options));
        let single = self.built(builder.with_retry(no_retries()).build())?;
        Ok(Clients { retrying, single: Arc::new(single), single_deletion: None, uploads })
    }

    /// Refuses a kind of credentials that the client would misunderstand.
    fn check_google_credentials(&self) -> Result<()> {
        const VARIABLE: &str = "GOOGLE_APPLICATION_CREDENTIALS";

        let Some(file) = self.variables.get(VARIABLE) else { return Ok(()) };
        let text = std::fs::read(file).map_err(|source| Error::File { path: file.into(), source })?;
        let kind = serde_json::from_slice::<serde_json::Value>(&text);
        let kind = kind.ok().and_then(|value| Some(value.get("type")?.as_str()?.to_owned()));
        match kind.as_deref() {
            Some("service_account" | "authorized_user") => Ok(()),
            Some("external_account") => Err(Error::Variable {
                variable: VARIABLE,
                reason: "workload identity federation (external_account) is not supported; use a service account's key, or \
                         run where the metadata service gives credentials"
                    .to_owned(),
            }),
            _ => Err(Error::Variable { variable: VARIABLE, reason: "the file has no credentials of Google".to_owned() }),
        }
    }

    /// The credentials of a client, which are asked for anew when a service has refused them.
    fn renewed<C>(
        &self,
        of_client: impl Fn() -> object_store::Result<Arc<dyn CredentialProvider<Credential = C>>>
        + Send
        + Sync
        + 'static,
    ) -> Result<Arc<Renewed<C>>> {
        self.built(Renewed::new(of_client, self.traffic)).map(Arc::new)
    }

    fn single_deletion(&self, service: Service, options: ClientOptions) -> Single {
        let prefix = ObjectPath::from(self.url.prefix());
        Single { service, direct: Direct::new(self.connector(), options), prefix }
    }

    fn uploads(&self, service: UploadService, options: ClientOptions) -> Uploads {
        Uploads::new(service, Direct::new(self.connector(), options), self.url.prefix())
    }

    fn connector(&self) -> Connector {
        Connector { traffic: Arc::clone(self.traffic) }
    }

    fn allows_http(&self, variable: &str) -> bool {
        self.options.plain_http || self.variables.is_true(variable)
    }

    /// The endpoint from the options or else from these variables, if it may be used.
    fn endpoint(&self, variables: &[&str], allow_http: &str) -> Result<Option<&str>> {
        let endpoint = self.options.endpoint.as_deref().or_else(|| self.variables.first(variables));
        let Some(endpoint) = endpoint else { return Ok(None) };
        let url: Option<http::Uri> = endpoint.parse().ok();
        let is_service = |url: &http::Uri| {
            let has_user = url.authority().is_none_or(|authority| authority.as_str().contains('@'));
            matches!(url.scheme_str(), Some("http" | "https")) && !has_user && url.query().is_none()
        };
        match url.filter(is_service) {
            None => Err(Error::Endpoint { endpoint: without_user(endpoint) }),
            Some(url) if url.scheme_str() == Some("http") && !self.allows_http(allow_http) => {
                Err(Error::PlainHttp { endpoint: endpoint.to_owned() })
            }
            Some(_) => Ok(Some(endpoint)),
        }
    }

    fn client_options(&self, allow_http: &str, ca_variable: Option<&str>) -> Result<ClientOptions> {
        let mut options = ClientOptions::new()
            .with_allow_http(self.allows_http(allow_http))
            .with_connect_timeout(CONNECT_TIME)
            .with_timeout_disabled() // the transport has limits of its own, which fit each request
            .with_user_agent(http::HeaderValue::from_static(USER_AGENT));
        let of_variable = ca_variable.and_then(|variable| self.variables.get(variable)).map(PathBuf::from);
        if let Some(path) = self.options.ca_file.as_ref().or(of_variable.as_ref()) {
            for certificate in certificates(path)? {
                options = options.with_root_certificate(certificate);
            }
        }
        if let Some(proxy) = &self.options.proxy {
            options = options.with_proxy_url(proxy);
        }
        Ok(options)
    }

    /// What the client's builder says.
    fn built<T>(&self, built: object_store::Result<T>) -> Result<T> {
        built.map_err(|error| {
            let error = match &error {
                object_store::Error::Generic { source, .. } => source.to_string(),
                error => error.to_string(),
            };
            Error::Client { url: self.url.clone(), reason: error }
        })
    }
}

fn certificates(path: &Path) -> Result<Vec<Certificate>> {
    let pem = std::fs::read(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
    let unusable = |source| Error::Certificates { path: path.to_owned(), source };
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| unusable(error.into()))?;
    if certificates.is_empty() {
        Err(unusable("there is no certificate in it".into()))
    } else {
        Ok(certificates)
    }
}

fn without_user(url: &str) -> String {
    match url.split_once('@') {
        Some((_, rest)) => format!("…@{rest}"),
        None => url.to_owned(),
    }
}
