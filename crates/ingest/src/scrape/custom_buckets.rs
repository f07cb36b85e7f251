//! `convert_classic_histograms_to_nhcb`: the series of a classic histogram become one native
//! histogram with custom buckets.
//!
//! Series belong together that stand one after the other under `# TYPE … histogram` and have the
//! same labels but for `le`. A histogram that the page has as an exponential one already stays one.

use model::metric::{Histogram, MetricType, NAME_LABEL};

use crate::exposition::{Entry, PageExemplar, Series, SeriesLabels};
use crate::metrics::native::with_custom_buckets;

/// A classic histogram, of as many of its series as there were.
#[derive(Debug, Default)]
pub(super) struct Classic {
    /// With the family's name and without `le`, in the order of the page.
    pub(super) labels: Vec<(String, String)>,
    pub(super) timestamp: Option<i64>,
    pub(super) start: i64,
    pub(super) exemplars: Vec<PageExemplar>,
    /// Bounds, and how many values lie below each.
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
}

/// Puts series together as they come.
#[derive(Debug, Default)]
pub(super) struct Collector {
    /// The family's name, where it is one of histograms.
    family: Option<String>,
    current: Option<Classic>,
    /// The labels of the last native histogram.
    native: Vec<(String, String)>,
    taken: bool,
}

enum Part {
    Bucket(f64),
    Count,
    Sum,
}

impl Collector {
    /// Looks at an entry; gives the histogram that it ends.
    pub(super) fn take(&mut self, entry: &Entry<'_>) -> Option<Classic> {
        self.taken = false;
        match entry {
            Entry::Type { metric, kind } => {
                self.family = (*kind == MetricType::Histogram).then(|| metric.to_string());
                self.current.take()
            }
            Entry::Series(series) => self.take_series(series),
            Entry::Histogram(native) => {
                self.native = labels_of(&native.labels, None);
                self.current.take()
            }
            Entry::Help { .. } | Entry::Unit { .. } | Entry::Comment(_) => None,
        }
    }

    /// Whether the last entry is part of a histogram.
    pub(super) fn has_taken(&self) -> bool {
        self.taken
    }

    /// The last histogram of the page.
    pub(super) fn end(&mut self) -> Option<Classic> {
        self.current.take()
    }

    fn take_series(&mut self, series: &Series<'_>) -> Option<Classic> {
        let Some((part, labels)) = self.part(&series.labels) else { return self.current.take() };
        if labels == self.native {
            return self.current.take();
        }
        self.taken = true;
        let belongs = self.current.as_ref().is_some_and(|current| {
            current.labels == labels && current.timestamp == series.timestamp
        });
        let ended = if belongs { None } else { self.current.take() };
        let current = self.current.get_or_insert_with(|| Classic {
            labels,
            timestamp: series.timestamp,
            ..Classic::default()
        });
        current.start = current.start.max(series.start);
        current.exemplars.extend_from_slice(series.exemplars);
        match part {
            Part::Bucket(bound) => current.buckets.push((bound, series.value)),
            Part::Count => current.count = Some(series.value),
            Part::Sum => current.sum = series.value,
        }
        ended
    }

    /// What part of a histogram a series is, and of which.
    fn part(&self, series: &SeriesLabels<'_>) -> Option<(Part, Vec<(String, String)>)> {
        let family = self.family.as_ref()?;
        let name = series.name();
        let part = match name.strip_prefix(family.as_str())? {
            "_bucket" => {
                let (_, bound) = series.iter().find(|(name, _)| name == "le")?;
                Part::Bucket(bound.parse().ok()?)
            }
            "_count" => Part::Count,
            "_sum" => Part::Sum,
            _ => return None,
        };
        Some((part, labels_of(series, Some(family))))
    }
}

/// The labels but for `le`, under another name if one is given.
fn labels_of(series: &SeriesLabels<'_>, name: Option<&str>) -> Vec<(String, String)> {
    let own = series.name();
    let name = name.unwrap_or(&own);
    let others = series.iter().filter(|(label, _)| label != NAME_LABEL && label != "le");
    std::iter::once((NAME_LABEL.to_owned(), name.to_owned()))
        .chain(others.map(|(label, value)| (label.into_owned(), value.into_owned())))
        .collect()
}

