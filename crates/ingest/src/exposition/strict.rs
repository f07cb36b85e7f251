//! The rules of the OpenMetrics specification that Prometheus does not hold pages to: which names,
//! labels, values and exemplars a family may have, and in which order its samples come.
//!
//! They are those of the specification's reference parser, whose test cases are its tests. Of
//! Prometheus's own format only what it has rules for is checked: metadata comes once and before the
//! samples, and no label twice.

use std::collections::BTreeSet;

use model::metric::MetricType;

use super::labels::SeriesLabels;
use super::number;
use super::{Format, PageExemplar};

type Checked = Result<(), String>;
type Group = Vec<(String, String)>;

/// Characters of an exemplar's labels.
const EXEMPLAR_CHARS_MAX: usize = 128;

/// What was seen of a page.
#[derive(Debug)]
pub(super) struct Strict {
    openmetrics: bool,
    /// Names of families that are done, with each suffix that they may have.
    names: BTreeSet<String>,
    family: Option<Family>,
}

/// What was seen of a family.
#[derive(Debug, Default)]
struct Family {
    name: String,
    kind: Option<MetricType>,
    unit: Option<String>,
    has_help: bool,
    has_samples: bool,
    group: Option<Group>,
    groups: BTreeSet<Group>,
    timestamp: Option<i64>,
    histogram: Option<HistogramCheck>,
}

/// A sample as it is checked.
pub(super) struct Sample<'s> {
    pub(super) labels: SeriesLabels<'s>,
    pub(super) value: f64,
    pub(super) timestamp: Option<i64>,
    pub(super) exemplars: &'s [PageExemplar],
}

impl Strict {
    pub(super) fn new(format: Format) -> Strict {
        let openmetrics = format == Format::OpenMetrics;
        Strict { openmetrics, names: BTreeSet::new(), family: None }
    }

    pub(super) fn kind(&mut self, metric: &str, kind: MetricType) -> Checked {
        let family = self.described(metric)?;
        if family.kind.replace(kind).is_some() {
            return Err(format!("second TYPE line for metric {metric:?}"));
        }
        family.unit_fits()
    }

    pub(super) fn help(&mut self, metric: &str) -> Checked {
        let family = self.described(metric)?;
        if std::mem::replace(&mut family.has_help, true) {
            return Err(format!("second HELP line for metric {metric:?}"));
        }
        Ok(())
    }

    pub(super) fn unit(&mut self, metric: &str, unit: &str) -> Checked {
        let family = self.described(metric)?;
        if family.unit.replace(unit.to_owned()).is_some() {
            return Err(format!("second UNIT line for metric {metric:?}"));
        }
        family.unit_fits()
    }

    /// The family that metadata is about.
    fn described(&mut self, metric: &str) -> Result<&mut Family, String> {
        let same = self.family.as_ref().is_some_and(|family| family.name == metric);
        if !same {
            self.begin(metric)?;
        }
        let family = self.family.get_or_insert_default();
        if family.has_samples {
            return Err(format!("metadata of metric {metric:?} after its samples"));
        }
        Ok(family)
    }

    fn begin(&mut self, name: &str) -> Checked {
        self.finish()?;
        self.family = Some(Family { name: name.to_owned(), ..Family::default() });
        Ok(())
    }

    /// Ends the family at hand.
    pub(super) fn finish(&mut self) -> Checked {
        let Some(mut family) = self.family.take() else { return Ok(()) };
        if let Some(histogram) = family.histogram.take() {
            histogram.finish()?;
        }
        let kind = family.kind.unwrap_or_default();
        let suffixes = if self.openmetrics { suffixes(kind) } else { &[] };
        for suffix in suffixes.iter().copied().chain([""]).collect::<BTreeSet<_>>() {
            let name = format!("{}{suffix}", family.name);
            if !self.names.insert(name) {
                return Err(format!("clashing name {:?}", family.name));
            }
        }
        Ok(())
    }

    pub(super) fn sample(&mut self, sample: &Sample<'_>) -> Checked {
        let labels = distinct(sample)?;
        let name = sample.labels.name();
        if !self.openmetrics {
            return self.text_sample(&name);
        }
        let belongs = self.family.as_ref().is_some_and(|family| {
            let suffix = name.strip_prefix(family.name.as_str());
            suffix.is_some_and(|suffix| suffixes(family.kind.unwrap_or_default()).contains(&suffix))
        });
        if !belongs {
            self.begin(&name)?;
        }
        let family = self.family.get_or_insert_default();
        family.has_samples = true;
        let suffix = name.strip_prefix(family.name.as_str()).unwrap_or("").to_owned();
        family.check_labels(&suffix, &labels)?;
        family.check_group(&suffix, &labels, sample.timestamp)?;
        family.check_value(&suffix, sample.value)?;
        family.check_exemplars(&suffix, sample.exemplars)?;
        family.check_histogram(&suffix, &labels, sample)
    }

