//! Tables whose files several workers write, and one of them publishes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use polarway_storage::{Backend, DatasetName, Error, Lease, Settings, StagedFile, Tables};
use uuid::Uuid;

use crate::support::{backends, in_small_groups, many_rows, name, newest, numbers};

const TTL: Duration = Duration::from_secs(60);

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number + (7 << 76) + (2 << 62))
}

/// Two workers over each storage.
fn for_each(test: impl Fn(&str, &Arc<dyn Backend>, &Tables, &Tables)) {
    for (kind, backend, _folder) in backends() {
        let worker = || {
            let settings = Settings { encode: in_small_groups(), ..Settings::default() };
            Tables::new(Arc::clone(&backend), settings)
        };
        test(kind, &backend, &worker(), &worker());
    }
}

fn stage(tables: &Tables, name: &DatasetName, id: Uuid, batch: &RecordBatch) -> StagedFile {
    let mut writer = tables.stage(name, id, batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.finish(|| true).unwrap().unwrap()
}

fn publish(tables: &Tables, name: &DatasetName, files: &[StagedFile]) -> Result<u64, Error> {
    let schema = numbers([]).schema();
    Ok(tables.publish_staged(name, &schema, TTL, "reports".into(), files)?.rows)
}

/// The names of a table's data files.
fn data(backend: &Arc<dyn Backend>, name: &DatasetName) -> BTreeSet<String> {
    let entries = backend.list(&format!("{name}/_polarway/data")).unwrap();
    entries.into_iter().map(|entry| entry.name).collect()
}

#[test]
fn files_of_two_workers_become_one_table_in_the_given_order_by_one_commit() {
    for_each(|kind, backend, one, other| {
        let kept = name("kept");
        let first = stage(one, &kept, id(9), &numbers([1, 2, 3]));
        let second = stage(other, &kept, id(4), &numbers([4, 5]));
        assert_eq!((first.rows, second.rows), (3, 2), "{kind}");
        assert!(newest(one, &kept).is_err(), "{kind}: nobody sees it yet");
        assert_eq!(publish(one, &kept, &[first, second]).unwrap(), 5, "{kind}");
        for tables in [one, other] {
            assert_eq!(newest(tables, &kept).unwrap(), [1, 2, 3, 4, 5], "{kind}");
            let polarway_storage::Leased::Kept(snapshot) = tables.leased(&kept).unwrap() else {
                panic!("{kind}: it has no lease");
            };
            assert_eq!(snapshot.lease.map(Lease::ttl), Some(TTL), "{kind}");
            assert_eq!((snapshot.commit, snapshot.files.len()), (1, 2), "{kind}");
            assert_eq!(snapshot.owner.as_deref(), Some("reports"), "{kind}");
            assert_eq!(snapshot.bytes, first.bytes + second.bytes, "{kind}");
            assert_eq!(snapshot.arrow_bytes, 5 * 8, "{kind}");
        }
        assert_eq!(data(backend, &kept).len(), 2, "{kind}");
    });
}

#[test]
fn a_table_of_no_files_has_its_columns_and_no_rows() {
    for_each(|kind, backend, one, other| {
        let kept = name("kept");
        let writer = other.stage(&kept, id(1), numbers([]).schema()).unwrap();
        assert_eq!(writer.finish(|| true).unwrap(), None, "{kind}: no rows, no file");
        assert_eq!(publish(one, &kept, &[]).unwrap(), 0, "{kind}");
        assert_eq!(newest(other, &kept).unwrap(), [0; 0], "{kind}");
        assert!(data(backend, &kept).is_empty(), "{kind}");
    });
}

#[test]
fn what_is_not_published_leaves_nothing() {
    for_each(|kind, backend, one, other| {
        let kept = name("kept");
        let many = numbers(many_rows());
        // Given up in the middle, by its writer.
        let mut dropped = other.stage(&kept, id(1), many.schema()).unwrap();
        dropped.write(&many).unwrap();
        drop(dropped);
        // Complete when nobody wants it any more.
        let mut late = other.stage(&kept, id(2), many.schema()).unwrap();
        late.write(&many).unwrap();
        late.finish(|| false).unwrap();
        assert!(data(backend, &kept).is_empty(), "{kind}: {:?}", data(backend, &kept));
        // Complete, of a worker that died since; and one that was never begun.
        stage(other, &kept, id(3), &many);
        assert_eq!(data(backend, &kept).len(), 1, "{kind}");
        one.discard_staged(&kept, &[id(3), id(4)]).unwrap();
        assert!(data(backend, &kept).is_empty(), "{kind}");
        one.discard_staged(&kept, &[id(3)]).unwrap();
    });
}

#[test]
fn a_file_that_is_gone_or_has_another_length_is_not_published() {
    for_each(|kind, backend, one, other| {
        let kept = name("kept");
        let there = stage(one, &kept, id(1), &numbers([1]));
        let gone = stage(other, &kept, id(2), &numbers([2]));
        other.discard_staged(&kept, &[gone.id]).unwrap();
        let missing = publish(one, &kept, &[there, gone]);
        assert!(matches!(missing, Err(Error::UploadExpired { .. })), "{kind}: {missing:?}");
        assert!(data(backend, &kept).is_empty(), "{kind}: the other one went with it");

        let there = stage(one, &kept, id(3), &numbers([1]));
        let other_length = StagedFile { bytes: there.bytes + 1, ..there };
        let differs = publish(one, &kept, &[other_length]);
        assert!(matches!(differs, Err(Error::UploadExpired { .. })), "{kind}: {differs:?}");
        assert!(matches!(newest(one, &kept), Err(Error::UnknownDataset { .. })), "{kind}");
    });
}

#[test]
fn a_table_that_is_made_twice_is_the_first_one() {
    for_each(|kind, backend, one, other| {
        let kept = name("kept");
        let (first, second) =
            (stage(one, &kept, id(1), &numbers([1])), stage(other, &kept, id(2), &numbers([2])));
        assert_eq!(publish(one, &kept, &[first]).unwrap(), 1, "{kind}");
        let refused = publish(other, &kept, &[second]);
        assert!(matches!(refused, Err(Error::AlreadyExists { .. })), "{kind}: {refused:?}");
        assert_eq!(newest(other, &kept).unwrap(), [1], "{kind}");
        assert_eq!(data(backend, &kept), BTreeSet::from([format!("{}.parquet", id(1))]), "{kind}");
    });
}

#[test]
fn a_column_that_can_t_be_stored_is_refused_before_anything_is_written() {
    for_each(|kind, backend, one, _| {
        let (kept, batch) = (name("kept"), numbers([1]));
        let twice = RecordBatch::try_from_iter([
            ("n", Arc::clone(batch.column(0))),
            ("n", Arc::clone(batch.column(0))),
        ]);
        let refused = one.stage(&kept, id(1), twice.unwrap().schema()).map(drop);
        assert!(matches!(refused, Err(Error::Table(_))), "{kind}: {refused:?}");
        assert!(data(backend, &kept).is_empty(), "{kind}");
    });
}
