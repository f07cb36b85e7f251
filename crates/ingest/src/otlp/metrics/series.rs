//! Data points as series.

use model::metric::{
    Exemplar, Float, HistogramSample, Labels, LabelsBuilder, ResetHint, stale_nan,
};

use super::delta::{DeltaError, Deltas};
use super::histogram::{from_explicit, from_exponential, stale};
use super::labels::{IDENTIFYING, PointLabels, ResourceLabels, ScopeLabels, read_attributes};
use super::points::{self, Data, Explicit, Point};
use super::{Decoder, DeltaPolicy, MetricData, Shape, Span, Stop};
use crate::metrics::native;
use crate::metrics::rejections::Invalid;
use crate::otlp::context::push_hex_any;
use crate::wire::Read;

/// What the points of a metric share.
pub(super) struct Family<'f> {
    pub(super) name: &'f str,
    pub(super) data: &'f MetricData<'f>,
    pub(super) resource: &'f ResourceLabels<'f>,
    pub(super) scope: &'f ScopeLabels<'f>,
}

/// A series takes about so much beside its labels, and so does a histogram beside its buckets.
const SERIES_BYTES: usize = 120;

/// What a point's series share.
struct Base<'p> {
    labels: PointLabels<'p>,
    timestamp: i64,
    start: i64,
    is_stale: bool,
}