    /// Samples of Prometheus's format may come in any order, but not before their metadata.
    fn text_sample(&mut self, name: &str) -> Checked {
        let Some(family) = &mut self.family else { return self.begin_text(name) };
        let kind = family.kind.unwrap_or_default();
        let suffix = name.strip_prefix(family.name.as_str());
        let known = match kind {
            MetricType::Histogram => &["", "_bucket", "_sum", "_count"][..],
            MetricType::Summary => &["", "_sum", "_count"],
            _ => &[""],
        };
        if suffix.is_some_and(|suffix| known.contains(&suffix)) {
            family.has_samples = true;
            return Ok(());
        }
        self.begin_text(name)
    }

    fn begin_text(&mut self, name: &str) -> Checked {
        // Series of one name may be scattered over a page.
        if let Some(family) = self.family.take() {
            self.names.insert(family.name);
        }
        let family = Family { name: name.to_owned(), has_samples: true, ..Family::default() };
        self.names.remove(name);
        self.family = Some(family);
        Ok(())
    }
}

/// The labels as they are written, without the name; no name twice.
fn distinct(sample: &Sample<'_>) -> Result<Group, String> {
    let mut labels: Group = sample
        .labels
        .as_written()
        .iter()
        .skip(1)
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    labels.sort();
    match labels.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(format!("label {:?} comes twice", pair[0].0)),
        None => Ok(labels),
    }
}

/// What may stand behind a family's name.
fn suffixes(kind: MetricType) -> &'static [&'static str] {
    match kind {
        MetricType::Counter => &["_total", "_created"],
        MetricType::Summary => &["", "_count", "_sum", "_created"],
        MetricType::Histogram => &["_count", "_sum", "_bucket", "_created"],
        MetricType::GaugeHistogram => &["_gcount", "_gsum", "_bucket"],
        MetricType::Info => &["_info"],
        MetricType::Unknown | MetricType::Gauge | MetricType::StateSet => &[""],
    }
}

fn get<'l>(labels: &'l Group, name: &str) -> Option<&'l str> {
    labels.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
}

/// A bound or a quantile; infinite has one way of writing.
fn bound(text: &str) -> Option<f64> {
    let value = number::parse(text.as_bytes())?;
    let canonical = value != f64::INFINITY || text == "+Inf";
    (!value.is_nan() && canonical).then_some(value)
}

#[expect(clippy::float_cmp, reason = "exactness is the point")]
fn is_whole(value: f64) -> bool {
    value.trunc() == value
}

impl Family {
    fn kind(&self) -> MetricType {
        self.kind.unwrap_or_default()
    }

    fn unit_fits(&self) -> Checked {
        let unitless = matches!(self.kind(), MetricType::Info | MetricType::StateSet);
        if unitless && self.unit.as_ref().is_some_and(|unit| !unit.is_empty()) {
            return Err(format!("a {} has no unit", self.kind().as_str()));
        }
        Ok(())
    }

    fn check_labels(&self, suffix: &str, labels: &Group) -> Checked {
        if suffix == "_bucket" && get(labels, "le").and_then(bound).is_none() {
            return Err("a bucket needs a valid label \"le\"".to_owned());
        }
        match (self.kind(), suffix) {
            (MetricType::StateSet, _) if get(labels, &self.name).is_none() => {
                Err(format!("a stateset needs the label {:?}", self.name))
            }
            (MetricType::Summary, "") => {
                let quantile = get(labels, "quantile").and_then(bound);
                if quantile.is_some_and(|quantile| (0.0..=1.0).contains(&quantile)) {
                    Ok(())
                } else {
                    Err("a summary needs a label \"quantile\" between 0 and 1".to_owned())
                }
            }
            _ => Ok(()),
        }
    }

    /// Samples of one metric stand together, and its times do not go back.
    fn check_group(&mut self, suffix: &str, labels: &Group, timestamp: Option<i64>) -> Checked {
        let group = self.group_of(suffix, labels);
        if self.group.as_ref() == Some(&group) {
            match (self.timestamp, timestamp) {
                (Some(_), None) | (None, Some(_)) => {
                    return Err("samples of one metric with and without timestamp".to_owned());
                }
                (Some(before), Some(now)) if now < before && self.kind() != MetricType::Info => {
                    return Err("timestamps of one metric go back".to_owned());
                }
                _ => {}
            }
        } else if !self.groups.insert(group.clone()) {
            return Err("samples of one metric do not stand together".to_owned());
        }
        self.group = Some(group);
        self.timestamp = timestamp;
        Ok(())
    }

    fn group_of(&self, suffix: &str, labels: &Group) -> Group {
        let left_out = match self.kind() {
            MetricType::Info => return Vec::new(),
            MetricType::Summary if suffix.is_empty() => "quantile",
            MetricType::StateSet => self.name.as_str(),
            MetricType::Histogram | MetricType::GaugeHistogram if suffix == "_bucket" => "le",
            _ => return labels.clone(),
        };
        labels.iter().filter(|(name, _)| name != left_out).cloned().collect()
    }

