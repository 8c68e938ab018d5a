//! Checks that the configured folders are folders and no URLs, and that they don't overlap where they must not.
//!
//! In the folder of handles and in the folder for temporary files, Polarway removes files. Neither may be, contain, or lie in a
//! folder for other things, however its path is written.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use polarway_bucket::BucketUrl;

use crate::config::{Config, HandleStoreKind, Location};
use crate::error::{Error, ErrorKind, Result};
use crate::workspace::TEMPORARY_FOLDER;

/// Checks that no path is a URL that somebody took for a path: a folder of that name would be made.
///
/// # Errors
/// The path, and what it is for.
pub(crate) fn check_paths(config: &Config) -> Result<()> {
    let of_location = |location: &'_ Location| match location {
        Location::Directory(folder) => Some(folder.clone()),
        Location::Bucket(_) | Location::Memory => None,
    };
    let external = config.handles.store == HandleStoreKind::External;
    let state = external.then(|| of_location(&config.handles.state)).flatten();
    for (what, path, may_be_bucket) in [
        ("the data directory", Some(config.data_dir.clone()), false),
        ("the cold tier", of_location(&config.cold_tier), true),
        ("the folder of handles", state, true),
        ("the analytics database", config.analytics.clone(), false),
        ("the file of trusted authorities for buckets", config.buckets.ca_file.clone(), false),
    ] {
        let text = path.as_deref().map(Path::to_string_lossy).unwrap_or_default();
        if !BucketUrl::is_meant_by(&text) {
            continue;
        }
        let instead = match text.parse::<BucketUrl>() {
            Err(error) if may_be_bucket => error.to_string(),
            Ok(url) if may_be_bucket => {
                format!("it is a bucket and was given as a directory: give Location::Bucket, {url:?}")
            }
            _ => "it is a URL, and this must be a path on this machine".to_owned(),
        };
        return Err(Error::new(ErrorKind::Configuration, format!("{what} can't be {text:?}: {instead}")));
    }
    Ok(())
}

/// Checks that no folder in which files are removed overlaps with another one.
///
/// # Errors
/// The names of two folders that overlap; a folder that can't be read.
pub(crate) fn check_apart(config: &Config) -> Result<()> {
    let temporary = Folder::find("the folder for temporary files", &config.data_dir.join(TEMPORARY_FOLDER))?;
    let cold_tier = match &config.cold_tier {
        Location::Directory(folder) => Some(Folder::find("the cold tier", folder)?),
        Location::Bucket(_) | Location::Memory => None,
    };
    if let Some(cold_tier) = cold_tier.as_ref().filter(|cold_tier| cold_tier.is_within(&temporary)) {
        return Err(mixed_up(cold_tier, "lies in", &temporary));
    }
    if config.handles.store != HandleStoreKind::External {
        return Ok(());
    }
    let state = match (&config.handles.state, &config.cold_tier) {
        (Location::Directory(state), _) => state,
        (Location::Bucket(state), Location::Bucket(cold_tier)) => {
            return check_buckets_apart(state, cold_tier);
        }
        (Location::Bucket(_) | Location::Memory, _) => return Ok(()),
    };
    let state = Folder::find("the folder of handles", state)?;
    let analytics = match &config.analytics {
        Some(file) => Some(Folder::find("the analytics database", file)?),
        None => None,
    };
    for other in cold_tier.iter().chain([&temporary]).chain(&analytics) {
        if let Some(how) = overlap(state.is_within(other), other.is_within(&state)) {
            return Err(mixed_up(&state, how, other));
        }
    }
    Ok(())
}

/// How the first of two places overlaps with the second one.
fn overlap(first_is_within: bool, second_is_within: bool) -> Option<&'static str> {
    match (first_is_within, second_is_within) {
        (true, true) => Some("is"),
        (true, false) => Some("lies in"),
        (false, true) => Some("holds"),
        (false, false) => None,
    }
}

fn check_buckets_apart(state: &BucketUrl, cold_tier: &BucketUrl) -> Result<()> {
    let Some(how) = overlap(state.is_within(cold_tier), cold_tier.is_within(state)) else { return Ok(()) };
    Err(mixed_up_places(
        ["the folder of handles", &state.to_string()],
        how,
        ["the cold tier", &cold_tier.to_string()],
    ))
}

