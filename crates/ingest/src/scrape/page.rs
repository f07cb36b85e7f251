//! A page becomes a batch.

use model::metric::{
    Batch, Exemplar, Float, HistogramSample, Labels, LabelsBuilder, Metadata, NAME_LABEL,
};

use super::cache::{Cache, Found};
use super::custom_buckets::{Classic, Collector};
use crate::exposition::{
    Entry, Format, Options as ParserOptions, PageExemplar, Parser, SeriesLabels,
};
use crate::prometheus::Job;
use crate::relabel;

/// What a page is read with.
pub(super) struct Reading<'r> {
    pub(super) job: &'r Job,
    /// The target's labels.
    pub(super) target: &'r Labels,
    /// Milliseconds since 1970.
    pub(super) timestamp: i64,
    pub(super) parser: ParserOptions,
}

/// How much there was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    /// On the page.
    pub(super) scraped: usize,
    /// After relabelling.
    pub(super) kept: usize,
    /// Series that were not there before.
    pub(super) added: usize,
    /// Series that the page has twice.
    pub(super) duplicates: usize,
}

impl Reading<'_> {
    /// Adds the samples of `body` to `batch`. On error nothing of it should be used; the counts say
    /// how far it came.
    pub(super) fn append(
        &self,
        body: &[u8],
        format: Format,
        cache: &mut Cache,
        batch: &mut Batch,
    ) -> (Counts, Result<(), String>) {
        let mut counts = Counts::default();
        let result = self.append_all(body, format, cache, batch, &mut counts);
        (counts, result)
    }

    fn append_all(
        &self,
        body: &[u8],
        format: Format,
        cache: &mut Cache,
        batch: &mut Batch,
        counts: &mut Counts,
    ) -> Result<(), String> {
        let mut parser =
            Parser::new(body, format, self.parser).map_err(|error| error.to_string())?;
        let mut classic = self.job.convert_classic_histograms.then(Collector::default);
        while let Some(entry) = parser.next() {
            let entry = entry.map_err(|error| error.to_string())?;
            if let Some(collector) = &mut classic {
                let ended = collector.take(&entry);
                if let Some(ended) = ended {
                    self.converted(&ended, cache, batch, counts)?;
                }
                if collector.has_taken() && !self.job.always_classic_histograms {
                    continue;
                }
            }
            match entry {
                Entry::Type { metric, kind } => cache.set_kind(&metric, kind),
                Entry::Help { metric, help } => cache.set_help(&metric, &help),
                Entry::Unit { metric, unit } => cache.set_unit(&metric, &unit),
                Entry::Comment(_) => {}
                Entry::Series(series) => {
                    let timestamp = series.timestamp.filter(|_| self.job.honor_timestamps);
                    let labels = &series.labels;
                    if self.begin(labels.key(), labels, timestamp, cache, batch, counts)? {
                        let at = timestamp.unwrap_or(self.timestamp);
                        let start = if series.start == 0 { 0 } else { series.start };
                        batch.float(Float { timestamp: at, value: series.value, start });
                        exemplars(series.exemplars, at, batch);
                    }
                }
                Entry::Histogram(native) => {
                    let timestamp = native.timestamp.filter(|_| self.job.honor_timestamps);
                    let labels = &native.labels;
                    if self.begin(labels.key(), labels, timestamp, cache, batch, counts)? {
                        let at = timestamp.unwrap_or(self.timestamp);
                        let sample = self.limited(native.sample, at)?;
                        batch.histogram(sample);
                        exemplars(native.exemplars, at, batch);
                    }
                }
            }
        }
        match classic.and_then(|mut collector| collector.end()) {
            Some(ended) => self.converted(&ended, cache, batch, counts),
            None => Ok(()),
        }
    }

    /// Adds a classic histogram as a native one with custom buckets; one whose counts contradict
    /// each other is left out, as Prometheus does.
    fn converted(
        &self,
        classic: &Classic,
        cache: &mut Cache,
        batch: &mut Batch,
        counts: &mut Counts,
    ) -> Result<(), String> {
        let Some(histogram) = classic.histogram() else { return Ok(()) };
        let timestamp = classic.timestamp.filter(|_| self.job.honor_timestamps);
        let key = classic.key();
        if self.begin(&key, &classic.labels, timestamp, cache, batch, counts)? {
            let at = timestamp.unwrap_or(self.timestamp);
            let sample = HistogramSample { timestamp: at, histogram, start: classic.start };
            batch.histogram(self.limited(sample, at)?);
            exemplars(&classic.exemplars, at, batch);
        }
        Ok(())
    }

    /// Begins the series in the batch, unless it is dropped or was there already.
    fn begin(
        &self,
        key: &[u8],
        labels: &impl PageLabels,
        timestamp: Option<i64>,
        cache: &mut Cache,
        batch: &mut Batch,
        counts: &mut Counts,
    ) -> Result<bool, String> {
        counts.scraped += 1;
        let iteration = cache.iteration();
        let known = matches!(cache.find(key), Found::Known(_));
        if !known {
            let made = self.labels(labels)?;
            counts.added += usize::from(made.is_some());
            cache.insert(key, made);
        }
        let Found::Known(entry) = cache.find(key) else { return Ok(false) };
        let tracked = timestamp.is_none() || self.job.track_timestamps_staleness;
        let first = entry.see(iteration, tracked);
        let Some(made) = &entry.labels else { return Ok(false) };
        counts.kept += 1;
        let limit = self.job.sample_limit;
        if limit > 0 && u64::try_from(counts.kept).unwrap_or(u64::MAX) > limit {
            return Err("sample limit exceeded".to_owned());
        }
        if !first && timestamp.is_none() {
            counts.duplicates += 1;
            return Ok(false);
        }
        batch.begin_with(made);
        Ok(true)
    }

    /// The labels that the series is stored under.
    fn labels(&self, series: &impl PageLabels) -> Result<Option<Labels>, String> {
        let mut labels = LabelsBuilder::default();
        series.add_to(&mut labels)?;
        add_target(&mut labels, self.target, self.job.honor_labels);
        if !relabel::apply(&self.job.metric_relabel, &mut labels) {
            return Ok(None);
        }
        self.check(&labels)?;
        Ok(Some(labels.build()))
    }

    fn check(&self, labels: &LabelsBuilder) -> Result<(), String> {
        let job = self.job;
        let Some(name) = labels.get(NAME_LABEL) else {
            return Err("missing metric name (__name__ label)".to_owned());
        };
        let scheme = job.name_scheme;
        if !scheme.allows_metric(name)
            || labels.iter().any(|(label, _)| !scheme.allows_label(label))
        {
            return Err(format!("invalid metric name or label names: {}", labels.build()));
        }
        let count = u64::try_from(labels.iter().count()).unwrap_or(u64::MAX);
        let metric = first_chars(name);
        if job.label_limit > 0 && count > job.label_limit {
            return Err(format!(
                "label_limit exceeded (metric: {metric}, number of labels: {count}, limit: {})",
                job.label_limit
            ));
        }
        let over = |length: usize, limit: u64| {
            limit > 0 && u64::try_from(length).unwrap_or(u64::MAX) > limit
        };
        for (label, value) in labels.iter() {
            if over(label.len(), job.label_name_length_limit) {
                return Err(format!(
                    "label_name_length_limit exceeded (metric: {metric}, label name: {}, length: \
                     {}, limit: {})",
                    first_chars(label),
                    label.len(),
                    job.label_name_length_limit
                ));
            }
            if over(value.len(), job.label_value_length_limit) {
                return Err(format!(
                    "label_value_length_limit exceeded (metric: {metric}, label name: {}, value: \
                     {:?}, length: {}, limit: {})",
                    first_chars(label),
                    first_chars(value),
                    value.len(),
                    job.label_value_length_limit
                ));
            }
        }
        Ok(())
    }

    /// A histogram with no more buckets than the job allows.
    fn limited(
        &self,
        mut sample: HistogramSample,
        timestamp: i64,
    ) -> Result<HistogramSample, String> {
        sample.timestamp = timestamp;
        let job = self.job;
        let factor = job.native_histogram_min_bucket_factor;
        let limit = usize::try_from(job.native_histogram_bucket_limit).unwrap_or(usize::MAX);
        let histogram = &mut sample.histogram;
        let growth = |schema: i32| 2_f64.powf(2_f64.powi(-schema));
        while factor > 1.0
            && (-3..=8).contains(&histogram.schema)
            && growth(histogram.schema) < factor
        {
            coarsen(histogram);
        }
        let buckets = |histogram: &model::metric::Histogram| {
            histogram.positive_buckets.len() + histogram.negative_buckets.len()
        };
        while limit > 0 && buckets(histogram) > limit {
            if !(-3..=8).contains(&histogram.schema) {
                return Err("histogram bucket limit exceeded".to_owned());
            }
            coarsen(histogram);
        }
        Ok(sample)
    }
}

