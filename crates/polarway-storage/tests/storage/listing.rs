//! What datasets there are: all of them, whatever is wrong with some, and at a price that fits.

use std::sync::Arc;

use polarway_storage::{Backend, Dataset, DiskBackend, Error, Settings, Tables};
use tempfile::TempDir;

use crate::support::failing::{FailingBackend, Failure};
use crate::support::{append, name, newest, on_disk, open, store};

/// Tables in a folder, with a count of what the storage is asked.
fn counted(folder: &TempDir) -> (Tables, Arc<FailingBackend>) {
    let backend = FailingBackend::new(Arc::new(DiskBackend::open(folder.path()).unwrap()), Failure::Before);
    (Tables::new(backend.clone(), Settings::default()), backend)
}

fn names(datasets: &[Dataset]) -> Vec<&str> {
    datasets.iter().map(|dataset| dataset.name.as_str()).collect()
}

#[test]
fn what_cannot_be_read_is_listed_with_the_reason_and_the_others_as_they_are() {
    let (tables, folder) = on_disk();
    let at = |path: &str| folder.path().join(path);
    for dataset in ["fine", "newer", "cut", "replaced", "numbers", "texts"] {
        store(&tables, &name(dataset), [1]).unwrap();
    }
    let commit = |dataset: &str| at(dataset).join("_polarway/commits/0000000002.json");
    std::fs::write(commit("newer"), "{\"format\": 9}").unwrap();
    std::fs::write(commit("cut"), "{\"form").unwrap();
    std::fs::create_dir(commit("replaced")).unwrap();
    std::os::unix::fs::symlink("loop", at("loop")).unwrap();
    // Files of others that can't be read as a table.
    std::fs::write(at("broken.parquet"), "x").unwrap();
    std::fs::create_dir(at("mixed")).unwrap();
    std::os::unix::fs::symlink("again.parquet", at("mixed/again.parquet")).unwrap();
    for tables in [&tables, &open(&folder)] {
        for _ in 0..2 {
            let listed = tables.datasets().unwrap();
            let expected =
                ["broken", "cut", "fine", "loop", "mixed", "newer", "numbers", "replaced", "texts"];
            assert_eq!(names(&listed), expected);
            for (dataset, reason) in [
                ("newer", "0000000002.json\": its format is 9"),
                ("cut", "no commit file"),
                ("replaced", "0000000002.json"),
                ("loop", "loop"),
                ("broken", "broken.parquet"),
                ("mixed", "can't list \"mixed\""),
            ] {
                let listed = listed.iter().find(|listed| listed.name.as_str() == dataset).unwrap();
                let told = listed.error.clone().unwrap_or_default();
                assert!(told.contains(reason), "{dataset}: {told}");
                assert_eq!((listed.version, listed.rows, listed.bytes), (0, 0, 0));
            }
            assert!(listed.iter().filter(|listed| listed.error.is_none()).all(|listed| listed.rows == 1));
            assert_eq!(tables.names().unwrap(), ["fine", "numbers", "texts"].map(name));
            let (page, are_all) = tables.datasets_after("", usize::MAX / 2, |_| true).unwrap();
            assert!(are_all && page == listed);
        }
    }
    let error = newest(&tables, &name("newest")).unwrap_err().to_string();
    assert!(error.contains("near it: newer"), "it is there, though nobody can read it: {error}");
}

#[test]
fn a_storage_that_is_gone_is_an_error_and_no_list_of_unreadable_names() {
    let (tables, folder) = on_disk();
    store(&tables, &name("trades"), [1]).unwrap();
    let backend =
        FailingBackend::new(Arc::new(DiskBackend::open(folder.path()).unwrap()), Failure::FromHereOn);
    let tables = Tables::new(backend.clone(), Settings::default());
    for operations in 0..4 {
        backend.fail_after(operations);
        assert!(matches!(tables.datasets(), Err(Error::Backend(_))), "gone after {operations} operations");
        backend.heal();
    }
    assert_eq!(names(&tables.datasets().unwrap()), ["trades"]);
}

