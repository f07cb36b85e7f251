//! A pushed page as a batch.

use model::metric::{
    Exemplar, Float, HistogramSample, Labels, LabelsBuilder, Metadata, MetricType, NAME_LABEL,
};

use super::group::Group;
use super::seconds;
use crate::body::Held;
use crate::exposition::{Entry, Format, Options, PageExemplar, Parser, SeriesLabels};
use crate::metrics::labels::cut;
use crate::metrics::receiver::{Context, Growing};
use crate::metrics::rejections::Invalid;
use crate::refusal::Refusal;

/// How a page is to be read.
pub(super) struct Push<'g> {
    pub(super) format: Format,
    pub(super) group: &'g Group,
    /// Pages for a gateway have no times of their own, and get some series more.
    pub(super) is_gateway: bool,
}

/// Reads a page: the batch, and its series.
pub(super) fn decode(
    push: &Push<'_>,
    held: Held,
    context: &Context,
) -> Result<(Growing, Vec<Labels>), Refusal> {
    let Held { bytes, memory } = held;
    let mut decoder = Decoder {
        push,
        context,
        into: Growing::new(memory, context),
        series: Vec::new(),
        labels: LabelsBuilder::default(),
    };
    // What is remembered to check the page, and its series.
    decoder.into.count(2 * bytes.len())?;
    let options = Options { strict: true, start_timestamps: true, ..Options::default() };
    let mut parser = Parser::new(&bytes, push.format, options).map_err(malformed)?;
    while let Some(entry) = parser.next() {
        decoder.entry(entry.map_err(malformed)?)?;
    }
    if push.is_gateway {
        let labels = push.group.labels("push_time_seconds");
        decoder.into.count(labels.as_bytes().len() + 100)?;
        decoder.into.batch.begin_with(&labels);
        let value = seconds(context.now);
        decoder.into.float(Float { timestamp: context.now, value, start: 0 });
        decoder.series.push(labels);
    }
    Ok((decoder.into, decoder.series))
}

#[expect(clippy::needless_pass_by_value, reason = "errors are turned into others")]
fn malformed(error: crate::exposition::Error) -> Refusal {
    let path = format!("line {}", error.line);
    Refusal::Malformed { path, message: format!("text format parsing error in {error}") }
}

struct Decoder<'d> {
    push: &'d Push<'d>,
    context: &'d Context,
    into: Growing,
    series: Vec<Labels>,
    labels: LabelsBuilder,
}

impl Decoder<'_> {
    fn entry(&mut self, entry: Entry<'_>) -> Result<(), Refusal> {
        match entry {
            Entry::Type { metric, kind } => self.about(&metric, |about| about.kind = kind),
            Entry::Help { metric, help } => {
                let help = cut(&help, self.context.limits.help_bytes_max).to_owned();
                self.about(&metric, |about| about.help = help)
            }
            Entry::Unit { metric, unit } => {
                let unit = cut(&unit, self.context.limits.help_bytes_max).to_owned();
                self.about(&metric, |about| about.unit = unit)
            }
            Entry::Comment(_) => Ok(()),
            Entry::Series(series) => {
                let Some(timestamp) = self.begin(series.labels, series.timestamp)? else {
                    return Ok(());
                };
                let (value, start) = (series.value, series.start);
                self.into.float(Float { timestamp, value, start });
                self.exemplars(series.exemplars, timestamp);
                Ok(())
            }
            Entry::Histogram(native) => {
                let Some(timestamp) = self.begin(native.labels, native.timestamp)? else {
                    return Ok(());
                };
                self.into.histogram(HistogramSample { timestamp, ..native.sample });
                self.exemplars(native.exemplars, timestamp);
                Ok(())
            }
        }
    }

    /// What is said about a family comes in several entries, one behind the other.
    fn about(&mut self, metric: &str, set: impl FnOnce(&mut Metadata)) -> Result<(), Refusal> {
        if metric.len() > self.context.limits.label_value_bytes_max {
            return Ok(());
        }
        let mut about = Metadata {
            metric: metric.to_owned(),
            kind: MetricType::Unknown,
            help: String::new(),
            unit: String::new(),
        };
        if let Some(last) = self.into.batch.all_metadata().last()
            && last.metric == metric
        {
            about.clone_from(last);
        }
        set(&mut about);
        self.into.count(size_of::<Metadata>() + about.metric.len() + about.help.len())?;
        self.into.batch.metadata(about);
        Ok(())
    }

    /// Begins a series; `None` when it is refused.
    fn begin(
        &mut self,
        labels: SeriesLabels<'_>,
        timestamp: Option<i64>,
    ) -> Result<Option<i64>, Refusal> {
        self.labels = LabelsBuilder::default();
        for (name, value) in labels {
            self.labels.set(&name, &value);
        }
        self.push.group.put_on(&mut self.labels);
        let limits = &self.context.limits;
        let checked = if timestamp.is_some() && self.push.is_gateway {
            let message = "pushed metrics must not have timestamps".to_owned();
            return Err(Refusal::Malformed { path: String::new(), message });
        } else if self.series.len() >= limits.series_per_body_max {
            Err(Invalid::SeriesCount)
        } else if self.labels.iter().count() > limits.labels_per_series_max {
            Err(Invalid::LabelCount)
        } else if self.labels.iter().any(|(name, _)| name.len() > limits.label_name_bytes_max) {
            Err(Invalid::LabelNameLength)
        } else if self.labels.iter().any(|(_, value)| value.len() > limits.label_value_bytes_max) {
            Err(Invalid::LabelValueLength)
        } else if timestamp.is_some_and(|timestamp| timestamp > self.context.latest) {
            Err(Invalid::Future)
        } else if self.labels.get(NAME_LABEL).is_none() {
            Err(Invalid::Name)
        } else {
            Ok(())
        };
        let built = self.labels.build();
        if let Err(invalid) = checked {
            self.into.rejections.add(invalid, 1, || built.to_string());
            return Ok(None);
        }
        self.into.count(2 * built.as_bytes().len() + 150)?;
        self.into.batch.begin_with(&built);
        self.series.push(built);
        Ok(Some(timestamp.unwrap_or(self.context.now)))
    }

    fn exemplars(&mut self, exemplars: &[PageExemplar], at: i64) {
        for PageExemplar { labels, value, timestamp } in exemplars {
            let timestamp = timestamp.unwrap_or(at);
            let exemplar = Exemplar { labels: labels.clone(), value: *value, timestamp };
            self.into.exemplar(exemplar, self.context);
        }
    }
}
