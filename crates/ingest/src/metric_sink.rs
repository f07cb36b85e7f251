//! Where metrics go. Ingest declares what it needs from an engine for series; the wiring joins them.

use std::fmt::Debug;

use async_trait::async_trait;
use model::Tenant;
use model::metric::Batch;
use stdx::memory::Reservation;

use crate::sink::SinkError;

/// Samples of one request, scrape or evaluation on their way to the engine.
#[derive(Debug)]
pub struct MetricWrite {
    /// Whose series they are.
    pub tenant: Tenant,
    /// The samples; each series' labels are in canonical form.
    pub batch: Batch,
    /// Covers the batch for as long as it lives.
    pub memory: Reservation,
}

/// What the engine did with a batch that it took.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Written {
    /// Samples stored.
    pub floats: usize,
    /// Native histograms stored.
    pub histograms: usize,
    /// Exemplars stored.
    pub exemplars: usize,
    /// What was not stored and never will be, by reason.
    pub rejected: Vec<Rejection>,
}

impl Written {
    /// How many samples, histograms and exemplars were rejected.
    #[must_use]
    pub fn rejected_len(&self) -> usize {
        self.rejected.iter().map(|rejection| rejection.count).sum()
    }
}

/// Samples that the engine does not take, all for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Why, as Prometheus says it: `out of order sample`, `duplicate sample for timestamp`, ….
    pub reason: String,
    /// How many.
    pub count: usize,
    /// The labels of one of the series, as Prometheus prints them; may be empty.
    pub example: String,
}

/// Takes samples in. `Ok` means that what was not rejected is on disk and that queries see it.
#[async_trait]
pub trait MetricSink: Send + Sync + Debug {
    /// Stores one batch. Dropping the future may or may not keep the samples.
    async fn write(&self, write: MetricWrite) -> Result<Written, SinkError>;
}