/// The labels of a series as a page has them.
trait PageLabels {
    fn add_to(&self, labels: &mut LabelsBuilder) -> Result<(), String>;
}

impl PageLabels for SeriesLabels<'_> {
    fn add_to(&self, labels: &mut LabelsBuilder) -> Result<(), String> {
        self.iter().try_for_each(|(name, value)| add_unique(labels, &name, &value))
    }
}

impl PageLabels for Vec<(String, String)> {
    fn add_to(&self, labels: &mut LabelsBuilder) -> Result<(), String> {
        self.iter().try_for_each(|(name, value)| add_unique(labels, name, value))
    }
}

fn add_unique(labels: &mut LabelsBuilder, name: &str, value: &str) -> Result<(), String> {
    if labels.get(name).is_some() {
        return Err(format!("label name {name:?} is not unique: invalid sample"));
    }
    labels.set(name, value);
    Ok(())
}

/// Joins every two buckets to one.
fn coarsen(histogram: &mut model::metric::Histogram) {
    use model::metric::Span;
    let side = |spans: &mut Vec<Span>, buckets: &mut Vec<f64>| {
        let mut merged: Vec<(i32, f64)> = Vec::with_capacity(buckets.len());
        let mut index = 0_i32;
        let mut counts = buckets.iter();
        for span in spans.iter() {
            index += span.offset;
            for count in counts.by_ref().take(usize::try_from(span.length).unwrap_or(0)) {
                let half = ((index - 1) >> 1) + 1;
                match merged.last_mut() {
                    Some((last, sum)) if *last == half => *sum += count,
                    _ => merged.push((half, *count)),
                }
                index += 1;
            }
        }
        spans.clear();
        buckets.clear();
        let mut next = 0;
        for (index, count) in merged {
            match spans.last_mut() {
                Some(span) if index == next => span.length += 1,
                _ => spans.push(Span { offset: index - next, length: 1 }),
            }
            next = index + 1;
            buckets.push(count);
        }
    };
    histogram.schema -= 1;
    side(&mut histogram.positive_spans, &mut histogram.positive_buckets);
    side(&mut histogram.negative_spans, &mut histogram.negative_buckets);
}