fn mixed_up(folder: &Folder, how: &str, other: &Folder) -> Error {
    let [path, other_path] = [folder, other].map(|folder| folder.given.display().to_string());
    mixed_up_places([folder.what, &path], how, [other.what, &other_path])
}

fn mixed_up_places([what, path]: [&str; 2], how: &str, [other_what, other_path]: [&str; 2]) -> Error {
    let message = format!(
        "{what}, {path:?}, {how} {other_what}, {other_path:?}: what is removed in one of them must not be mixed up with \
         the other; give it a folder of its own"
    );
    Error::new(ErrorKind::Configuration, message)
}

/// A folder or file from a setting. It need not exist yet.
struct Folder {
    what: &'static str,
    /// As it is written in the setting.
    given: PathBuf,
    /// Absolute, and without symbolic links.
    real: PathBuf,
}

impl Folder {
    fn find(what: &'static str, given: &Path) -> Result<Self> {
        let real = real_path(given).map_err(|error| {
            let message = format!("can't look for {what} at {:?}", given.display().to_string());
            Error::new(ErrorKind::Configuration, message).caused_by(error)
        })?;
        Ok(Self { what, given: given.to_owned(), real })
    }

    /// Whether it is the other one or lies somewhere in it, also where another mount or another spelling leads there.
    fn is_within(&self, other: &Self) -> bool {
        let other_identity = identity(&other.real);
        self.real.ancestors().any(|folder| {
            folder == other.real || (other_identity.is_some() && identity(folder) == other_identity)
        })
    }
}

/// Identifies a folder, whatever its path.
fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()))
}

