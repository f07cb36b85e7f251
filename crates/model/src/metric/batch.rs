//! Samples on their way from a protocol to the engine.

use std::ops::Range;

use super::labels::put_label;
use super::{Histogram, Labels, LabelsIter};

/// A sample.
#[derive(Debug, Clone, Copy)]
pub struct Float {
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// The value, bit for bit.
    pub value: f64,
    /// When the counter began, milliseconds since 1970; 0 is unknown.
    pub start: i64,
}

/// A native histogram at a time.
#[derive(Debug, Clone)]
pub struct HistogramSample {
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// When the counter began, milliseconds since 1970; 0 is unknown.
    pub start: i64,
    /// The histogram.
    pub histogram: Histogram,
}

/// An example of what was counted, usually with a trace id.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar {
    /// Its own labels, such as `trace_id`.
    pub labels: Labels,
    /// What was observed.
    pub value: f64,
    /// Milliseconds since 1970.
    pub timestamp: i64,
}

/// What kind of metric it is, as Prometheus names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MetricType {
    /// Nobody said.
    #[default]
    Unknown,
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by bucket.
    Histogram,
    /// A histogram that may fall.
    GaugeHistogram,
    /// Quantiles.
    Summary,
    /// Labels that say something about a target.
    Info,
    /// One of a set of states.
    StateSet,
}

impl MetricType {
    /// As the HTTP API and `OpenMetrics` write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            MetricType::Unknown => "unknown",
            MetricType::Counter => "counter",
            MetricType::Gauge => "gauge",
            MetricType::Histogram => "histogram",
            MetricType::GaugeHistogram => "gaugehistogram",
            MetricType::Summary => "summary",
            MetricType::Info => "info",
            MetricType::StateSet => "stateset",
        }
    }

    /// Reads what [`MetricType::as_str`] writes; `untyped` is unknown.
    #[must_use]
    pub fn parse(text: &str) -> Option<MetricType> {
        Some(match text {
            "unknown" | "untyped" => MetricType::Unknown,
            "counter" => MetricType::Counter,
            "gauge" => MetricType::Gauge,
            "histogram" => MetricType::Histogram,
            "gaugehistogram" => MetricType::GaugeHistogram,
            "summary" => MetricType::Summary,
            "info" => MetricType::Info,
            "stateset" => MetricType::StateSet,
            _ => return None,
        })
    }
}

/// What is known about a metric family.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Metadata {
    /// The metric's name.
    pub metric: String,
    /// Its type.
    pub kind: MetricType,
    /// What it means.
    pub help: String,
    /// Its unit, such as `seconds`.
    pub unit: String,
}

/// One series' part of a [`Batch`].
#[derive(Debug, Clone)]
struct Entry {
    labels: Range<usize>,
    floats: Range<usize>,
    histograms: Range<usize>,
    exemplars: Range<usize>,
}

/// Samples of many series, in a few large allocations that are kept between uses.
///
/// A protocol calls [`Batch::begin`], [`Batch::label`] for each label in order of the names, then
/// adds samples; these belong to the series begun last.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    labels: Vec<u8>,
    entries: Vec<Entry>,
    floats: Vec<Float>,
    histograms: Vec<HistogramSample>,
    exemplars: Vec<Exemplar>,
    metadata: Vec<Metadata>,
}

/// One series of a [`Batch`].
#[derive(Debug, Clone, Copy)]
pub struct Series<'a> {
    /// Its labels in canonical form, see [`Labels`].
    pub labels: &'a [u8],
    /// Its samples, in the order in which they came.
    pub floats: &'a [Float],
    /// Its native histograms.
    pub histograms: &'a [HistogramSample],
    /// Its exemplars.
    pub exemplars: &'a [Exemplar],
}

impl<'a> Series<'a> {
    /// Its labels.
    #[must_use]
    pub fn iter_labels(&self) -> LabelsIter<'a> {
        LabelsIter::new(self.labels)
    }
}