#[test]
fn pages_are_the_list_whatever_lies_between_the_datasets() {
    let (tables, folder) = on_disk();
    for n in 0..60 {
        let dataset = name(&format!("d{n:02}"));
        store(&tables, &dataset, 0..n).unwrap();
        if n % 3 == 0 {
            tables.delete(&dataset, None, None).unwrap();
        }
        std::fs::create_dir(folder.path().join(format!("d{n:02}_of_others"))).unwrap();
    }
    let all = tables.datasets().unwrap();
    assert_eq!(all.len(), 40);
    for most in [1, 7, 20, 39, 40, 41, 1_000] {
        let (mut joined, mut after) = (Vec::new(), String::new());
        loop {
            let (page, are_all) = tables.datasets_after(&after, most, |_| true).unwrap();
            assert!(page.len() == most || are_all);
            joined.extend(page);
            if are_all {
                break;
            }
            after = joined.last().unwrap().name.to_string();
        }
        assert_eq!(joined, all, "pages of {most}");
    }
    assert_eq!(
        names(&tables.datasets_after("d10", 2, |_| true).unwrap().0),
        ["d11", "d13"],
        "d12 is deleted"
    );
    assert_eq!(tables.datasets_after("e", 2, |_| true).unwrap(), (vec![], true));
}

#[test]
fn a_list_is_what_is_there_now_whatever_was_listed_before() {
    let (tables, folder) = on_disk();
    let other = open(&folder);
    let rows = |tables: &Tables| -> Vec<(String, u64, u64)> {
        let listed = tables.datasets().unwrap().into_iter();
        listed.map(|dataset| (dataset.name.to_string(), dataset.version, dataset.rows)).collect()
    };
    for n in 0..40 {
        store(&tables, &name(&format!("d{n:02}")), [n]).unwrap();
    }
    assert_eq!(rows(&tables), rows(&other));
    append(&tables, &name("d01"), [1, 2]).unwrap();
    tables.delete(&name("d02"), None, None).unwrap();
    store(&tables, &name("new"), [1]).unwrap();
    // One is removed by hand and stored anew by somebody else, one is removed and stays so.
    std::fs::remove_dir_all(folder.path().join("d03")).unwrap();
    std::fs::remove_dir_all(folder.path().join("d04")).unwrap();
    store(&open(&folder), &name("d03"), [7, 8, 9]).unwrap();
    for tables in [&tables, &other, &open(&folder)] {
        let listed = rows(tables);
        assert_eq!(listed.len(), 39);
        let of = |name: &str| {
            listed.iter().find(|(there, ..)| there == name).map(|(_, version, rows)| (*version, *rows))
        };
        assert_eq!(of("d01"), Some((2, 3)));
        assert_eq!((of("d02"), of("d04")), (None, None));
        assert_eq!((of("d03"), of("new")), (Some((1, 3)), Some((1, 1))));
    }
    store(&other, &name("d02"), [1, 2, 3, 4]).unwrap();
    assert!(rows(&tables).contains(&("d02".to_owned(), 3, 4)));
}

#[test]
fn an_unknown_name_costs_no_look_at_every_dataset() {
    const DATASETS: usize = 200;

    let folder = tempfile::tempdir().unwrap();
    let tables = open(&folder);
    for n in 0..DATASETS {
        store(&tables, &name(&format!("dataset_{n:03}")), [1]).unwrap();
    }
    let (tables, asked) = counted(&folder);
    for wrong in ["nothing_like_it", "datazet_007"] {
        asked.count();
        let error = newest(&tables, &name(wrong)).unwrap_err();
        assert!(matches!(error, Error::UnknownDataset { .. }));
        assert!(asked.counted() < DATASETS as u64 / 2, "{wrong}: {} operations", asked.counted());
    }
    tables.datasets().unwrap();
    asked.count();
    tables.datasets().unwrap();
    assert!(asked.counted() <= 2 * DATASETS as u64 + 1, "a list again: {} operations", asked.counted());
    asked.count();
    tables.datasets_after("dataset_100", 10, |_| true).unwrap();
    assert!(asked.counted() <= 30, "a page: {} operations", asked.counted());
}

#[test]
fn names_that_are_near_are_told_if_there_is_a_dataset() {
    let (tables, _folder) = on_disk();
    for dataset in ["flights", "flight", "fights", "lights"] {
        store(&tables, &name(dataset), [1]).unwrap();
    }
    for deleted in ["flight", "lights"] {
        tables.delete(&name(deleted), None, None).unwrap();
    }
    for (wrong, near) in [("fligths", vec!["flights", "fights"]), ("FLIGHTS", vec!["flights", "fights"])] {
        let Err(Error::UnknownDataset { nearest, deleted: false, .. }) = newest(&tables, &name(wrong)) else {
            panic!("there is no {wrong}")
        };
        assert_eq!(nearest, near);
    }
    let told = newest(&tables, &name("flight")).unwrap_err().to_string();
    assert!(told.contains("it was deleted") && told.contains("flights"), "{told}");
    let backend: Arc<dyn Backend> = Arc::clone(tables.backend());
    let fresh = Tables::new(backend, Settings::default());
    assert_eq!(fresh.nearest_names("fligths", |_| true).unwrap(), ["flights", "fights"]);
}
