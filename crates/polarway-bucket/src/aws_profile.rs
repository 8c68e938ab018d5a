//! Profiles of AWS: the files `~/.aws/credentials` and `~/.aws/config`.
//!
//! A profile has keys of its own, or a program that prints keys (`credential_process`). A profile that signs in or takes on a role
//! is used through such a program: `aws configure export-credentials --format process --profile NAME`.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::error::{Error, Result};
use crate::traffic::Traffic;
use crate::variables::Variables;

/// How long keys are used until they are read again. Other programs renew them in the file.
const REREAD: Duration = Duration::from_secs(60);

/// The same once a service has refused them.
const REREAD_REFUSED: Duration = Duration::from_secs(1);

/// How long a program may take to print keys.
const PROGRAM_TIME: Duration = Duration::from_secs(60);

/// The most of what a program prints that is read.
const MOST_PRINTED_BYTES: u64 = 1 << 20;

/// A profile that gives credentials.
pub(crate) struct Profile {
    files: Files,
    name: String,
    pub(crate) region: Option<String>,
}

/// Where the files are.
struct Files {
    credentials: Option<PathBuf>,
    config: Option<PathBuf>,
}

impl Profile {
    /// The profile that the variables name, or the one named `default` if there is one.
    ///
    /// # Errors
    /// A profile that was named and is not there, or that gives no credentials; a file that can't be read.
    pub(crate) fn find(variables: &Variables) -> Result<Option<Self>> {
        let named = variables.first(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]);
        let in_home = |file: &str| variables.get("HOME").map(|home| Path::new(home).join(".aws").join(file));
        let file =
            |variable: &str, file: &str| variables.get(variable).map(PathBuf::from).or_else(|| in_home(file));
        let files = Files {
            credentials: file("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
            config: file("AWS_CONFIG_FILE", "config"),
        };
        let name = named.unwrap_or("default").to_owned();
        let Some(values) = files.values(&name)? else {
            return match named {
                Some(_) => Err(unusable(&name, "no file of AWS has a profile of this name")),
                None => Ok(None),
            };
        };
        if named.is_none()
            && !values.contains_key("aws_access_key_id")
            && !values.contains_key("credential_process")
        {
            return Ok(None);
        }
        check(&name, &values)?;
        Ok(Some(Self { files, name, region: values.get("region").cloned() }))
    }

    /// The credentials, which are read again when they are old, or when a request of this traffic was refused for them.
    pub(crate) fn credentials(self, traffic: &Arc<Traffic>) -> ProfileCredentials {
        ProfileCredentials { profile: self, traffic: Arc::clone(traffic), known: Mutex::default() }
    }

    async fn read(&self) -> Result<AwsCredential> {
        let values = self.files.values(&self.name)?;
        let values = values.ok_or_else(|| unusable(&self.name, "it was removed"))?;
        check(&self.name, &values)?;
        match (
            values.get("aws_access_key_id"),
            values.get("aws_secret_access_key"),
            values.get("credential_process"),
        ) {
            (Some(key_id), Some(secret_key), _) => Ok(AwsCredential {
                key_id: key_id.clone(),
                secret_key: secret_key.clone(),
                token: values.get("aws_session_token").cloned(),
            }),
            (_, _, Some(program)) => self.run(program).await,
            _ => Err(unusable(&self.name, "it has no keys")),
        }
    }

    /// Runs a program that prints keys, as the tools of AWS do.
    async fn run(&self, program: &str) -> Result<AwsCredential> {
        let failed = |reason: &str| unusable(&self.name, &format!("its credential_process {reason}"));
        let program = program.to_owned();
        let output = tokio::task::spawn_blocking(move || printed_by(&program, PROGRAM_TIME)).await;
        let output =
            output.unwrap_or_else(|_| Err("was given up".to_owned())).map_err(|reason| failed(&reason))?;
        let printed: Value = serde_json::from_slice(&output).map_err(|_| failed("did not print JSON"))?;
        let text = |key: &str| printed.get(key).and_then(Value::as_str).map(str::to_owned);
        let (Some(key_id), Some(secret_key)) = (text("AccessKeyId"), text("SecretAccessKey")) else {
            return Err(failed("printed no AccessKeyId and SecretAccessKey"));
        };
        Ok(AwsCredential { key_id, secret_key, token: text("SessionToken") })
    }
}