impl Decoder<'_> {
    /// Writes the series of one data point.
    pub(super) fn point(
        &mut self,
        family: &Family<'_>,
        message: &[u8],
        span: &mut Span,
    ) -> Result<(), Stop> {
        let mut point = match family.data.shape {
            Shape::Gauge | Shape::Sum => points::number(message)?,
            Shape::Explicit => points::explicit(message)?,
            Shape::Exponential => points::exponential(message)?,
            Shape::Summary => points::summary(message)?,
        };
        let attributes = read_attributes(&point.attributes)?;
        let labels = PointLabels::new(self.translation, family.resource, family.scope, attributes);
        let timestamp = millis(point.time);
        let limits = &self.context.limits;
        let checked = if self.points >= limits.series_per_body_max {
            Err(Invalid::SeriesCount)
        } else if timestamp > self.context.latest {
            Err(Invalid::Future)
        } else {
            labels.check(limits)
        };
        if let Err(invalid) = checked {
            self.into.rejections.add(invalid, 1, || labels.display(family.name));
            return Ok(());
        }
        self.points += 1;
        span.first = span.first.min(timestamp);
        span.last = span.last.max(timestamp);
        if family.data.is_delta() && !self.sum_up(family, &labels, &mut point) {
            return Ok(());
        }
        let start = if family.data.shape == Shape::Gauge { 0 } else { millis(point.start) };
        let base = Base { labels, timestamp, start, is_stale: point.is_stale };
        match std::mem::take(&mut point.data) {
            Data::Number(value) => self.number(family, &base, value, &point)?,
            Data::Explicit(histogram) => self.explicit(family, &base, &histogram, &point)?,
            Data::Exponential(histogram) => {
                let built = from_exponential(&histogram, hint(family, self.translation.deltas));
                self.native(family, &base, built, &point)?;
            }
            Data::Summary { count, sum, quantiles } => {
                self.summary(family, &base, count, sum, &quantiles)?;
            }
        }
        Ok(())
    }

    /// Makes a delta a sum; `false` when it does not count.
    fn sum_up(
        &mut self,
        family: &Family<'_>,
        labels: &PointLabels<'_>,
        point: &mut Point<'_>,
    ) -> bool {
        if self.translation.deltas != DeltaPolicy::Cumulate || point.is_stale {
            return true;
        }
        let key = Deltas::key(self.tenant.as_str(), family.name, labels.display("").as_bytes());
        let times = (point.start, point.time);
        let delta = std::mem::take(&mut point.data);
        match self.deltas.add(key, self.context.now, times, delta) {
            Ok(sum) => {
                point.start = sum.start;
                point.data = sum.data;
                true
            }
            Err(error) => {
                let invalid = match error {
                    DeltaError::OutOfOrder => Invalid::Delta,
                    DeltaError::Full => Invalid::Streams,
                };
                self.into.rejections.add(invalid, 1, || {
                    format!(
                        "{}: it begins before the one before ended",
                        labels.display(family.name)
                    )
                });
                false
            }
        }
    }

    /// Begins a series and gives it a sample.
    fn float(
        &mut self,
        base: &Base<'_>,
        name: &str,
        extra: Option<(&str, &str)>,
        value: f64,
    ) -> Result<(), Stop> {
        self.into.count(SERIES_BYTES + name.len() + base.labels.bytes())?;
        base.labels.begin(&mut self.into.batch, name, extra);
        let value = if base.is_stale { stale_nan() } else { value };
        self.into.float(Float { timestamp: base.timestamp, value, start: base.start });
        Ok(())
    }

    fn number(
        &mut self,
        family: &Family<'_>,
        base: &Base<'_>,
        value: f64,
        point: &Point<'_>,
    ) -> Result<(), Stop> {
        self.float(base, family.name, None, value)?;
        // Gauges have none in Prometheus.
        if family.data.shape == Shape::Sum {
            for exemplar in self.exemplars(point)? {
                self.into.exemplar(exemplar, self.context);
            }
        }
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "counts are floats, exact to 2^53")]
    fn explicit(
        &mut self,
        family: &Family<'_>,
        base: &Base<'_>,
        histogram: &Explicit,
        point: &Point<'_>,
    ) -> Result<(), Stop> {
        if self.translation.custom_buckets {
            let built = from_explicit(histogram, hint(family, self.translation.deltas));
            return self.native(family, base, built, point);
        }
        let name = family.name;
        if let Some(sum) = histogram.sum {
            self.float(base, &format!("{name}_sum"), None, sum)?;
        }
        self.float(base, &format!("{name}_count"), None, histogram.count as f64)?;
        let mut exemplars = self.exemplars(point)?;
        exemplars.sort_by(|one, two| two.value.total_cmp(&one.value));
        let bucket = format!("{name}_bucket");
        let mut below = 0_u64;
        for (bound, count) in histogram.bounds.iter().zip(&histogram.counts) {
            if bound.is_infinite() && *bound > 0.0 {
                break;
            }
            below = below.saturating_add(*count);
            self.float(base, &bucket, Some(("le", &bound.to_string())), below as f64)?;
            while let Some(exemplar) = exemplars.pop_if(|exemplar| exemplar.value <= *bound) {
                self.into.exemplar(exemplar, self.context);
            }
        }
        self.float(base, &bucket, Some(("le", "+Inf")), histogram.count as f64)?;
        for exemplar in exemplars {
            self.into.exemplar(exemplar, self.context);
        }
        Ok(())
    }

    fn native(
        &mut self,
        family: &Family<'_>,
        base: &Base<'_>,
        built: Result<model::metric::Histogram, String>,
        point: &Point<'_>,
    ) -> Result<(), Stop> {
        let built = if base.is_stale { Ok(stale()) } else { built };
        let checked = built.and_then(|histogram| {
            native::check(&histogram)?;
            Ok(histogram)
        });
        let histogram = match checked {
            Ok(histogram) => histogram,
            Err(problem) => {
                self.into.rejections.add(Invalid::Histogram, 1, || {
                    format!("{}: {problem}", base.labels.display(family.name))
                });
                return Ok(());
            }
        };
        let numbers = histogram.positive_buckets.len()
            + histogram.negative_buckets.len()
            + histogram.positive_spans.len()
            + histogram.negative_spans.len()
            + histogram.custom_values.len();
        let labels = family.name.len() + base.labels.bytes();
        self.into.count(SERIES_BYTES + size_of::<HistogramSample>() + 8 * numbers + labels)?;
        base.labels.begin(&mut self.into.batch, family.name, None);
        let Base { timestamp, start, .. } = *base;
        self.into.histogram(HistogramSample { timestamp, start, histogram });
        for exemplar in self.exemplars(point)? {
            self.into.exemplar(exemplar, self.context);
        }
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "counts are floats, exact to 2^53")]
    fn summary(
        &mut self,
        family: &Family<'_>,
        base: &Base<'_>,
        count: u64,
        sum: f64,
        quantiles: &[(f64, f64)],
    ) -> Result<(), Stop> {
        let name = family.name;
        self.float(base, &format!("{name}_sum"), None, sum)?;
        self.float(base, &format!("{name}_count"), None, count as f64)?;
        for (quantile, value) in quantiles {
            self.float(base, name, Some(("quantile", &quantile.to_string())), *value)?;
        }
        Ok(())
    }

    fn exemplars(&mut self, point: &Point<'_>) -> Result<Vec<Exemplar>, Stop> {
        let mut exemplars = Vec::with_capacity(point.exemplars.len());
        for (index, message) in point.exemplars.iter().enumerate() {
            let exemplar = exemplar(message, self.context.limits.exemplar_chars_max)
                .map_err(|fault| fault.in_element("exemplars", index))?;
            self.into.count(SERIES_BYTES + exemplar.labels.as_bytes().len())?;
            exemplars.push(exemplar);
        }
        Ok(exemplars)
    }

    /// `target_info`: what a resource says beyond `job` and `instance`, for as long as its points
    /// last.
    pub(super) fn target_info(
        &mut self,
        resource: &ResourceLabels<'_>,
        span: Span,
    ) -> Result<(), Stop> {
        /// Longer spans than 1,000 samples have one at the end only.
        const SAMPLES_MAX: i64 = 1_000;
        let identifies = |key: &str| IDENTIFYING.contains(&key);
        let says_more = resource.attributes.iter().any(|(key, _)| !identifies(key));
        if !resource.is_identified() || !says_more {
            return Ok(());
        }
        let keeps = self.translation.keeps_identifying;
        let attributes: Vec<_> = resource
            .attributes
            .iter()
            .filter(|(key, _)| keeps || !identifies(key))
            .cloned()
            .collect();
        let scope = ScopeLabels::default();
        let bare = resource.without_promotion();
        let labels = PointLabels::new(self.translation, &bare, &scope, attributes);
        if let Err(invalid) = labels.check(&self.context.limits) {
            self.into.rejections.add(invalid, 1, || labels.display("target_info"));
            return Ok(());
        }
        self.into.count(SERIES_BYTES + labels.bytes())?;
        labels.begin(&mut self.into.batch, "target_info", None);
        let step = (self.translation.lookback_ms / 2).max(1);
        let mut timestamp = span.first;
        if (span.last.saturating_sub(span.first)) / step > SAMPLES_MAX {
            timestamp = span.last;
        }
        while timestamp < span.last {
            self.into.count(size_of::<Float>())?;
            self.into.float(Float { timestamp, value: 1.0, start: 0 });
            timestamp += step;
        }
        self.into.float(Float { timestamp: span.last, value: 1.0, start: 0 });
        Ok(())
    }
}