    #[expect(clippy::float_cmp, reason = "exactness is the point")]
    fn check_value(&self, suffix: &str, value: f64) -> Checked {
        if matches!(suffix, "_bucket" | "_count" | "_gcount") && !is_whole(value) {
            return Err(format!("{suffix} is not a whole number"));
        }
        let counts = matches!(suffix, "_total" | "_sum" | "_count" | "_bucket" | "_gcount");
        if (counts || suffix == "_gsum") && value.is_nan() {
            return Err("a counter is not a number".to_owned());
        }
        if counts && value < 0.0 {
            return Err("a counter is negative".to_owned());
        }
        match (self.kind(), suffix) {
            (MetricType::StateSet, _) if value != 0.0 && value != 1.0 => {
                Err("a stateset's value is neither 0 nor 1".to_owned())
            }
            (MetricType::Info, _) if value != 1.0 => Err("an info's value is not 1".to_owned()),
            (MetricType::Summary, "") if value < 0.0 => Err("a quantile is negative".to_owned()),
            _ => Ok(()),
        }
    }

    fn check_exemplars(&self, suffix: &str, exemplars: &[PageExemplar]) -> Checked {
        let allowed = matches!(
            (self.kind(), suffix),
            (MetricType::Histogram | MetricType::GaugeHistogram, "_bucket")
                | (MetricType::Counter, "_total")
        );
        if !allowed && !exemplars.is_empty() {
            return Err("only counters and buckets have exemplars".to_owned());
        }
        let chars = |exemplar: &PageExemplar| -> usize {
            let labels = exemplar.labels.iter();
            labels.map(|(name, value)| name.chars().count() + value.chars().count()).sum()
        };
        if exemplars.iter().any(|exemplar| chars(exemplar) > EXEMPLAR_CHARS_MAX) {
            return Err(format!("an exemplar's labels are over {EXEMPLAR_CHARS_MAX} characters"));
        }
        Ok(())
    }

    fn check_histogram(&mut self, suffix: &str, labels: &Group, sample: &Sample<'_>) -> Checked {
        if !matches!(self.kind(), MetricType::Histogram | MetricType::GaugeHistogram) {
            return Ok(());
        }
        let group = self.group.clone().unwrap_or_default();
        let same = self.histogram.as_ref().is_some_and(|histogram| {
            histogram.group == group && histogram.timestamp == sample.timestamp
        });
        if !same {
            if let Some(done) = self.histogram.take() {
                done.finish()?;
            }
            let timestamp = sample.timestamp;
            self.histogram = Some(HistogramCheck { group, timestamp, ..Default::default() });
        }
        let histogram = self.histogram.get_or_insert_default();
        let bound = get(labels, "le").and_then(bound);
        histogram.sample(suffix, bound, sample.value)
    }
}

/// One histogram at one time.
#[derive(Debug, Default)]
struct HistogramCheck {
    group: Group,
    timestamp: Option<i64>,
    bound: Option<f64>,
    /// Of the last bucket.
    value: f64,
    count: Option<f64>,
    has_sum: bool,
    has_gsum: bool,
    has_negative_gsum: bool,
    has_negative_buckets: bool,
}

impl HistogramCheck {
    fn sample(&mut self, suffix: &str, bound: Option<f64>, value: f64) -> Checked {
        match suffix {
            "_bucket" => {
                let bound = bound.unwrap_or(f64::INFINITY);
                if self.bound.is_some_and(|before| bound <= before) {
                    return Err("buckets are not in order".to_owned());
                }
                if value < self.value {
                    return Err("a bucket has less than the one before".to_owned());
                }
                self.has_negative_buckets |= bound < 0.0;
                self.bound = Some(bound);
                self.value = value;
            }
            "_count" | "_gcount" => self.count = Some(value),
            "_sum" => self.has_sum = true,
            "_gsum" => {
                self.has_gsum = true;
                self.has_negative_gsum |= value < 0.0;
            }
            _ => {}
        }
        Ok(())
    }

    #[expect(clippy::float_cmp, reason = "exactness is the point")]
    fn finish(self) -> Checked {
        let problem = match self {
            HistogramCheck { bound, .. } if bound != Some(f64::INFINITY) => {
                "a histogram needs the bucket le=\"+Inf\""
            }
            HistogramCheck { count: Some(count), value, .. } if count != value => {
                "a histogram's count is not that of its last bucket"
            }
            HistogramCheck { has_sum: true, count: None, .. } => "a histogram has _sum, not _count",
            HistogramCheck { has_gsum: true, count: None, .. } => {
                "a histogram has _gsum, not _gcount"
            }
            HistogramCheck { has_sum: false, has_gsum: false, count: Some(_), .. } => {
                "a histogram has a count and no sum"
            }
            HistogramCheck { has_negative_buckets: true, has_sum: true, .. } => {
                "a histogram with negative buckets has no _sum"
            }
            HistogramCheck { has_negative_buckets: false, has_negative_gsum: true, .. } => {
                "_gsum is negative, no bucket is"
            }
            _ => return Ok(()),
        };
        Err(problem.to_owned())
    }
}
