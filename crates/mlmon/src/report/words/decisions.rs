//! Decisions in sentences: what a threshold does, and which class is taken for which.

use super::super::short;
use crate::monitor::{ByThreshold, Classes, Thresholds};
use crate::performance::thresholds::AtThreshold;

/// Better by less than this is no advice.
const WORTH_TELLING: f64 = 0.005;

/// What the decisions are like, and whether another threshold would be better.
pub(in crate::report) fn thresholds(found: &Thresholds) -> Vec<String> {
    let (before, now) = (&found.reference, &found.current);
    let expected = if now.estimated { " (expected: no row has a label)" } else { "" };
    let rate = |of: fn(&AtThreshold) -> Option<f64>| {
        let percent = |side: &ByThreshold| {
            of(&side.decided).map_or("–".to_owned(), |rate| format!("{:.1} %", rate * 100.0))
        };
        format!("{} → {}", percent(before), percent(now))
    };
    let mut told = vec![format!(
        "Positive rows that are found: {}; positive decisions that are right: {}; negative rows that are \
         left alone: {}{expected}.",
        rate(|at| at.recall),
        rate(|at| at.precision),
        rate(|at| at.specificity),
    )];
    told.extend(better(now, found.used, |at| at.f1, (&now.best_f1, "F1")));
    told.extend(better(
        now,
        found.used,
        |at| at.value,
        (&now.best_value, "the worth of a decision"),
    ));
    if found.used.is_none() {
        told.push("Decisions do not follow from a threshold of the score.".to_owned());
    }
    told
}

fn better(
    now: &ByThreshold,
    used: Option<f64>,
    of: fn(&AtThreshold) -> Option<f64>,
    (best, name): (&Option<AtThreshold>, &str),
) -> Option<String> {
    let best = best.as_ref()?;
    let (most, is) = (of(best)?, of(&now.decided)?);
    let used = used.map_or("the one in use".to_owned(), |used| format!("{} in use", short(used)));
    Some(match most - is > WORTH_TELLING * is.abs().max(f64::MIN_POSITIVE) {
        true => format!(
            "On the current rows {name} is greatest at a threshold of {}: {}, against {} at {used}.",
            short(best.threshold),
            short(most),
            short(is)
        ),
        false => format!("No other threshold makes {name} better by more than 0.5 %."),
    })
}

/// The class that most rows are taken for another of, now and before.
pub(in crate::report) fn classes(found: &Classes) -> Option<String> {
    let matrix = found.current.as_ref()?;
    let share = |matrix: &[Vec<u64>], class: usize, as_class: usize| {
        let all: u64 = matrix[class].iter().sum();
        matrix[class][as_class] as f64 / all.max(1) as f64
    };
    let mut worst: Option<(f64, usize, usize)> = None;
    for class in 0..matrix.len() {
        for other in (0..matrix.len()).filter(|other| *other != class) {
            let wrong = share(matrix, class, other);
            if worst.is_none_or(|(most, ..)| wrong > most) {
                worst = Some((wrong, class, other));
            }
        }
    }
    let (wrong, class, other) = worst.filter(|(wrong, ..)| *wrong > 0.0)?;
    let before = share(&found.reference, class, other);
    Some(format!(
        "Most often mistaken: {} for {}, {:.1} % of its rows ({:.1} % on the reference).",
        found.names[class],
        found.names[other],
        wrong * 100.0,
        before * 100.0
    ))
}