/// What a program prints. Its end is awaited, but not for long: requests wait meanwhile.
fn printed_by(program: &str, time: Duration) -> Result<Vec<u8>, String> {
    const LOOK_AGAIN: Duration = Duration::from_millis(5);

    let unusable = |error: io::Error| format!("can't be run: {error}");
    let mut command = Command::new("sh");
    command.args(["-c", program]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(unusable)?;
    let began = Instant::now();
    // It is read while the program runs: a pipe that is full would stop the program.
    let (sender, printed) = mpsc::channel();
    let stdout = child.stdout.take();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stdout.map(|stdout| stdout.take(MOST_PRINTED_BYTES).read_to_end(&mut bytes));
        sender.send(read.transpose().map(|_| bytes))
    });
    let printed = printed.recv_timeout(time);
    let status = loop {
        match child.try_wait().map_err(unusable)? {
            Some(status) => break status,
            None if began.elapsed() < time => std::thread::sleep(LOOK_AGAIN),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                return Err("took too long".to_owned());
            }
        }
    };
    match printed {
        _ if !status.success() => Err(format!("failed: {status}")),
        Ok(printed) => printed.map_err(unusable),
        // Another program has its output open.
        Err(_) => Err("took too long".to_owned()),
    }
}

/// Refuses a profile whose way to credentials is not supported.
fn check(name: &str, values: &BTreeMap<String, String>) -> Result<()> {
    const INSTEAD: &str =
        "set its credential_process to `aws configure export-credentials --format process --profile …`";

    let has = |key: &str| values.contains_key(key);
    if has("aws_access_key_id") != has("aws_secret_access_key") {
        return Err(unusable(name, "it has only one of aws_access_key_id and aws_secret_access_key"));
    }
    if has("aws_access_key_id") && !has("role_arn") || has("credential_process") {
        return Ok(());
    }
    let reason = match () {
        () if has("role_arn") => format!("it takes on a role: {INSTEAD}"),
        () if has("sso_session") || has("sso_start_url") => format!("it signs in: {INSTEAD}"),
        () => "it has no keys".to_owned(),
    };
    Err(unusable(name, &reason))
}

fn unusable(profile: &str, reason: &str) -> Error {
    Error::Profile { profile: profile.to_owned(), reason: reason.to_owned() }
}

impl Files {
    /// The values of a profile from both files, or `None` if neither has it.
    fn values(&self, name: &str) -> Result<Option<BTreeMap<String, String>>> {
        let in_config = if name == "default" { name.to_owned() } else { format!("profile {name}") };
        let config = section(self.config.as_deref(), &in_config)?;
        let credentials = section(self.credentials.as_deref(), name)?;
        Ok(match (config, credentials) {
            (None, None) => None,
            (config, credentials) => {
                Some(config.into_iter().flatten().chain(credentials.into_iter().flatten()).collect())
            }
        })
    }
}

/// The values of a section of an INI file; `None` if there is no such file or section.
fn section(file: Option<&Path>, name: &str) -> Result<Option<BTreeMap<String, String>>> {
    let Some(path) = file else { return Ok(None) };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(source) => return Err(Error::File { path: path.to_owned(), source }),
    };
    let mut found: Option<BTreeMap<String, String>> = None;
    let mut is_inside = false;
    for line in text.lines() {
        let is_nested = line.starts_with([' ', '\t']); // values below a key, such as those of `s3 =`
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[').and_then(|line| line.split(']').next()) {
            let words: Vec<&str> = header.split_whitespace().collect();
            is_inside = words.join(" ").replace('"', "") == name;
            if is_inside {
                found.get_or_insert_default();
            }
        } else if is_inside
            && !is_nested
            && !line.starts_with(['#', ';'])
            && let Some((key, value)) = line.split_once('=')
            && let Some(values) = &mut found
        {
            // A remark at the end of a line begins behind a space.
            let value = value.split(" #").next().unwrap_or(value).split(" ;").next().unwrap_or(value);
            values.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    Ok(found)
}

/// The credentials of a profile.
pub(crate) struct ProfileCredentials {
    profile: Profile,
    traffic: Arc<Traffic>,
    known: Mutex<Option<Known>>,
}

struct Known {
    credential: Arc<AwsCredential>,
    read: Instant,
    /// How many requests had been refused before.
    refused_before: u64,
}

impl Known {
    fn is_good(&self, refused: u64) -> bool {
        let limit = if refused == self.refused_before { REREAD } else { REREAD_REFUSED };
        self.read.elapsed() < limit
    }
}

