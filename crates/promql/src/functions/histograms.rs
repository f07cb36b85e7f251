//! `histogram_quantile`, `histogram_fraction` and what else reads histograms.

use std::sync::Arc;

use hashbrown::HashMap;
use model::metric::{Histogram, Labels, LabelsBuilder};

use crate::annotations::Annotations;
use crate::eval::{ABSENT, Cell, Column, Series};
use crate::histogram::{
    ClassicBucket, Observed, classic_fraction, classic_quantile, fraction, quantile, variance,
};
use crate::position::PosRange;

/// A number that a native histogram has, by the function's name.
pub(crate) fn simple(name: &str) -> Option<fn(&Histogram) -> f64> {
    Some(match name {
        "histogram_count" => |histogram| histogram.count,
        "histogram_sum" => |histogram| histogram.sum,
        "histogram_avg" => |histogram| histogram.sum / histogram.count,
        "histogram_stddev" => |histogram| variance(histogram).sqrt(),
        "histogram_stdvar" => variance,
        _ => return None,
    })
}

/// A histogram of either kind at all steps.
struct Group {
    labels: Labels,
    drop_name: bool,
    native: Option<Column>,
    /// Bounds and columns of counts.
    classic: Vec<(f64, usize)>,
}

/// What is asked of histograms.
#[derive(Debug)]
pub(crate) enum Question<'a> {
    /// A quantile for each step, and where its number stands.
    Quantile { q: &'a [f64], at: PosRange },
    /// A fraction for each step.
    Fraction { lower: &'a [f64], upper: &'a [f64], at: PosRange },
}

/// The histograms of a vector, classic ones put together from their buckets.
pub(crate) struct Histograms {
    groups: Vec<Group>,
    series: Vec<Series>,
    steps: usize,
    position: PosRange,
}

fn parse_bound(text: &str) -> Option<f64> {
    let text = text.trim_start_matches('+');
    match text {
        "Inf" | "inf" | "Infinity" => Some(f64::INFINITY),
        "-Inf" | "-inf" => Some(f64::NEG_INFINITY),
        _ => text.parse().ok(),
    }
}

impl Histograms {
    /// Sorts a vector into histograms. `position` is that of the vector.
    pub(crate) fn new(
        series: Vec<Series>,
        steps: usize,
        position: PosRange,
        notes: &mut Annotations,
    ) -> Histograms {
        let mut groups: Vec<Group> = Vec::new();
        let mut known: HashMap<(Labels, Option<String>), usize> = HashMap::new();
        let mut all = Histograms { groups: Vec::new(), series: Vec::new(), steps, position };
        for mut one in series {
            let mut builder = LabelsBuilder::from_labels(&one.labels);
            let bound = one.labels.get("le").map(str::to_owned);
            let drop_name = one.drop_name;
            let mut group = |labels: Labels, groups: &mut Vec<Group>| {
                *known.entry((labels.clone(), None)).or_insert_with(|| {
                    groups.push(Group { labels, drop_name, native: None, classic: Vec::new() });
                    groups.len() - 1
                })
            };
            if one.column.has_histograms() {
                let native = Column {
                    floats: vec![ABSENT; steps],
                    histograms: std::mem::take(&mut one.column.histograms),
                };
                let at = group(one.labels.clone(), &mut groups);
                groups[at].native = Some(native);
            }
            if one.column.is_empty() {
                continue;
            }
            let Some(upper) = bound.as_deref().and_then(parse_bound) else {
                let name = one.labels.name().unwrap_or_default();
                notes.bad_bucket_label(name, bound.as_deref().unwrap_or_default(), position);
                continue;
            };
            let at = group(builder.remove("le").build(), &mut groups);
            groups[at].classic.push((upper, all.series.len()));
            all.series.push(one);
        }
        all.groups = groups;
        all
    }

    /// Answers for all histograms.
    pub(crate) fn answer(
        &self,
        question: &Question<'_>,
        time: impl Fn(usize) -> i64,
        with_names: bool,
        notes: &mut Annotations,
    ) -> Vec<Series> {
        let mut answers = Vec::with_capacity(self.groups.len());
        let mut buckets = Vec::new();
        for group in &self.groups {
            let mut column = Column::absent(self.steps);
            let name = group.labels.name().unwrap_or_default();
            for step in 0..self.steps {
                buckets.clear();
                for &(upper, at) in &group.classic {
                    if let Some(Cell::Float(count)) = self.series[at].column.cell(step) {
                        buckets.push(ClassicBucket { upper, count });
                    }
                }
                let native = group.native.as_ref().and_then(|native| native.histogram(step));
                match native {
                    Some(_) if !buckets.is_empty() => {
                        notes.mixed_classic_native(name, self.position);
                    }
                    Some(native) => {
                        column.floats[step] = native_answer(question, step, native, name, notes);
                    }
                    None if buckets.is_empty() => {}
                    None => {
                        let name = if with_names { name } else { "" };
                        column.floats[step] = self.classic_answer(
                            question,
                            (step, time(step)),
                            &mut buckets,
                            name,
                            notes,
                        );
                    }
                }
            }
            if !column.is_empty() {
                answers.push(Series {
                    labels: group.labels.clone(),
                    drop_name: group.drop_name,
                    column,
                });
            }
        }
        answers
    }

    fn classic_answer(
        &self,
        question: &Question<'_>,
        (step, time): (usize, i64),
        buckets: &mut Vec<ClassicBucket>,
        name: &str,
        notes: &mut Annotations,
    ) -> f64 {
        match question {
            Question::Quantile { q, .. } => {
                let (value, forced) = classic_quantile(q[step], buckets);
                if let Some(forced) = forced {
                    notes.forced_monotonicity(name, (time, forced), self.position);
                }
                value
            }
            Question::Fraction { lower, upper, .. } => {
                classic_fraction(lower[step], upper[step], buckets)
            }
        }
    }
}

fn native_answer(
    question: &Question<'_>,
    step: usize,
    histogram: &Arc<Histogram>,
    name: &str,
    notes: &mut Annotations,
) -> f64 {
    match question {
        Question::Quantile { q, at } => {
            let (value, observed) = quantile(q[step], histogram);
            match observed {
                Observed::Numbers => {}
                Observed::NaN => notes.quantile_is_nan(name, *at),
                Observed::Skewed => notes.quantile_is_skewed(name, *at),
            }
            value
        }
        Question::Fraction { lower, upper, at } => {
            let (value, observed) = fraction(lower[step], upper[step], histogram);
            if observed != Observed::Numbers {
                notes.fraction_without_nan(name, *at);
            }
            value
        }
    }
}