impl Classic {
    /// Bytes that tell it from the page's own series and from other histograms.
    pub(super) fn key(&self) -> Vec<u8> {
        let mut key = vec![0xff];
        for text in self.labels.iter().flat_map(|(name, value)| [name, value]) {
            key.extend_from_slice(text.as_bytes());
            key.push(0xff);
        }
        key
    }

    /// As a native histogram; `None` where the counts fall, or do not add up.
    pub(super) fn histogram(&self) -> Option<Histogram> {
        let mut buckets = self.buckets.clone();
        buckets.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        buckets.dedup_by_key(|(bound, _)| bound.to_bits());
        let highest = buckets.last().map(|(_, below)| *below);
        let count = self.count.or(highest)?;
        if !buckets.last().is_some_and(|(bound, _)| *bound == f64::INFINITY) {
            buckets.push((f64::INFINITY, count));
        }
        let mut below = 0.0;
        let mut counts = Vec::with_capacity(buckets.len());
        for (_, up_to) in &buckets {
            if up_to.is_nan() || *up_to < below {
                return None;
            }
            counts.push(up_to - below);
            below = *up_to;
        }
        if (below - count).abs() > 0.0 {
            return None;
        }
        let bounds = buckets.into_iter().map(|(bound, _)| bound).collect();
        let histogram = with_custom_buckets(bounds, counts.into_iter()).ok()?;
        Some(Histogram { count, sum: self.sum, ..histogram })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exposition::{Format, Options, Parser};

    fn check(page: &str, expect: &[&str]) {
        let mut parser = Parser::new(page.as_bytes(), Format::Text, Options::default()).unwrap();
        let (mut collector, mut found) = (Collector::default(), Vec::new());
        while let Some(entry) = parser.next() {
            found.extend(collector.take(&entry.unwrap()));
        }
        found.extend(collector.end());
        let text = |classic: &Classic| match classic.histogram() {
            None => "contradictory".to_owned(),
            Some(histogram) => {
                crate::metrics::native::check(&histogram).expect("valid");
                let labels: Vec<String> =
                    classic.labels[1..].iter().map(|(n, v)| format!("{n}={v}")).collect();
                format!(
                    "{} {} count {} sum {} bounds {:?} from {} counts {:?}",
                    classic.labels[0].1,
                    labels.join(","),
                    histogram.count,
                    histogram.sum,
                    histogram.custom_values,
                    histogram.positive_spans.first().map_or(0, |span| span.offset),
                    histogram.positive_buckets,
                )
            }
        };
        assert_eq!(found.iter().map(text).collect::<Vec<_>>(), expect);
    }

    #[test]
    fn classic_series_become_one_histogram_each() {
        check(
            "# TYPE h histogram\n\
             h_bucket{r=\"a\",le=\"0.1\"} 0\nh_bucket{r=\"a\",le=\"1\"} 2\n\
             h_bucket{r=\"a\",le=\"+Inf\"} 5\nh_sum{r=\"a\"} 9.5\nh_count{r=\"a\"} 5\n\
             h_bucket{r=\"b\",le=\"1\"} 1\nh_count{r=\"b\"} 1\nh_sum{r=\"b\"} 0.5\n\
             # TYPE other counter\nother_count 1\n",
            &[
                "h r=a count 5 sum 9.5 bounds [0.1, 1.0] from 1 counts [2.0, 3.0]",
                "h r=b count 1 sum 0.5 bounds [1.0] from 0 counts [1.0]",
            ],
        );
    }

    #[test]
    fn counts_that_contradict_each_other_make_none() {
        check(
            "# TYPE h histogram\nh_bucket{le=\"1\"} 3\nh_bucket{le=\"+Inf\"} 2\nh_count 2\n",
            &["contradictory"],
        );
        check("# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2\nh_count 3\n", &["contradictory"]);
        check("# TYPE h histogram\nh_bucket{le=\"+Inf\"} NaN\nh_count 3\n", &["contradictory"]);
    }

    #[test]
    fn what_is_no_histogram_stays() {
        check("# TYPE h counter\nh_bucket{le=\"1\"} 3\n", &[]);
        check("h_bucket{le=\"1\"} 3\nh_count 3\n", &[]);
        check("# TYPE h histogram\nhh_bucket{le=\"1\"} 3\nh 3\n", &[]);
    }
}
