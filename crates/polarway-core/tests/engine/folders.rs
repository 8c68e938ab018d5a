//! The folders that an engine is given: what they hold is safe from it.

use std::fs;
use std::path::Path;

use polarway_core::{Config, ErrorKind, HandleStoreKind, Location, Polarway};
use tempfile::TempDir;

use crate::support::{config, trades};

/// An engine's configuration with handles in this folder.
fn with_state(folder: &TempDir, state: &Path) -> Config {
    let mut config = config(folder);
    config.handles.store = HandleStoreKind::External;
    config.handles.state = Location::Directory(state.to_owned());
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_holds_something_else_is_not_taken_for_one_of_handles() {
    let folder = tempfile::tempdir().unwrap();
    let documents = folder.path().join("documents");
    fs::create_dir_all(documents.join("thesis")).unwrap();
    fs::write(documents.join("thesis/chapter1.tex"), "x").unwrap();
    let refused = Polarway::open(with_state(&folder, &documents)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Configuration);
    let told = refused.to_string();
    assert!(told.contains("documents") && told.contains("\"thesis\""), "{told}");
    assert!(documents.join("thesis/chapter1.tex").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_datasets_of_another_engine_are_not_taken_for_handles() {
    let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let other = Polarway::open(config(&theirs)).await.unwrap();
    other.store("trades", trades(&[("BTC", 1)])).await.unwrap();
    for state in [theirs.path().join("cold"), theirs.path().to_owned()] {
        let refused = Polarway::open(with_state(&ours, &state)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Configuration, "{refused}");
    }
    assert_eq!(other.load("trades").await.unwrap().num_rows(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_handles_that_is_mixed_up_with_another_is_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    for state in ["", "cold", "cold/handles", "tmp", "analytics.duckdb"] {
        let refused = Polarway::open(with_state(&folder, &folder.path().join(state))).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Configuration, "{state:?}: {refused}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{state:?}");
    }
    Polarway::open(with_state(&folder, &folder.path().join("state"))).await.unwrap();
}
