//! What features mean to the model, in sentences.

use super::super::short;
use super::listed;
use crate::attribution::{Feature, Importance};

/// Features without this part of the whole are not worth a sentence.
const HEARD: f64 = 0.01;

/// Shares of a feature before and now.
pub(in crate::report) fn shares(feature: &Feature) -> String {
    format!("{:.1} % → {:.1} %", feature.reference_share * 100.0, feature.current_share * 100.0)
}

/// A feature's place before and now.
pub(in crate::report) fn place(feature: &Feature) -> String {
    match (feature.reference_rank, feature.current_rank) {
        (before, now) if before == now => before.to_string(),
        (before, now) => format!("{before} → {now}"),
    }
}

/// What to make of it.
pub(in crate::report) fn story(found: &Importance) -> Vec<String> {
    let mut told = Vec::new();
    let drifted = || found.features.iter().filter(|feature| feature.column_drifted == Some(true));
    let heard: Vec<String> = drifted()
        .filter(|feature| feature.reference_share >= HEARD)
        .map(|feature| format!("{} ({:.0} %)", feature.name, feature.reference_share * 100.0))
        .collect();
    let heard: Vec<&str> = heard.iter().map(String::as_str).collect();
    let weight: f64 = drifted().map(|feature| feature.reference_share).sum();
    if !heard.is_empty() {
        told.push(format!(
            "Columns that drifted carry {:.0} % of what the model listens to: {}.",
            weight * 100.0,
            listed(&heard)
        ));
    } else if drifted().next().is_some() {
        told.push("The model hardly listens to the columns that drifted.".to_owned());
    }
    if found.drifted {
        let agreement = short(found.agreement);
        let rises = found.features.iter().max_by(|left, right| {
            let change = |one: &Feature| one.current_share - one.reference_share;
            change(left).total_cmp(&change(right))
        });
        let most = rises.map_or(String::new(), |one| {
            format!(" Most was gained by {}: {}.", one.name, shares(one))
        });
        told.push(format!(
            "The model listens to its features in another order: agreement {agreement}, below 0.9.{most}"
        ));
    }
    told
}
