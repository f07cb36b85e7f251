//! The language and its store in memory, for tests of rules.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use model::metric::{Batch, Histogram, Labels, Matcher, is_stale};
use promql::engine::{Engine, Options, Run, Value};
use promql::memory::MemorySource;
use promql::series::{SequenceValue, parse_series_description};

use crate::unit_test::{Bench, Input, Stage};
use crate::{Append, Query, QueryError, Rejected, Sample, SampleValue};

#[derive(Debug)]
pub(super) struct Store {
    source: Mutex<MemorySource>,
    /// What was written last of each series, for [`Query::newest`].
    newest: Mutex<HashMap<Labels, (i64, f64)>>,
    engine: Engine,
}

impl Store {
    pub(super) fn new(subquery_step: i64) -> Store {
        let options = Options { subquery_step, ..Options::default() };
        Store { source: Mutex::default(), newest: Mutex::default(), engine: Engine::new(options) }
    }

    pub(super) fn float(&self, labels: &Labels, timestamp: i64, value: f64) {
        self.source.lock().expect("unlocked").float(labels, timestamp, value, 0);
        if !is_stale(value) {
            self.newest.lock().expect("unlocked").insert(labels.clone(), (timestamp, value));
        }
    }

    /// The value of an expression as text.
    pub(super) async fn show(&self, expression: &str, time: i64) -> String {
        let mut samples = match self.instant(expression, time).await {
            Ok(samples) => samples,
            Err(error) => return error.to_string(),
        };
        samples.sort_by(|a, b| a.labels.cmp(&b.labels));
        let one = |sample: &Sample| match &sample.value {
            SampleValue::Float(value) => format!("{} {value}", sample.labels),
            SampleValue::Histogram(_) => format!("{} histogram", sample.labels),
        };
        samples.iter().map(one).collect::<Vec<String>>().join("; ")
    }
}

#[async_trait]
impl Query for Store {
    fn check(&self, expression: &str) -> Result<String, String> {
        let options = promql::parser::Options::default();
        let expr = promql::parser::parse(expression, options);
        expr.map(|expr| expr.to_string()).map_err(|error| error.to_string())
    }

    async fn instant(&self, expression: &str, time: i64) -> Result<Vec<Sample>, QueryError> {
        let failed = |error: &dyn std::fmt::Display| QueryError::Failed(error.to_string());
        let options = promql::parser::Options::default();
        let expr = promql::parser::parse(expression, options).map_err(|error| failed(&error))?;
        let source = self.source.lock().expect("unlocked");
        let outcome = self
            .engine
            .instant(&*source, &expr, time, &Run::default())
            .map_err(|error| failed(&error))?;
        match outcome.value {
            Value::Scalar(timestamp, value) => Ok(vec![Sample {
                labels: Labels::empty(),
                timestamp,
                value: SampleValue::Float(value),
            }]),
            Value::Vector(series) => Ok(series.into_iter().filter_map(sample).collect()),
            _ => Err(failed(&"rule result is not a vector or scalar")),
        }
    }

    async fn newest(
        &self,
        matchers: &[Matcher],
        start: i64,
        end: i64,
    ) -> Result<Vec<Sample>, QueryError> {
        let newest = self.newest.lock().expect("unlocked");
        let matching = newest.iter().filter(|(labels, (timestamp, _))| {
            let all =
                |matcher: &Matcher| matcher.matches(labels.get(&matcher.name).unwrap_or_default());
            (start..=end).contains(timestamp) && matchers.iter().all(all)
        });
        let sample = |(labels, (timestamp, value)): (&Labels, &(i64, f64))| Sample {
            labels: labels.clone(),
            timestamp: *timestamp,
            value: SampleValue::Float(*value),
        };
        Ok(matching.map(sample).collect())
    }
}

fn sample(series: promql::engine::Series) -> Option<Sample> {
    let labels = series.labels;
    if let Some((timestamp, value)) = series.floats.first() {
        let value = SampleValue::Float(*value);
        return Some(Sample { labels, timestamp: *timestamp, value });
    }
    let (timestamp, histogram) = series.histograms.into_iter().next()?;
    Some(Sample { labels, timestamp, value: SampleValue::Histogram(histogram) })
}

#[async_trait]
impl Append for Store {
    async fn append(&self, batch: Batch) -> Result<Vec<Rejected>, String> {
        for series in batch.series() {
            let labels = Labels::from_canonical(series.labels);
            for float in series.floats {
                self.float(&labels, float.timestamp, float.value);
            }
            for histogram in series.histograms {
                let (time, value) = (histogram.timestamp, histogram.histogram.clone());
                self.source.lock().expect("unlocked").histogram(&labels, time, value, 0);
            }
        }
        Ok(Vec::new())
    }
}

pub(super) struct Memory;

impl Bench for Memory {
    fn open(&self, input: &Input) -> Result<Arc<dyn Stage>, String> {
        let millis = |d: std::time::Duration| i64::try_from(d.as_millis()).expect("fits");
        let store = Store::new(millis(input.subquery_interval));
        for (series, values) in &input.series {
            let series = parse_series_description(&format!("{series} {values}"))
                .map_err(|error| error.to_string())?;
            let mut time = input.start;
            for value in series.values {
                match value {
                    SequenceValue::Omitted => {}
                    SequenceValue::Float(value) => store.float(&series.labels, time, value),
                    SequenceValue::Histogram { histogram, .. } => store
                        .source
                        .lock()
                        .expect("unlocked")
                        .histogram(&series.labels, time, (*histogram).clone(), 0),
                }
                time += millis(input.interval);
            }
        }
        Ok(Arc::new(store))
    }

    fn labels(&self, text: &str) -> Result<Labels, String> {
        let series = parse_series_description(text).map_err(|error| error.to_string())?;
        Ok(series.labels)
    }

    fn histogram(&self, text: &str) -> Result<Histogram, String> {
        let series = parse_series_description(&format!("x {text}")).map_err(|e| e.to_string())?;
        match series.values.first() {
            Some(SequenceValue::Histogram { histogram, .. }) => Ok((**histogram).clone()),
            _ => Err("a histogram is expected".to_owned()),
        }
    }

    fn print_histogram(&self, histogram: &Histogram) -> String {
        // What is there only to say how buckets lie counts for nothing.
        format!("{:?}", promql::histogram::compact(histogram))
    }
}