fn hint(family: &Family<'_>, policy: DeltaPolicy) -> ResetHint {
    if family.data.is_delta() && policy == DeltaPolicy::Store {
        ResetHint::Gauge
    } else {
        ResetHint::Unknown
    }
}

/// Nanoseconds as milliseconds.
fn millis(nanos: u64) -> i64 {
    i64::try_from(nanos / 1_000_000).unwrap_or(i64::MAX)
}

/// An exemplar's trace, its span, and its other attributes if there is room for them all.
fn exemplar(message: &[u8], chars_max: usize) -> Read<Exemplar> {
    let read = points::exemplar(message)?;
    let mut labels = LabelsBuilder::default();
    let ids = [("trace_id", read.trace_id, 16), ("span_id", read.span_id, 8)];
    for (name, id, length) in ids {
        if id.len() == length && id.iter().any(|byte| *byte != 0) {
            let mut hex = Vec::with_capacity(2 * length);
            push_hex_any(&mut hex, id);
            labels.set(name, std::str::from_utf8(&hex).unwrap_or(""));
        }
    }
    let chars = |labels: &Labels| -> usize {
        labels.iter().map(|(name, value)| name.chars().count() + value.chars().count()).sum()
    };
    let bare = labels.build();
    for (key, value) in read_attributes(&read.attributes)? {
        labels.set(&key, &value);
    }
    let full = labels.build();
    let labels = if chars(&full) <= chars_max { full } else { bare };
    Ok(Exemplar { labels, value: read.value, timestamp: millis(read.time) })
}
