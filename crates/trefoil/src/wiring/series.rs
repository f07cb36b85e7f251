//! Joins the engine of metrics with those who write to it and ask it.

use std::sync::Arc;

use async_trait::async_trait;
use model::Tenant;
use model::metric::{Float, HistogramSample, Labels, Matcher};
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
            Ok(written) => written.map(|written| written_of(&written)).map_err(error_of),
            Err(_) => Err(ingest::SinkError::ShuttingDown),
        }
    }
}

fn written_of(written: &tsdb::Written) -> ingest::Written {
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

    fn version(&self, settled: i64) -> Option<u64> {
        self.tsdb.version(&self.tenant, settled)
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

/// The same samples as a table.
impl query::Samples for MetricsSource {
    fn select(
        &self,
        matchers: Vec<Matcher>,
        start: i64,
        end: i64,
    ) -> Result<Arc<dyn query::SampleSet>, String> {
        let query = tsdb::Query { matchers, start, end, ..tsdb::Query::default() };
        let selection = self.tsdb.select(&self.tenant, &query);
        Ok(Arc::new(Selected(selection.map_err(|error| error.to_string())?)))
    }
}

impl query::SampleSet for Selected {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn labels(&self, index: usize) -> &Labels {
        self.0.labels(index)
    }

    fn read(&self, index: usize, into: &mut query::SampleColumns) -> Result<(), String> {
        let mut read = tsdb::Points {
            timestamps: std::mem::take(&mut into.timestamps),
            values: std::mem::take(&mut into.values),
            ..tsdb::Points::default()
        };
        let result = self.0.read(index, &mut read).map_err(|error| error.to_string());
        let of = |point: &tsdb::HistogramPoint| {
            (point.timestamp, point.histogram.count, point.histogram.sum)
        };
        into.histograms.clear();
        into.histograms.extend(read.histograms.iter().map(of));
        (into.timestamps, into.values) = (read.timestamps, read.values);
        result
    }
}

/// What remote read reads: any tenant's series.
#[derive(Debug)]
pub(crate) struct ReadSource(pub(crate) Arc<Tsdb>);

impl ingest::remote::ReadSource for ReadSource {
    fn select(
        &self,
        tenant: &Tenant,
        query: &ingest::remote::ReadQuery,
    ) -> Result<Box<dyn ingest::remote::ReadSeries>, ingest::remote::ReadError> {
        let query = tsdb::Query {
            matchers: query.matchers.clone(),
            start: query.start,
            end: query.end,
            ..tsdb::Query::default()
        };
        let selection = self.0.select(tenant, &query).map_err(unavailable)?;
        let mut order: Vec<usize> = (0..selection.len()).collect();
        order.sort_by(|&a, &b| selection.labels(a).cmp(selection.labels(b)));
        Ok(Box::new(InOrder { selection, order }))
    }
}

struct InOrder {
    selection: tsdb::Selection,
    order: Vec<usize>,
}

impl ingest::remote::ReadSeries for InOrder {
    fn len(&self) -> usize {
        self.order.len()
    }

    fn labels(&self, index: usize) -> Labels {
        self.selection.labels(self.order[index]).clone()
    }

    fn read(
        &self,
        index: usize,
        points: &mut ingest::remote::ReadPoints,
    ) -> Result<(), ingest::remote::ReadError> {
        let mut read = tsdb::Points::default();
        self.selection.read(self.order[index], &mut read).map_err(unavailable)?;
        let starts = read.starts.iter().copied().chain(std::iter::repeat(0));
        let floats = read.timestamps.iter().zip(&read.values).zip(starts);
        points.floats.extend(floats.map(|((&timestamp, &value), start)| Float {
            timestamp,
            value,
            start,
        }));
        points.histograms.extend(read.histograms.into_iter().map(|point| HistogramSample {
            timestamp: point.timestamp,
            start: point.start,
            histogram: Arc::unwrap_or_clone(point.histogram),
        }));
        Ok(())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unavailable(error: tsdb::Error) -> ingest::remote::ReadError {
    ingest::remote::ReadError::Unavailable(error.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: tsdb::Error) -> SourceError {
    SourceError::Failed(error.to_string())
}

#[cfg(test)]
mod tests;
