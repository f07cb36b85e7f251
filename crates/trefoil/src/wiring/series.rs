//! Joins the engine of metrics with those who write to it and ask it.

use std::sync::Arc;

use async_trait::async_trait;
use model::Tenant;
use model::metric::Labels;
use promql::control::Control;
use promql::source::{Points, Select, SeriesSet, SeriesSource, SourceError};
use tokio::sync::oneshot;
use tsdb::Tsdb;

/// What protocols, the scraper and rules hand their samples to.
#[derive(Debug, Clone)]
pub(crate) struct MetricsSink(pub(crate) Arc<Tsdb>);

#[async_trait]
impl ingest::MetricSink for MetricsSink {
    async fn write(
        &self,
        write: ingest::MetricWrite,
    ) -> Result<ingest::Written, ingest::SinkError> {
        let ingest::MetricWrite { tenant, batch, memory } = write;
        let (done, durable) = oneshot::channel();
        let tsdb = Arc::clone(&self.0);
        let append = move || {
            tsdb.append(&tenant, batch, memory, move |written| {
                // Nobody listens when the client has gone; the samples are kept all the same.
                drop(done.send(written));
            });
        };
        // It takes locks and processor time, never waits for the disk.
        tokio::task::block_in_place(append);
        match durable.await {
            Ok(written) => written.map(written_of).map_err(error_of),
            Err(_) => Err(ingest::SinkError::ShuttingDown),
        }
    }
}

fn written_of(written: tsdb::Written) -> ingest::Written {
    let rejected = written.rejected.iter().map(|rejection| {
        let first = rejection.examples.first();
        ingest::Rejection {
            reason: first.map_or(rejection.kind.to_owned(), |first| first.reason.to_string()),
            count: rejection.count,
            example: first.map(|first| first.labels.to_string()).unwrap_or_default(),
        }
    });
    ingest::Written {
        rejected: rejected.collect(),
        floats: written.floats,
        histograms: written.histograms,
        exemplars: written.exemplars,
    }
}

fn error_of(error: tsdb::AppendError) -> ingest::SinkError {
    match error {
        tsdb::AppendError::Full { retry_after, .. } => ingest::SinkError::Full { retry_after },
        tsdb::AppendError::Unavailable { reason, retry_after } => {
            ingest::SinkError::Unavailable { reason, retry_after }
        }
        tsdb::AppendError::ShuttingDown => ingest::SinkError::ShuttingDown,
    }
}

/// What PromQL asks: one tenant's series.
#[derive(Debug, Clone)]
pub(crate) struct MetricsSource {
    pub(crate) tsdb: Arc<Tsdb>,
    pub(crate) tenant: Tenant,
}

impl SeriesSource for MetricsSource {
    fn select(
        &self,
        select: &Select,
        control: &Control,
    ) -> Result<Box<dyn SeriesSet>, SourceError> {
        control.check().map_err(|_| SourceError::Stopped)?;
        let query = tsdb::Query {
            matchers: select.matchers.clone(),
            start: select.start,
            end: select.end,
            step: select.step,
            range: select.range,
            function: select.function.clone(),
            by: select.by.clone(),
        };
        let selection = self.tsdb.select(&self.tenant, &query).map_err(failed)?;
        Ok(Box::new(Selected(selection)))
    }
}

struct Selected(tsdb::Selection);

impl SeriesSet for Selected {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn labels(&self, index: usize) -> &Labels {
        self.0.labels(index)
    }

    fn read(&self, index: usize, into: &mut Points) -> Result<(), SourceError> {
        // The columns change hands, so that nothing is copied and their memory is used again.
        let mut read = tsdb::Points {
            timestamps: std::mem::take(&mut into.timestamps),
            values: std::mem::take(&mut into.values),
            starts: std::mem::take(&mut into.starts),
            histograms: Vec::new(),
        };
        let result = self.0.read(index, &mut read).map_err(failed);
        (into.timestamps, into.values, into.starts) = (read.timestamps, read.values, read.starts);
        into.histograms.clear();
        into.histograms.extend(read.histograms.into_iter().map(|point| {
            let tsdb::HistogramPoint { timestamp, start, histogram } = point;
            promql::source::HistogramPoint { timestamp, start, histogram }
        }));
        result
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: tsdb::Error) -> SourceError {
    SourceError::Failed(error.to_string())
}
