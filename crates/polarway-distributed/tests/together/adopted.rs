//! Files of other programs as the tables of a query over several workers.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Float64Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use polarway_core::{EngineChoice, EngineUsed, ErrorKind};

use crate::support::{Fleet, ask, on, rows};

const STATEMENTS: [&str; 8] = [
    "SELECT count(*), sum(n), min(year), max(month) FROM visits",
    "SELECT year, month, count(*), sum(n) FROM visits GROUP BY ALL ORDER BY ALL",
    "SELECT n, city, year, month FROM visits WHERE month = 'b' AND n % 100 = 7 ORDER BY n",
    "SELECT city, count(*) FROM visits WHERE year IS NULL OR year > 2023 GROUP BY city ORDER BY city",
    "SELECT a.year, count(*) FROM visits a JOIN visits b ON a.n = b.n + 1 GROUP BY 1 ORDER BY 1",
    "SELECT DISTINCT year FROM visits ORDER BY year NULLS FIRST",
    "SELECT n FROM visits WHERE year NOT IN (2023, 2025) ORDER BY n LIMIT 20",
    "SELECT n, length FROM visits WHERE length > 990 ORDER BY n",
];

/// A folder with a value of `year` and one of `month` in each path, some of them NULL. Numbers are in one file each.
fn adopt(cold: &Path) {
    let years = ["2023", "2024", "__HIVE_DEFAULT_PARTITION__"];
    let parts = years.iter().flat_map(|year| ["a", "b"].map(|month| (year, month)));
    for (part, (year, month)) in (0_i64..).zip(parts) {
        let folder = cold.join(format!("visits/year={year}/month={month}"));
        fs::create_dir_all(&folder).unwrap();
        let numbers = || part * 1_000..(part + 1) * 1_000;
        let cities: StringArray =
            numbers().map(|n| (n % 5 != 0).then(|| format!("city {}", n % 7))).collect();
        // Writers of Parquet leave NaN out of the bounds of a chunk, and it is greater than all numbers.
        let lengths: Float64Array =
            numbers().map(|n| Some(if n % 400 == 3 { f64::NAN } else { (n % 1_000) as f64 })).collect();
        let batch = RecordBatch::try_from_iter_with_nullable([
            ("n", Arc::new(numbers().collect::<Int64Array>()) as _, false),
            ("city", Arc::new(cities) as _, true),
            ("length", Arc::new(lengths) as _, true),
        ]);
        write(&folder.join("part-0.parquet"), &batch.unwrap());
    }
}

fn write(path: &Path, batch: &RecordBatch) {
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_folder_of_another_program_is_read_by_several_workers_with_the_values_of_its_paths() {
    let fleet = Fleet::start().await;
    adopt(&fleet.cold());
    for sql in STATEMENTS {
        let (local, _) = ask(fleet.engine(), sql, on(EngineChoice::Local)).await.unwrap();
        let spread = ask(fleet.engine(), sql, on(EngineChoice::Distributed)).await;
        let (spread, summary) = spread.unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(summary.engine, EngineUsed::Distributed { workers: 3 }, "{sql}");
        assert!(local.num_rows() > 0, "{sql}");
        assert_eq!(spread.schema(), local.schema(), "{sql}");
        assert_eq!(rows(&spread), rows(&local), "{sql}");
    }
    fleet.idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_damaged_file_of_another_program_is_an_error_and_leaves_nothing_behind() {
    let fleet = Fleet::start().await;
    adopt(&fleet.cold());
    let damaged = fleet.cold().join("visits/year=2024/month=b/part-0.parquet");
    let mut bytes = fs::read(&damaged).unwrap();
    let sql = "SELECT sum(n), max(city) FROM visits";
    ask(fleet.engine(), sql, on(EngineChoice::Distributed)).await.unwrap();
    // The pages, and not the footer, which is read when the dataset is found.
    let pages = bytes.len() / 2;
    bytes[4..pages].fill(0xFF);
    fs::write(&damaged, bytes).unwrap();
    let error = ask(fleet.engine(), sql, on(EngineChoice::Distributed)).await.unwrap_err();
    assert!(
        !matches!(error.kind(), ErrorKind::Internal | ErrorKind::WorkerLost | ErrorKind::NotDistributable),
        "{:?}: {error}",
        error.kind()
    );
    fleet.idle().await;
}
