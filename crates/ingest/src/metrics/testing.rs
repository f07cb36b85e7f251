//! What tests of several protocols need: a sink that keeps batches, and batches as text.

use std::sync::Mutex;

use async_trait::async_trait;
use model::metric::{Batch, Exemplar, Float, HistogramSample, Labels, Metadata};

use crate::metric_sink::{MetricSink, MetricWrite, Rejection, Written};
use crate::sink::SinkError;

/// Keeps what is written, or refuses some or all of it.
#[derive(Debug, Default)]
pub(crate) struct MemorySink {
    pub(crate) writes: Mutex<Vec<MetricWrite>>,
    pub(crate) rejects: Vec<Rejection>,
    pub(crate) refuses_with: Option<SinkError>,
}

#[async_trait]
impl MetricSink for MemorySink {
    async fn write(&self, write: MetricWrite) -> Result<Written, SinkError> {
        if let Some(error) = &self.refuses_with {
            return Err(error.clone());
        }
        let series = write.batch.series();
        let (floats, histograms, exemplars) = series.fold((0, 0, 0), |sum, series| {
            (
                sum.0 + series.floats.len(),
                sum.1 + series.histograms.len(),
                sum.2 + series.exemplars.len(),
            )
        });
        self.writes.lock().expect("not poisoned").push(write);
        Ok(Written { floats, histograms, exemplars, rejected: self.rejects.clone() })
    }
}

/// A line a series, a line a family.
pub(crate) fn display(batch: &Batch) -> String {
    let mut text = String::new();
    for series in batch.series() {
        text.push_str(&Labels::from_canonical(series.labels).to_string());
        for Float { timestamp, value, start } in series.floats {
            text.push_str(&format!(" {value}@{timestamp}"));
            if *start != 0 {
                text.push_str(&format!("(since {start})"));
            }
        }
        for HistogramSample { timestamp, start, histogram } in series.histograms {
            text.push_str(&format!(" {histogram:?}@{timestamp}(since {start})"));
        }
        for Exemplar { labels, value, timestamp } in series.exemplars {
            text.push_str(&format!(" # {labels} {value}@{timestamp}"));
        }
        text.push('\n');
    }
    for Metadata { metric, kind, help, unit } in batch.all_metadata() {
        text.push_str(&format!("{metric} {kind:?} {help:?} {unit:?}\n"));
    }
    text
}