impl fmt::Debug for ProfileCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProfileCredentials").field("profile", &self.profile.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl CredentialProvider for ProfileCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let mut known = self.known.lock().await;
        let refused = self.traffic.refused_keys();
        if let Some(known) = known.as_ref().filter(|known| known.is_good(refused)) {
            return Ok(Arc::clone(&known.credential));
        }
        match self.profile.read().await {
            Ok(credential) => {
                let credential = Arc::new(credential);
                let read = Instant::now();
                *known = Some(Known { credential: Arc::clone(&credential), read, refused_before: refused });
                Ok(credential)
            }
            Err(source) => Err(object_store::Error::Generic { store: "S3", source: source.into() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "\
[default]
region = eu-west-1
[profile  work]
region=eu-central-1   # near
s3 =
    region = not-this
    max_concurrent_requests = 20
[profile login]
sso_session = mine
[profile role]
role_arn = arn:aws:iam::1:role/x
source_profile = default
[profile program]
credential_process = printf '{\"Version\":1,\"AccessKeyId\":\"P\",\"SecretAccessKey\":\"canary\",\"SessionToken\":\"T\"}'
[profile broken]
credential_process = exit 3
[profile half]
aws_access_key_id = H
";
    const CREDENTIALS: &str = "\
# of a tool
[default]
aws_access_key_id = D
aws_secret_access_key = canary-default

[work]
AWS_ACCESS_KEY_ID = W
aws_secret_access_key = a=b/c+canary
aws_session_token = token
";

    fn found(folder: &Path, profile: &str) -> Result<Option<Profile>> {
        std::fs::create_dir_all(folder.join(".aws")).unwrap();
        std::fs::write(folder.join(".aws/config"), CONFIG).unwrap();
        std::fs::write(folder.join(".aws/credentials"), CREDENTIALS).unwrap();
        Profile::find(
            &[("HOME", &*folder.display().to_string()), ("AWS_PROFILE", profile)].into_iter().collect(),
        )
    }

    fn keys(profile: Profile) -> object_store::Result<Arc<AwsCredential>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(profile.credentials(&Arc::default()).get_credential())
    }

    #[test]
    fn a_profile_takes_its_keys_and_its_region_from_both_files() {
        let folder = tempfile::tempdir().unwrap();
        for (name, region, key, secret, token) in [
            ("", Some("eu-west-1"), "D", "canary-default", None),
            ("work", Some("eu-central-1"), "W", "a=b/c+canary", Some("token")),
            ("program", None, "P", "canary", Some("T")),
        ] {
            let profile = found(folder.path(), name).unwrap().unwrap();
            assert_eq!(profile.region.as_deref(), region, "{name}");
            let keys = keys(profile).unwrap();
            assert_eq!(
                (keys.key_id.as_str(), keys.secret_key.as_str(), keys.token.as_deref()),
                (key, secret, token)
            );
        }
    }

    #[test]
    fn a_profile_that_gives_no_keys_is_refused_with_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        for (name, reason) in [
            ("none", "no file of AWS has a profile of this name"),
            ("login", "credential_process"),
            ("role", "credential_process"),
            ("half", "only one of"),
        ] {
            let refusal = found(folder.path(), name).err().unwrap().to_string();
            assert!(refusal.contains(name) && refusal.contains(reason), "{refusal}");
        }
        let failed = keys(found(folder.path(), "broken").unwrap().unwrap()).unwrap_err().to_string();
        assert!(failed.contains("broken") && failed.contains("exit status: 3"), "{failed}");
    }

    #[test]
    fn a_program_may_print_more_than_a_pipe_holds_and_one_that_does_not_end_is_ended() {
        const SOON: Duration = Duration::from_millis(300);

        let printed = printed_by("head -c 300000 /dev/zero", PROGRAM_TIME).unwrap();
        assert_eq!(printed.len(), 300_000);
        // Its pipe is closed for it.
        assert!(printed_by("yes 2>/dev/null", PROGRAM_TIME).is_err());
        assert_eq!(printed_by("exec sleep 600", SOON), Err("took too long".to_owned()));
        assert_eq!(printed_by("sleep 5 & exit 0", SOON), Err("took too long".to_owned()));
        assert_eq!(printed_by("exit 3", PROGRAM_TIME), Err("failed: exit status: 3".to_owned()));
    }

    #[test]
    fn without_files_there_is_no_profile_unless_one_was_named() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().display().to_string();
        assert!(Profile::find(&[("HOME", &*home)].into_iter().collect()).unwrap().is_none());
        assert!(Profile::find(&Variables::default()).unwrap().is_none());
        assert!(Profile::find(&[("HOME", &*home), ("AWS_PROFILE", "x")].into_iter().collect()).is_err());
    }

    #[test]
    fn no_debug_output_has_a_key() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = found(folder.path(), "work").unwrap().unwrap().credentials(&Arc::default());
        assert!(!format!("{credentials:?}").contains("canary"));
    }
}
