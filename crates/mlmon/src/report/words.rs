//! What was found, in sentences.

pub(super) mod attribution;
pub(super) mod decisions;
pub(super) mod experiment;

use super::{counted, short};
use crate::column::Kind;
use crate::compare::{Bin, ColumnReport};
use crate::detector;
use crate::embedding::{self, Described};
use crate::monitor::{MetricSeries, Outcome, Part};
use crate::multivariate;

/// Columns named in one sentence.
const NAMED: usize = 5;
/// Metrics that have a sentence each.
const TOLD: usize = 4;

/// The whole, for somebody who reads nothing else.
pub(super) fn story(outcome: &Outcome) -> Vec<String> {
    let mut told: Vec<String> = outcome.experiment.iter().flat_map(experiment::story).collect();
    let drifted: Vec<&str> = outcome
        .overall
        .columns
        .iter()
        .filter(|column| column.drifted)
        .map(|column| column.name.as_str())
        .collect();
    if !drifted.is_empty() {
        told.push(format!("Distributions changed of {}.", listed(&drifted)));
    }
    if let Some(sentence) = since(&outcome.windows, |part| part.report.drifted > 0, "drift") {
        told.push(sentence);
    }
    told.extend(outcome.attribution.iter().flat_map(attribution::story));
    told.extend(out_of_band(outcome));
    told.extend(by_segment(outcome));
    let together: Vec<&str> = outcome
        .multivariate
        .iter()
        .filter(|one| one.drifted())
        .map(|one| multivariate::ALL.iter().find(|known| known.name == one.detector))
        .map(|known| known.map_or("", multivariate::Entry::title))
        .collect();
    if !together.is_empty() {
        told.push(format!("Columns together changed: {}.", listed(&together)));
    }
    if let Some(pair) = outcome.correlations.first() {
        let n = outcome.correlations.len();
        let pairs = if n == 1 { "pair of columns" } else { "pairs of columns" };
        told.push(format!(
            "The correlation of {n} {pairs} changed, most that of {} and {} ({:.2} → {:.2}).",
            pair.left, pair.right, pair.reference, pair.current
        ));
    }
    let alarmed = outcome.streams.iter().filter(|stream| !stream.alarms.is_empty()).count();
    if alarmed > 0 {
        told.push(format!("Row by row, {alarmed} of {} streams alarmed.", outcome.streams.len()));
    }
    let broken: Vec<&str> = outcome
        .overall
        .columns
        .iter()
        .filter(|column| !column.findings.is_empty())
        .map(|column| column.name.as_str())
        .collect();
    if !broken.is_empty() {
        told.push(format!("The data itself needs a look in {}.", listed(&broken)));
    }
    told
}

/// Segments in which the model left its band, where it is looked at by segment.
fn by_segment(outcome: &Outcome) -> Option<String> {
    let worse = |part: &&Part| {
        let metrics = part.performance.iter().flat_map(|performance| &performance.metrics);
        metrics.flat_map(|metric| &metric.points).any(|point| point.alert)
    };
    let names: Vec<&str> =
        outcome.segments.iter().filter(worse).map(|part| part.name.as_str()).collect();
    let of = outcome.segments.iter().filter(|part| part.performance.is_some()).count();
    (!names.is_empty()).then(|| {
        format!(
            "Performance left its band in {} of {of} segments: {}.",
            names.len(),
            listed(&names)
        )
    })
}

