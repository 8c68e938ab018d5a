//! The recorder of a server, and its metrics as text.

use std::sync::Arc;
use std::time::Duration;

use metrics::Recorder;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use polarway_core::metrics::DURATION_BUCKETS;

use super::process;

/// How often recorded durations are put into their buckets. Until then each takes some bytes.
const UPKEEP: Duration = Duration::from_secs(1);

/// Records metrics, and renders them in the text format of Prometheus.
#[derive(Clone)]
pub(crate) struct Exporter {
    recorder: Arc<PrometheusRecorder>,
    handle: PrometheusHandle,
}

impl Exporter {
    /// Without metrics.
    pub(crate) fn new() -> Self {
        #[expect(clippy::expect_used, reason = "it fails for an empty list alone")]
        let builder = PrometheusBuilder::new().set_buckets(&DURATION_BUCKETS).expect("there are buckets");
        let recorder = builder.build_recorder();
        Self { handle: recorder.handle(), recorder: Arc::new(recorder) }
    }

    /// The recorder in which metrics are registered.
    pub(crate) fn recorder(&self) -> Arc<dyn Recorder + Send + Sync> {
        Arc::clone(&self.recorder) as _
    }

    /// All metrics.
    pub(crate) fn render(&self) -> String {
        let mut text = self.handle.render();
        process::write(&mut text);
        text
    }

    /// Keeps what is recorded small, as long as it is polled.
    pub(crate) async fn keep_small(self) {
        loop {
            tokio::time::sleep(UPKEEP).await;
            self.handle.run_upkeep();
        }
    }
}