impl Batch {
    /// An empty one.
    #[must_use]
    pub fn new() -> Batch {
        Batch::default()
    }

    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        self.labels.clear();
        self.entries.clear();
        self.floats.clear();
        self.histograms.clear();
        self.exemplars.clear();
        self.metadata.clear();
    }

    /// Begins a series.
    pub fn begin(&mut self) {
        let (labels, floats) = (self.labels.len(), self.floats.len());
        let (histograms, exemplars) = (self.histograms.len(), self.exemplars.len());
        self.entries.push(Entry {
            labels: labels..labels,
            floats: floats..floats,
            histograms: histograms..histograms,
            exemplars: exemplars..exemplars,
        });
    }

    /// Adds a label to the series. The caller sees to it that names ascend and values are not empty.
    pub fn label(&mut self, name: &str, value: &str) {
        put_label(&mut self.labels, name, value);
        let end = self.labels.len();
        if let Some(entry) = self.entries.last_mut() {
            entry.labels.end = end;
        }
    }

    /// Adds labels that are in canonical form to a series that has none.
    pub fn canonical_labels(&mut self, canonical: &[u8]) {
        self.labels.extend_from_slice(canonical);
        let end = self.labels.len();
        if let Some(entry) = self.entries.last_mut() {
            entry.labels.end = end;
        }
    }

    /// Begins a series with `labels`.
    pub fn begin_with(&mut self, labels: &Labels) {
        self.begin();
        self.canonical_labels(labels.as_bytes());
    }

    /// Adds a sample to the series.
    pub fn float(&mut self, sample: Float) {
        self.floats.push(sample);
        let end = self.floats.len();
        if let Some(entry) = self.entries.last_mut() {
            entry.floats.end = end;
        }
    }

    /// Adds a native histogram to the series.
    pub fn histogram(&mut self, sample: HistogramSample) {
        self.histograms.push(sample);
        let end = self.histograms.len();
        if let Some(entry) = self.entries.last_mut() {
            entry.histograms.end = end;
        }
    }

    /// Adds an exemplar to the series.
    pub fn exemplar(&mut self, exemplar: Exemplar) {
        self.exemplars.push(exemplar);
        let end = self.exemplars.len();
        if let Some(entry) = self.entries.last_mut() {
            entry.exemplars.end = end;
        }
    }

    /// Adds what is known about a metric family; belongs to no series.
    pub fn metadata(&mut self, metadata: Metadata) {
        self.metadata.push(metadata);
    }

    /// Takes the series begun last away again, with its samples.
    pub fn undo(&mut self) {
        if let Some(entry) = self.entries.pop() {
            self.labels.truncate(entry.labels.start);
            self.floats.truncate(entry.floats.start);
            self.histograms.truncate(entry.histograms.start);
            self.exemplars.truncate(entry.exemplars.start);
        }
    }

    /// The series, in order.
    pub fn series(&self) -> impl ExactSizeIterator<Item = Series<'_>> {
        self.entries.iter().map(|entry| Series {
            labels: &self.labels[entry.labels.clone()],
            floats: &self.floats[entry.floats.clone()],
            histograms: &self.histograms[entry.histograms.clone()],
            exemplars: &self.exemplars[entry.exemplars.clone()],
        })
    }

    /// What is known about metric families.
    #[must_use]
    pub fn all_metadata(&self) -> &[Metadata] {
        &self.metadata
    }

    /// How many series.
    #[must_use]
    pub fn series_len(&self) -> usize {
        self.entries.len()
    }

    /// How many samples, histograms included.
    #[must_use]
    pub fn samples_len(&self) -> usize {
        self.floats.len() + self.histograms.len()
    }

    /// Whether it carries nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.metadata.is_empty()
    }

    /// About how much memory it holds, bytes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.labels.capacity()
            + self.entries.capacity() * size_of::<Entry>()
            + self.floats.capacity() * size_of::<Float>()
            + self.histograms.iter().map(histogram_bytes).sum::<usize>()
            + self.exemplars.capacity() * (size_of::<Exemplar>() + 96)
            + self.metadata.iter().map(|one| 96 + one.metric.len() + one.help.len()).sum::<usize>()
    }
}

fn histogram_bytes(sample: &HistogramSample) -> usize {
    let histogram = &sample.histogram;
    let spans = histogram.positive_spans.len() + histogram.negative_spans.len();
    let buckets = histogram.positive_buckets.len() + histogram.negative_buckets.len();
    size_of::<HistogramSample>() + (spans + buckets + histogram.custom_values.len()) * 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_gives_back_what_it_was_given() {
        let mut batch = Batch::new();
        batch.begin();
        batch.label("__name__", "up");
        batch.label("job", "a");
        batch.float(Float { timestamp: 1, value: 1.0, start: 0 });
        batch.float(Float { timestamp: 2, value: 0.0, start: 0 });
        batch.begin_with(&Labels::from_pairs(&[("__name__", "down")]));
        batch.float(Float { timestamp: 3, value: 1.0, start: 0 });
        batch.begin();
        batch.label("x", "y");
        batch.undo();
        let seen: Vec<_> = batch
            .series()
            .map(|series| (Labels::from_canonical(series.labels).to_string(), series.floats.len()))
            .collect();
        assert_eq!(
            seen,
            [(r#"{__name__="up", job="a"}"#.to_owned(), 2), (r#"{__name__="down"}"#.to_owned(), 1)]
        );
        assert_eq!((batch.series_len(), batch.samples_len()), (2, 3));
    }
}
