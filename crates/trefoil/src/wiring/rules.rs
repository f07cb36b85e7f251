//! What rules ask and where they write.

use std::sync::Arc;

use alert::{Append, Query, QueryError, Rejected, Sample, SampleValue};
use async_trait::async_trait;
use ingest::{MetricSink, MetricWrite};
use model::Tenant;
use model::metric::{Batch, Matcher, is_stale};
use promql::control::Limits;
use promql::engine::{Engine, Run, Series, Value};
use promql::parser::{self, Options};
use promql::source::SeriesSource as _;
use stdx::memory::Budget;
use tsdb::Tsdb;

use super::series::MetricsSource;

/// Evaluates the expressions of rules over the default tenant's series.
#[derive(Debug)]
pub(crate) struct RuleQuery {
    pub(crate) tsdb: Arc<Tsdb>,
    pub(crate) engine: Engine,
    pub(crate) language: Options,
    pub(crate) limits: Limits,
}

impl RuleQuery {
    fn source(&self) -> MetricsSource {
        MetricsSource { tsdb: Arc::clone(&self.tsdb), tenant: Tenant::default_tenant() }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: impl ToString) -> QueryError {
    QueryError::Failed(error.to_string())
}

/// The samples of an instant query's answer.
pub(crate) fn samples(value: Value) -> Result<Vec<Sample>, String> {
    let labels = model::metric::Labels::empty;
    match value {
        Value::Scalar(timestamp, value) => {
            Ok(vec![Sample { labels: labels(), timestamp, value: SampleValue::Float(value) }])
        }
        Value::Vector(series) => Ok(series.into_iter().filter_map(sample).collect()),
        Value::String(..) | Value::Matrix(_) => {
            Err("rule result is not a vector or scalar".to_owned())
        }
    }
}

fn sample(series: Series) -> Option<Sample> {
    let Series { labels, floats, histograms } = series;
    if let Some(&(timestamp, value)) = floats.first() {
        return Some(Sample { labels, timestamp, value: SampleValue::Float(value) });
    }
    let (timestamp, histogram) = histograms.into_iter().next()?;
    Some(Sample { labels, timestamp, value: SampleValue::Histogram(histogram) })
}

#[async_trait]
impl Query for RuleQuery {
    fn check(&self, expression: &str) -> Result<String, String> {
        let parsed = parser::parse(expression, self.language);
        parsed.map(|expr| expr.to_string()).map_err(|error| error.to_string())
    }

    async fn instant(&self, expression: &str, time: i64) -> Result<Vec<Sample>, QueryError> {
        let expr = parser::parse(expression, self.language).map_err(failed)?;
        let (engine, source) = (self.engine.clone(), self.source());
        let run = Run { limits: self.limits.clone(), ..Run::default() };
        let evaluated = tokio::task::spawn_blocking(move || {
            engine.instant(&source, &expr, time, &run).map(|outcome| outcome.value)
        });
        let value = evaluated.await.map_err(failed)?.map_err(failed)?;
        samples(value).map_err(QueryError::Failed)
    }

    async fn newest(
        &self,
        matchers: &[Matcher],
        start: i64,
        end: i64,
    ) -> Result<Vec<Sample>, QueryError> {
        let (source, limits) = (self.source(), self.limits.clone());
        let matchers = matchers.to_vec();
        let read =
            tokio::task::spawn_blocking(move || newest(&source, matchers, start, end, limits));
        read.await.map_err(failed)?
    }
}

fn newest(
    source: &MetricsSource,
    matchers: Vec<Matcher>,
    start: i64,
    end: i64,
    limits: Limits,
) -> Result<Vec<Sample>, QueryError> {
    let control = promql::control::Control::new(limits, promql::control::Cancel::new());
    let select = promql::source::Select {
        matchers,
        start,
        end,
        step: 0,
        range: 0,
        function: None,
        by: None,
    };
    let set = source.select(&select, &control).map_err(failed)?;
    let mut points = promql::source::Points::default();
    let mut samples = Vec::new();
    for index in 0..set.len() {
        set.read(index, &mut points).map_err(failed)?;
        let in_time = |time: &i64| (start..=end).contains(time);
        let mut floats = points.timestamps.iter().zip(&points.values);
        let last = floats.rfind(|(time, value)| in_time(time) && !is_stale(**value));
        if let Some((&timestamp, &value)) = last {
            let labels = set.labels(index).clone();
            samples.push(Sample { labels, timestamp, value: SampleValue::Float(value) });
        }
    }
    Ok(samples)
}

/// Where rules write to.
#[derive(Debug)]
pub(crate) struct RuleSink {
    pub(crate) sink: Arc<dyn MetricSink>,
    pub(crate) memory: Budget,
}

#[async_trait]
impl Append for RuleSink {
    async fn append(&self, batch: Batch) -> Result<Vec<Rejected>, String> {
        let memory = self.memory.reserve(batch.size_bytes()).map_err(|full| full.to_string())?;
        let write = MetricWrite { tenant: Tenant::default_tenant(), batch, memory };
        let written = self.sink.write(write).await.map_err(|error| error.to_string())?;
        let rejected = written.rejected.into_iter();
        Ok(rejected.map(|one| Rejected { reason: one.reason, count: one.count }).collect())
    }
}
