//! Texts as SQL: an engine with a few tables and a secret, and what must hold of every answer.

mod answer;
mod catalog;
mod names;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::util::display::array_value_to_string;
use polarway_query::{Catalog, Engine, EngineConfig, Error, QueryOptions};
use tempfile::TempDir;

use catalog::{OnThisMachine, Tables};

/// How long a text may run: nearly all that are worth anything need less, and the others must end.
const TIME: Duration = Duration::from_millis(200);

/// What stands in the file that no text may read.
const SECRET: &str = "the-crown-jewels";

/// An engine over tables of its own.
pub struct Bench {
    engine: Engine,
    tables: Arc<Tables>,
    folder: TempDir,
}

impl Bench {
    /// An engine with small limits over a new temporary folder.
    pub fn open() -> Self {
        let folder = TempDir::new().unwrap();
        let data = folder.path().join("data");
        let tables = Arc::new(Tables::write(&data));
        std::fs::write(folder.path().join("secret.txt"), SECRET).unwrap();
        std::fs::write(data.join("notes.csv"), SECRET).unwrap();
        let mut config = EngineConfig::new(vec![data], folder.path().join("spill"));
        config.memory_bytes = 200_000_000;
        config.temp_bytes = 50_000_000;
        config.threads = 1;
        config.text_bytes = 20_000;
        config.cached_texts = 10;
        config.limits.result_rows = 10_000;
        config.limits.result_bytes = 10_000_000;
        config.limits.process_bytes = 3_000_000_000;
        let engine = Engine::open(config, Arc::new(OnThisMachine)).unwrap();
        Self { engine, tables, folder }
    }

    /// Runs a text.
    ///
    /// # Panics
    /// When it is answered with what a text must never get: a bug's error, a secret, a path, a name that it did not write.
    pub fn check(&self, text: &str) {
        self.tables.forget_asked();
        match self.answer(text) {
            Err(Error::Internal(message)) => panic!("a bug: {message}"),
            Err(error) => self.check_told(text, &error.to_string()),
            Ok(answer) => self.check_told(text, &answer),
        }
        for name in self.tables.asked() {
            assert!(names::is_written(&name, text), "the text does not name {name:?}");
        }
    }

    fn answer(&self, text: &str) -> Result<String, Error> {
        let options = QueryOptions { deadline: Some(Instant::now() + TIME), ..QueryOptions::default() };
        let catalog = Arc::clone(&self.tables) as Arc<dyn Catalog>;
        let (sink, events) = answer::channel();
        self.engine.start(text, catalog, options, Box::new(sink))?;
        let batches = answer::batches(&events)?;
        Ok(batches.iter().flat_map(values).collect())
    }

    fn check_told(&self, text: &str, told: &str) {
        let folder = self.folder.path().to_str().unwrap();
        for secret in [SECRET, folder] {
            assert!(!told.contains(secret) || text.contains(secret), "it tells {secret}: {told}");
        }
    }
}

/// Writes the known attacks into a folder, one per file.
///
/// # Panics
/// When they can't be written.
pub fn write_seeds(folder: &Path, bench: &Bench) {
    let path = |name: &str| bench.folder.path().join(name).to_str().unwrap().to_owned();
    let (secret, data, spill) = (path("secret.txt"), path("data"), path("spill"));
    let values =
        [("secret", secret.as_str()), ("link", &secret), ("cold", &data), ("spill", &spill), ("port", "9")];
    for attack in polarway_testing::attacks() {
        let file = folder.join(format!("attack-{}", attack.line));
        std::fs::write(file, attack.text(&values)).expect("a seed can be written");
    }
}

/// The values of the first rows as texts; what can't be written can't be looked through.
fn values(batch: &RecordBatch) -> impl Iterator<Item = String> {
    batch.columns().iter().flat_map(|column| {
        (0..column.len().min(100)).filter_map(|row| array_value_to_string(column, row).ok())
    })
}