/// Adds the target's labels; where both have one, the page's gets another name or, when it is
/// honoured, wins.
fn add_target(labels: &mut LabelsBuilder, target: &Labels, honor: bool) {
    let mut conflicts = Vec::new();
    for (name, value) in target {
        match labels.get(name) {
            Some(_) if honor => continue,
            Some(exposed) => conflicts.push((name, exposed.to_owned())),
            None => {}
        }
        labels.set(name, value);
    }
    for (name, exposed) in conflicts {
        let mut other = format!("exported_{name}");
        while labels.get(&other).is_some() || target.get(&other).is_some() {
            other.insert_str(0, "exported_");
        }
        labels.set(&other, &exposed);
    }
}

fn exemplars(found: &[PageExemplar], timestamp: i64, batch: &mut Batch) {
    for exemplar in found {
        batch.exemplar(Exemplar {
            labels: exemplar.labels.clone(),
            value: exemplar.value,
            timestamp: exemplar.timestamp.unwrap_or(timestamp),
        });
    }
}

fn first_chars(text: &str) -> String {
    text.chars().take(50).collect()
}

/// What is written about a scrape beside its samples.
#[derive(Debug, Clone, Copy)]
pub(super) struct Report {
    pub(super) up: bool,
    pub(super) seconds: f64,
    pub(super) counts: Counts,
    /// Bytes of the page; -1 when it was too large.
    pub(super) body_bytes: i64,
}

const REPORT: [&str; 5] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
];
const EXTRA_REPORT: [&str; 3] =
    ["scrape_timeout_seconds", "scrape_sample_limit", "scrape_body_size_bytes"];

/// The labels of the series of reports, in the order of their values.
pub(super) fn report_labels(job: &Job, target: &Labels) -> Vec<Labels> {
    let extra: &[&str] = if job.extra_metrics { &EXTRA_REPORT } else { &[] };
    REPORT
        .iter()
        .chain(extra)
        .map(|name| {
            let mut labels = LabelsBuilder::from_labels(target);
            labels.set(NAME_LABEL, name);
            labels.build()
        })
        .collect()
}

impl Report {
    /// Adds the report's samples.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub(super) fn append(
        &self,
        job: &Job,
        timeout: std::time::Duration,
        series: &[Labels],
        timestamp: i64,
        batch: &mut Batch,
    ) {
        let counts = &self.counts;
        let values = [
            f64::from(u8::from(self.up)),
            self.seconds,
            counts.scraped as f64,
            counts.kept as f64,
            counts.added as f64,
            timeout.as_secs_f64(),
            job.sample_limit as f64,
            self.body_bytes as f64,
        ];
        for (labels, value) in series.iter().zip(values) {
            batch.begin_with(labels);
            batch.float(Float { timestamp, value, start: 0 });
        }
    }
}

/// Adds a stale marker.
pub(super) fn end_series(labels: &Labels, timestamp: i64, batch: &mut Batch) {
    batch.begin_with(labels);
    batch.float(Float { timestamp, value: model::metric::stale_nan(), start: 0 });
}

/// Adds what changed about families and gives all there is.
pub(super) fn append_metadata(cache: &mut Cache, batch: &mut Batch) -> Option<Vec<Metadata>> {
    let (changed, all) = cache.take_changed()?;
    for metadata in changed {
        batch.metadata(metadata);
    }
    Some(all)
}
