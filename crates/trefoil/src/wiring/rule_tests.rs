//! What unit tests of rules run on: the language over a store in memory.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use alert::unit_test::{Bench, Input, Stage};
use alert::{Append, Query, QueryError, Rejected, Sample, SampleValue};
use async_trait::async_trait;
use model::metric::{Batch, Histogram, Labels, Matcher, is_stale};
use parking_lot::Mutex;
use promql::engine::{Engine, Options, Run};
use promql::features::Features;
use promql::memory::MemorySource;
use promql::parser;
use promql::series::{SequenceValue, parse_series_description};

use super::rules;

/// A store in memory and the language over it. Without any samples it checks expressions.
#[derive(Debug, Default)]
pub(crate) struct MemoryStage {
    source: Mutex<MemorySource>,
    /// What was written last of each series.
    newest: Mutex<HashMap<Labels, (i64, f64)>>,
    engine: Engine,
    language: parser::Options,
}

impl MemoryStage {
    /// Without any samples.
    pub(crate) fn new(features: Features, subquery_step: Duration) -> MemoryStage {
        let subquery_step = milliseconds(subquery_step);
        MemoryStage {
            engine: Engine::new(Options { subquery_step, ..features.engine() }),
            language: features.language,
            ..MemoryStage::default()
        }
    }

    fn float(&self, labels: &Labels, timestamp: i64, value: f64) {
        self.source.lock().float(labels, timestamp, value, 0);
        if !is_stale(value) {
            self.newest.lock().insert(labels.clone(), (timestamp, value));
        }
    }

    fn histogram(&self, labels: &Labels, timestamp: i64, histogram: Histogram) {
        self.source.lock().histogram(labels, timestamp, histogram, 0);
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: impl ToString) -> QueryError {
    QueryError::Failed(error.to_string())
}

#[async_trait]
impl Query for MemoryStage {
    fn check(&self, expression: &str) -> Result<String, String> {
        let parsed = parser::parse(expression, self.language);
        parsed.map(|expr| expr.to_string()).map_err(|error| error.to_string())
    }

    async fn instant(&self, expression: &str, time: i64) -> Result<Vec<Sample>, QueryError> {
        let expr = parser::parse(expression, self.language).map_err(failed)?;
        let source = self.source.lock();
        let outcome = self.engine.instant(&*source, &expr, time, &Run::default());
        rules::samples(outcome.map_err(failed)?.value).map_err(QueryError::Failed)
    }

    async fn newest(
        &self,
        matchers: &[Matcher],
        start: i64,
        end: i64,
    ) -> Result<Vec<Sample>, QueryError> {
        let newest = self.newest.lock();
        let matching = newest.iter().filter(|(labels, (timestamp, _))| {
            let is_matched =
                |matcher: &Matcher| matcher.matches(labels.get(&matcher.name).unwrap_or_default());
            (start..=end).contains(timestamp) && matchers.iter().all(is_matched)
        });
        let sample = |(labels, &(timestamp, value)): (&Labels, &(i64, f64))| Sample {
            labels: labels.clone(),
            timestamp,
            value: SampleValue::Float(value),
        };
        Ok(matching.map(sample).collect())
    }
}

#[async_trait]
impl Append for MemoryStage {
    async fn append(&self, batch: Batch) -> Result<Vec<Rejected>, String> {
        for series in batch.series() {
            let labels = Labels::from_canonical(series.labels);
            for float in series.floats {
                self.float(&labels, float.timestamp, float.value);
            }
            for sample in series.histograms {
                self.histogram(&labels, sample.timestamp, sample.histogram.clone());
            }
        }
        Ok(Vec::new())
    }
}

/// Makes [`MemoryStage`]s.
#[derive(Debug)]
pub(crate) struct MemoryBench {
    /// What is switched on.
    pub(crate) features: Features,
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Bench for MemoryBench {
    fn open(&self, input: &Input) -> Result<Arc<dyn Stage>, String> {
        let stage = MemoryStage::new(self.features, input.subquery_interval);
        for (series, values) in &input.series {
            let series = parse_series_description(&format!("{series} {values}"))
                .map_err(|error| error.to_string())?;
            let mut time = input.start;
            for value in series.values {
                match value {
                    SequenceValue::Omitted => {}
                    SequenceValue::Float(value) => stage.float(&series.labels, time, value),
                    SequenceValue::Histogram { histogram, .. } => {
                        stage.histogram(&series.labels, time, (*histogram).clone());
                    }
                }
                time = time.saturating_add(milliseconds(input.interval));
            }
        }
        Ok(Arc::new(stage))
    }

    fn labels(&self, text: &str) -> Result<Labels, String> {
        let series = parse_series_description(text).map_err(|error| error.to_string())?;
        Ok(series.labels)
    }

    fn histogram(&self, text: &str) -> Result<Histogram, String> {
        let series = parse_series_description(&format!("x {text}"));
        match series.map_err(|error| error.to_string())?.values.first() {
            Some(SequenceValue::Histogram { histogram, .. }) => Ok((**histogram).clone()),
            _ => Err("a histogram is expected".to_owned()),
        }
    }

    fn print_histogram(&self, histogram: &Histogram) -> String {
        // What is there only to say how buckets lie counts for nothing.
        format!("{:?}", promql::histogram::compact(histogram))
    }
}