/// A path without symbolic links, as far as it exists, and behind that as it will be made.
fn real_path(path: &Path) -> io::Result<PathBuf> {
    let mut missing: Vec<OsString> = Vec::new();
    let absolute = std::path::absolute(path)?;
    let mut existing = absolute.as_path();
    let mut real = loop {
        match existing.canonicalize() {
            Ok(real) => break real,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        // A path may end in `..`, which has no name but is a component.
        let (Some(parent), Some(last)) = (existing.parent(), existing.components().next_back()) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        missing.push(last.as_os_str().to_owned());
        existing = parent;
    };
    for part in missing.iter().rev() {
        match Path::new(part).components().next() {
            Some(Component::ParentDir) => drop(real.pop()),
            _ => real.push(part),
        }
    }
    Ok(real)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// The message of the refusal, or none.
    fn refusal(folder: &Path, set_up: impl Fn(&mut Config)) -> Option<String> {
        let mut config = Config::new(folder);
        config.handles.store = HandleStoreKind::External;
        set_up(&mut config);
        check_apart(&config).err().map(|error| {
            assert_eq!(error.kind(), ErrorKind::Configuration);
            error.to_string()
        })
    }

    #[test]
    fn folders_that_lie_apart_are_fine() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(refusal(data.path(), |_| {}), None);
        let beside = data.path().join("cold-handles");
        let set_up = |config: &mut Config| config.handles.state = Location::Directory(beside.clone());
        assert_eq!(refusal(data.path(), set_up), None, "a name that begins alike is another folder");
        // Datasets may lie around everything else, as long as no handles are kept there.
        let around = |config: &mut Config| {
            config.cold_tier = Location::Directory(data.path().to_owned());
            config.handles.store = HandleStoreKind::Memory;
        };
        assert_eq!(refusal(data.path(), around), None);
    }

    #[test]
    fn a_folder_of_handles_that_is_or_holds_or_lies_in_another_is_refused_however_it_is_spelt() {
        let data = tempfile::tempdir().unwrap();
        let at = |path: &str| data.path().join(path);
        fs::create_dir_all(at("cold/inner")).unwrap();
        fs::create_dir_all(at("elsewhere")).unwrap();
        symlink(at("cold"), at("link")).unwrap();
        symlink(data.path(), at("elsewhere/around")).unwrap();
        for (state, how, other) in [
            ("cold", "is the cold tier", "cold"),
            ("cold/", "is the cold tier", "cold"),
            ("./elsewhere/../cold", "is the cold tier", "cold"),
            ("link", "is the cold tier", "cold"),
            ("none/../cold", "is the cold tier", "cold"),
            ("cold/handles/of/mine", "lies in the cold tier", "cold"),
            ("link/inner", "lies in the cold tier", "cold"),
            ("", "holds the cold tier", "cold"),
            ("elsewhere/around", "holds the cold tier", "cold"),
            ("tmp", "is the folder for temporary files", "tmp"),
            ("tmp/worker-x", "lies in the folder for temporary files", "tmp"),
            ("analytics.duckdb", "is the analytics database", "analytics.duckdb"),
        ] {
            let set_up = |config: &mut Config| config.handles.state = Location::Directory(at(state));
            let told = refusal(data.path(), set_up).unwrap_or_else(|| panic!("{state:?} was taken"));
            let expected = [at(state), at(other)].map(|path| format!("{:?}", path.display().to_string()));
            assert!(
                told.contains(how) && expected.iter().all(|path| told.contains(path)),
                "{state:?}: {told}"
            );
        }
    }

    #[test]
    fn a_url_is_never_taken_for_a_path() {
        fn told(data_dir: &str, set_up: impl Fn(&mut Config)) -> String {
            let mut config = Config::new(data_dir);
            config.handles.store = HandleStoreKind::External;
            set_up(&mut config);
            let refused = check_paths(&config).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Configuration);
            refused.to_string()
        }

        for url in ["s3://lake/data", "s3:/lake", "https://lake"] {
            let of_data = told(url, |_| {});
            assert!(of_data.contains("the data directory") && of_data.contains(url), "{of_data}");
            let directory = || Location::Directory(url.into());
            let of_cold_tier = told("/data", |config| config.cold_tier = directory());
            assert!(of_cold_tier.contains("the cold tier") && of_cold_tier.contains(url), "{of_cold_tier}");
            let of_handles = told("/data", |config| config.handles.state = directory());
            assert!(of_handles.contains("the folder of handles"), "{of_handles}");
            let of_analytics = told("/data", |config| config.analytics = Some(url.into()));
            assert!(of_analytics.contains("the analytics database"), "{of_analytics}");
            let of_file = told("/data", |config| config.buckets.ca_file = Some(url.into()));
            assert!(of_file.contains("trusted authorities"), "{of_file}");
        }
        assert!(check_paths(&Config::new("./data").with_cold_tier("gs://lake/cold")).is_ok());
        let wrong = told("/data", |config| *config = config.clone().with_cold_tier("s4://lake"));
        assert!(wrong.contains("s4://lake") && wrong.contains("gs://bucket/prefix"), "{wrong}");
    }

    #[test]
    fn handles_in_a_bucket_must_lie_apart_from_datasets_in_it() {
        let data = tempfile::tempdir().unwrap();
        let told = |state: &str, cold_tier: &str| {
            refusal(data.path(), |config| {
                config.handles.state = state.parse().unwrap();
                config.cold_tier = cold_tier.parse().unwrap();
            })
        };
        assert!(told("s3://b/x", "s3://b/x").unwrap().contains("is the cold tier, \"s3://b/x\""));
        assert!(told("s3://b/x/y", "s3://b").unwrap().contains("lies in the cold tier"));
        assert!(told("s3://b", "s3://b/x").unwrap().contains("holds the cold tier"));
        assert_eq!(told("s3://b/handles", "s3://b/cold"), None);
        assert_eq!(told("s3://b/x", "s3://c/x"), None);
        assert_eq!(told("s3://b/x", "/data/cold"), None);
    }

    #[test]
    fn other_pairs_that_would_be_mixed_up_are_refused_too() {
        let data = tempfile::tempdir().unwrap();
        let in_tmp =
            |config: &mut Config| config.cold_tier = Location::Directory(data.path().join("tmp/cold"));
        assert!(refusal(data.path(), in_tmp).unwrap().contains("lies in the folder for temporary files"));
        let holds_database = |config: &mut Config| {
            config.handles.state = Location::Directory(data.path().join("mine"));
            config.analytics = Some(data.path().join("mine/analytics.duckdb"));
        };
        assert!(refusal(data.path(), holds_database).unwrap().contains("holds the analytics database"));
    }
}
