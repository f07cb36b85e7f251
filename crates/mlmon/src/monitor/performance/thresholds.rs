//! Decisions by other thresholds than the one in use, before and now.

use serde::Serialize;

use super::CUT;
use super::two_classes::Decisions;
use crate::estimate::cbpe::Cbpe;
use crate::monitor::Monitor;
use crate::performance::binary::{Confusion, Worth};
use crate::performance::thresholds::{AtThreshold, Counts};

/// Decisions by threshold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Thresholds {
    /// The threshold in use: 0.5 where scores alone are known, otherwise the least score that was
    /// decided positively; none where decisions do not follow from the score.
    pub used: Option<f64>,
    /// On the reference.
    pub reference: ByThreshold,
    /// On the current rows.
    pub current: ByThreshold,
}

/// One side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ByThreshold {
    /// Rows that were counted.
    pub rows: u64,
    /// Whether these are expected counts, since no row has a label.
    pub estimated: bool,
    /// Of the decisions as they were made.
    pub decided: AtThreshold,
    /// Where F1 is greatest.
    pub best_f1: Option<AtThreshold>,
    /// Where a decision is worth most, if a worth is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best_value: Option<AtThreshold>,
    /// Every threshold, ascending.
    pub points: Vec<AtThreshold>,
}

impl Thresholds {
    /// Nothing where neither side has a row.
    pub(super) fn of(
        monitor: &Monitor,
        before: &Decisions,
        now: &Decisions,
        cbpe: &Cbpe,
    ) -> Option<Thresholds> {
        let (low, high) = ends(before.scores())?;
        let used = match monitor.prediction {
            None => Some(CUT),
            Some(_) => in_use(before),
        };
        let worth = monitor.worth.as_ref();
        let side = |decisions: &Decisions| {
            ByThreshold::of(decisions, cbpe, Counts::between(low, high), (used, worth))
        };
        Some(Thresholds { used, reference: side(before)?, current: side(now)? })
    }
}

/// The least and the greatest threshold: 0 and 1 for probabilities.
fn ends(scores: &[f64]) -> Option<(f64, f64)> {
    let finite = || scores.iter().copied().filter(|score| score.is_finite());
    let (low, high) = (finite().reduce(f64::min)?, finite().reduce(f64::max)?);
    Some(if low >= 0.0 && high <= 1.0 { (0.0, 1.0) } else { (low, high) })
}

/// The threshold that tells positive decisions from negative ones.
fn in_use(decisions: &Decisions) -> Option<f64> {
    let of = |wanted: bool| {
        let rows = decisions.scores().iter().zip(&decisions.decisions);
        rows.filter(move |(score, decided)| **decided == wanted && !score.is_nan())
            .map(|row| *row.0)
    };
    let (positive, negative) = (of(true).reduce(f64::min)?, of(false).reduce(f64::max)?);
    (positive > negative).then_some(positive)
}

impl ByThreshold {
    fn of(
        rows: &Decisions,
        cbpe: &Cbpe,
        mut counts: Counts,
        (used, worth): (Option<f64>, Option<&Worth>),
    ) -> Option<ByThreshold> {
        let estimated = rows.labels.iter().all(|label| label.is_nan());
        let mut confusion = Confusion::default();
        let mut counted = 0;
        for ((score, label), decided) in rows.scores().iter().zip(&rows.labels).zip(&rows.decisions)
        {
            let positive = match (estimated, label.is_nan()) {
                (true, _) => cbpe.probability(*score),
                (false, true) => continue,
                (false, false) => f64::from(u8::from(*label > 0.5)),
            };
            if positive.is_nan() {
                continue;
            }
            counted += 1;
            counts.add(*score, positive, 1.0);
            let (hit, miss) = match decided {
                true => (&mut confusion.true_positive, &mut confusion.false_positive),
                false => (&mut confusion.false_negative, &mut confusion.true_negative),
            };
            *hit += positive;
            *miss += 1.0 - positive;
        }
        if counted == 0 {
            return None;
        }
        let points = counts.points(worth);
        Some(ByThreshold {
            rows: counted,
            estimated,
            decided: AtThreshold::of(used.unwrap_or(f64::NAN), confusion, worth),
            best_f1: best(&points, |point| point.f1),
            best_value: best(&points, |point| point.value),
            points,
        })
    }
}

/// The first point with the greatest value.
fn best(
    points: &[AtThreshold],
    value: impl Fn(&AtThreshold) -> Option<f64>,
) -> Option<AtThreshold> {
    let known = points.iter().filter_map(|point| Some((value(point)?, point)));
    // Of equal ones the last is taken, so the walk goes from the end.
    known.rev().max_by(|left, right| left.0.total_cmp(&right.0)).map(|(_, point)| *point)
}
