//! An experiment in sentences.

use super::super::{chance, counted, short};
use crate::experiment::Difference;
use crate::monitor::{Compared, SampleRatio, Trial, Verdict};

/// Whether the rows are split as they should be.
pub(in crate::report) fn split(split: &SampleRatio) -> String {
    let rows = format!(
        "{} control rows and {} of the treatment: {:.2} % of all, where {:.2} % should be (p {})",
        counted(split.rows.0),
        counted(split.rows.1),
        split.observed * 100.0,
        split.expected * 100.0,
        chance(split.probability)
    );
    match split.mismatch {
        true => format!(
            "{rows}. Something is wrong with assignment or logging: find that first, no number of the \
             experiment can be believed."
        ),
        false => format!("{rows}: as it should be."),
    }
}

/// A difference as it is read: in points of a hundred of conversions, in the metric's unit otherwise.
pub(in crate::report) fn amount(metric: &Compared, value: f64) -> String {
    let sign = if value > 0.0 { "+" } else { "" };
    match metric.conversion {
        true => format!("{sign}{} points", short(value * 100.0)),
        false => format!("{sign}{}", short(value)),
    }
}

/// An interval of differences.
pub(in crate::report) fn range(metric: &Compared, found: &Difference) -> String {
    let lower = amount(metric, found.lower);
    format!("{} … {}", lower.trim_end_matches(" points"), amount(metric, found.upper))
}

/// A variant's mean.
pub(in crate::report) fn mean(metric: &Compared, value: f64) -> String {
    match metric.conversion {
        true => format!("{} %", short(value * 100.0)),
        false => short(value),
    }
}

/// The difference in parts of the control's mean.
pub(in crate::report) fn relative(metric: &Compared) -> Option<String> {
    let found = metric.always_valid.or(metric.difference)?;
    let part = found.value / metric.control.mean.abs();
    part.is_finite().then(|| format!("{:+.1} %", part * 100.0))
}

/// What is certain.
pub(in crate::report) fn verdict(metric: &Compared) -> &'static str {
    match (metric.verdict, metric.always_valid) {
        (Verdict::Higher, _) => "higher",
        (Verdict::Lower, _) => "lower",
        (Verdict::Undecided, Some(_)) => "undecided",
        (Verdict::Undecided, None) => "too few rows",
    }
}

/// The whole in some sentences.
pub(super) fn story(trial: &Trial) -> Vec<String> {
    if trial.sample_ratio.mismatch {
        return vec![format!(
            "The experiment's rows are split wrongly: {}",
            split(&trial.sample_ratio)
        )];
    }
    let said = trial.metrics.iter().filter(|metric| metric.verdict != Verdict::Undecided);
    let mut told: Vec<String> = said
        .filter_map(|metric| {
            let found = metric.always_valid?;
            let relative = relative(metric).map_or(String::new(), |part| format!(", {part}"));
            Some(format!(
                "The treatment's {} is {}: {} → {} ({}{relative}).",
                metric.metric,
                verdict(metric),
                mean(metric, metric.control.mean),
                mean(metric, metric.treatment.mean),
                amount(metric, found.value),
            ))
        })
        .collect();
    let open = trial.metrics.iter().filter(|metric| metric.verdict == Verdict::Undecided);
    let open: Vec<&str> = open.map(|metric| metric.metric.as_str()).collect();
    if !open.is_empty() {
        told.push(format!(
            "It is not yet sure whether the treatment changes {}.",
            super::listed(&open)
        ));
    }
    told
}