fn listed(names: &[&str]) -> String {
    let shown = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Since when, and how much of the time.
fn since(parts: &[Part], is: impl Fn(&Part) -> bool, what: &str) -> Option<String> {
    let hits = parts.iter().filter(|part| is(part)).count();
    let first = parts.iter().find(|part| is(part))?;
    let total = parts.len();
    let to_the_end = parts.iter().skip_while(|part| !is(part)).all(&is);
    Some(match to_the_end {
        true if hits == total => format!("All {total} windows show {what}."),
        true => format!("{hits} of {total} windows show {what}: all from {} on.", first.name),
        false => format!("{hits} of {total} windows show {what}, the first is {}.", first.name),
    })
}

/// The first metrics that left their bands, each in a sentence; the others by name.
fn out_of_band(outcome: &Outcome) -> Vec<String> {
    let metrics = outcome.performance.iter().flat_map(|performance| &performance.metrics);
    let mut all = metrics.filter_map(|metric| Some((metric_title(metric.name), fallen(metric)?)));
    let mut told: Vec<String> = all.by_ref().take(TOLD).map(|(_, sentence)| sentence).collect();
    let more: Vec<&str> = all.map(|(title, _)| title).collect();
    if !more.is_empty() {
        told.push(format!("So did {}.", more.join(", ")));
    }
    told
}

fn fallen(metric: &MetricSeries) -> Option<String> {
    let alerts: Vec<_> = metric.points.iter().filter(|point| point.alert).collect();
    let first = alerts.first()?;
    let value = |point: &crate::monitor::Point| {
        point.realized.or(point.estimate.map(|estimate| estimate.value))
    };
    let worst = alerts.iter().filter_map(|point| value(point)).max_by(|left, right| {
        let apart = |value: &f64| (value - metric.reference).abs();
        apart(left).total_cmp(&apart(right))
    })?;
    let kind = if first.realized.is_some() { "" } else { "estimated " };
    let when = match metric.points.len() {
        1 => String::new(),
        total => format!(" in {} of {total} windows, first in {}", alerts.len(), first.window),
    };
    Some(format!(
        "The {kind}{} left its band{when}: {} on the reference, {} at its furthest.",
        metric_title(metric.name),
        short(metric.reference),
        short(worst)
    ))
}

/// What happened to a column.
pub(super) fn column(column: &ColumnReport, outcome: &Outcome) -> Vec<String> {
    let mut told = Vec::new();
    if let Some([past, now]) = column.moments {
        let moved = match past.1 > 0.0 {
            true => {
                // No minus before nought.
                let apart = (100.0 * (now.0 - past.0) / past.1).round() / 100.0 + 0.0;
                format!(" ({apart:+.2} standard deviations)")
            }
            false => String::new(),
        };
        told.push(format!(
            "mean {} → {}{moved}, standard deviation {} → {}",
            short(past.0),
            short(now.0),
            short(past.1),
            short(now.1)
        ));
    }
    let mut features = outcome.attribution.iter().flat_map(|found| &found.features);
    if let Some(feature) = features.find(|feature| feature.name == column.name) {
        told.push(format!(
            "Of what the model listens to, this is {}, at place {}.",
            attribution::shares(feature),
            attribution::place(feature)
        ));
    }
    told.extend(column.embedding.as_ref().map(vectors));
    if column.drifted {
        told.extend(moved(&column.bins, column.kind).filter(|_| column.embedding.is_none()));
        let here = |part: &Part| {
            part.report.columns.iter().any(|other| other.name == column.name && other.drifted)
        };
        told.extend(since(&outcome.windows, here, "drift here"));
    }
    told
}

/// What vectors are like and where they went.
fn vectors(described: &Described) -> String {
    let [past, now] = described.distances;
    let typical = if past.0 > 0.0 { described.moved / past.0 * 100.0 } else { 0.0 };
    format!(
        "vectors of {} numbers; rows lie {} ± {} from the reference's centroid, now {} ± {}; the \
         centroid itself moved by {} ({typical:.1} % of the former)",
        counted(described.width as u64),
        short(past.0),
        short(past.1),
        short(now.0),
        short(now.1),
        short(described.moved),
    )
}

/// The same in a line of the terminal, with what the small drawings beside it are of.
pub(super) fn cloud(described: &Described) -> String {
    let [past, now] = described.distances;
    let (width, before, after) = (described.width as u64, short(past.0), short(now.0));
    let first = described.components.first().map_or(String::new(), |one| {
        format!("; most moved: component {} ({:+.2} deviations)", one.place, one.shift)
    });
    format!(
        "{} numbers a row, distance from the reference's centroid {before} → {after}{first}",
        counted(width)
    )
}

/// A detector's name for people.
pub(super) fn detector(name: &'static str) -> &'static str {
    let of_values = detector::find(name).map(|found| found.title);
    of_values.or_else(|| embedding::find(name).map(|found| found.title)).unwrap_or(name)
}

/// Where rows went and where from, in points of a hundred.
fn moved(bins: &[Bin], kind: Option<Kind>) -> Option<String> {
    let change = |bin: &&Bin| bin.current - bin.reference;
    let by = |left: &&Bin, right: &&Bin| change(left).total_cmp(&change(right));
    let (most, least) = (bins.iter().max_by(by)?, bins.iter().min_by(by)?);
    let what = if kind == Some(Kind::Numeric) { "range" } else { "category" };
    let points = |bin: &Bin| {
        format!(
            "{} ({:.1} % → {:.1} % of the rows)",
            bin.label,
            bin.reference * 100.0,
            bin.current * 100.0
        )
    };
    Some(format!(
        "The {what} that grew most: {}; that shrank most: {}.",
        points(most),
        points(least)
    ))
}

/// A metric's name for people.
pub(super) fn metric_title(name: &str) -> &str {
    match name {
        "auroc" => "AUROC",
        "f1" => "F1",
        "mae" => "mean absolute error",
        "rmse" => "root mean squared error",
        "value" => "value of a decision",
        "mcc" => "Matthews' correlation",
        "average_precision" => "average precision",
        "log_loss" => "log loss",
        "brier" => "Brier score",
        "calibration_error" => "calibration error",
        "mape" => "mean absolute percentage error",
        "smape" => "symmetric percentage error",
        "rmsle" => "root mean squared logarithmic error",
        "r2" => "R²",
        "quantile_loss" => "quantile loss",
        "d2_pinball" => "saved quantile loss (D²)",
        "ndcg" => "NDCG",
        "map" => "mean average precision",
        "mrr" => "mean reciprocal rank",
        "hit_rate" => "hit rate",
        "answerable" => "answerable queries",
        other => other,
    }
}

/// What a metric means.
pub(super) fn metric(name: &str) -> &'static str {
    match name {
        "auroc" => {
            "The chance that a positive row has a higher score than a negative one: 0.5 is guessing, \
             1 is perfect."
        }
        "f1" => "The harmonic mean of precision and recall.",
        "precision" => "Of the rows decided positively, the share that is positive.",
        "recall" => "Of the positive rows, the share that was decided positively.",
        "accuracy" => "The share of decisions that are right.",
        "mae" => "By how much predictions are wrong on average, in the label's unit.",
        "rmse" => "How wrong predictions are, large errors weighing more, in the label's unit.",
        "specificity" => "Of the negative rows, the share that was left alone.",
        "mcc" => {
            "Correlation of decision and label: 0 is guessing, 1 is perfect, whatever the classes' shares."
        }
        "average_precision" => {
            "The precision at each positive row, from the highest score down, averaged: the share of \
             positives is guessing, 1 is perfect."
        }
        "log_loss" => "How surprised the scores were by the labels; 0 is perfect, 0.69 a coin.",
        "brier" => "Mean squared distance of score and label; 0 is perfect, 0.25 a coin.",
        "calibration_error" => {
            "How far scores are from the share of positives among rows with such scores."
        }
        "mape" => "By how many parts of the label predictions are wrong on average.",
        "smape" => "The error in parts of the mean of label and prediction, averaged; at most 2.",
        "rmsle" => {
            "Errors of the logarithms: what counts is the factor by which predictions are wrong."
        }
        "r2" => {
            "The share of the label's variance that is explained; 1 is perfect, 0 no better than the mean."
        }
        "quantile_loss" => {
            "What errors cost when too low and too high weigh as the quantile says, in the label's unit."
        }
        "coverage" => {
            "The share of labels at or below the prediction: as many as the quantile says are right; fewer: \
             predictions are too low, more: too high."
        }
        "d2_pinball" => {
            "The share of the loss of one number for every row that the predictions save: 1 is perfect, 0 no \
             better than that number."
        }
        "ndcg" => {
            "How near the order is to the best one, the first places weighing most: 1 is the best order."
        }
        "map" => "The precision at each relevant item, averaged over items and then over queries.",
        "mrr" => {
            "1 divided by the place of the first relevant item, averaged: 1 when it always comes first."
        }
        "hit_rate" => "The share of queries with a relevant item among the places looked at.",
        "answerable" => {
            "The share of queries with any relevant item; the other metrics are means over those."
        }
        "value" => "What a decision earns on average, by the worth given to each kind.",
        _ => "",
    }
}

/// What a detector of several columns says by its number.
pub(super) fn together(name: &str) -> &'static str {
    match name {
        multivariate::PCA => {
            "How far rows lie from what the reference's correlations let expect, in standard deviations."
        }
        multivariate::DOMAIN => {
            "How well a model tells current rows from those of the reference: 0.5 not at all, 1 each one."
        }
        multivariate::MMD => "How far both clouds of rows lie apart; 0 when they are the same.",
        _ => "",
    }
}

/// Rows of both sides in one phrase.
pub(super) fn rows((reference, current): (u64, u64)) -> String {
    format!("reference {} rows, current {} rows", counted(reference), counted(current))
}
