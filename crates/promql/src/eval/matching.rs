//! How the series of two vectors find each other.

use hashbrown::HashMap;
use model::metric::{Labels, LabelsBuilder};

use super::column::Series;
use super::value::{is_metadata, put_labels, without_labels};
use crate::ast::{BinaryOp, Cardinality, VectorMatching};

/// Operators whose result is another metric.
pub(crate) fn changes_metric(op: BinaryOp) -> bool {
    matches!(
        op,
        BinaryOp::Add
            | BinaryOp::Sub
            | BinaryOp::Mul
            | BinaryOp::Div
            | BinaryOp::Mod
            | BinaryOp::Pow
            | BinaryOp::Atan2
    )
}

/// The labels by which a series is matched, as the user wrote them.
pub(crate) fn matched_labels(labels: &Labels, matching: &VectorMatching) -> Labels {
    without_labels(labels, |name| !is_matched(name, matching))
}

/// Whether a label has to be the same on both sides.
fn is_matched(name: &str, matching: &VectorMatching) -> bool {
    let listed = matching.labels.iter().any(|label| label == name);
    // What a metric is does not say which series it is: that does not have to be the same.
    if matching.on { listed } else { !listed && !is_metadata(name) }
}

/// The series that have the same matching labels.
#[derive(Debug, Default)]
pub(crate) struct Match {
    pub(crate) left: Vec<usize>,
    pub(crate) right: Vec<usize>,
}

/// Sorts the series of both sides by their matching labels, in order of their first occurrence.
pub(crate) fn matches(left: &[Series], right: &[Series], matching: &VectorMatching) -> Vec<Match> {
    let mut known: HashMap<Vec<u8>, usize> = HashMap::with_capacity(left.len());
    let mut found: Vec<Match> = Vec::new();
    let mut key = Vec::new();
    let mut at = |labels: &Labels, found: &mut Vec<Match>| {
        key.clear();
        put_labels(&mut key, labels, |name| is_matched(name, matching));
        if let Some(&at) = known.get(&key) {
            return at;
        }
        found.push(Match::default());
        known.insert(key.clone(), found.len() - 1);
        found.len() - 1
    };
    for (index, series) in left.iter().enumerate() {
        let at = at(&series.labels, &mut found);
        found[at].left.push(index);
    }
    for (index, series) in right.iter().enumerate() {
        let at = at(&series.labels, &mut found);
        found[at].right.push(index);
    }
    found
}

/// The labels of a result, from those of the "many" side and of the "one" side.
pub(crate) fn result_labels(
    many: &Labels,
    one: &Labels,
    op: BinaryOp,
    matching: &VectorMatching,
    drop_metadata: bool,
) -> Labels {
    let listed = |name: &str| matching.labels.iter().any(|label| label == name);
    let drop_metadata = drop_metadata || changes_metric(op);
    let kept = without_labels(many, |name| {
        if drop_metadata && is_metadata(name) {
            return true;
        }
        matching.cardinality == Cardinality::OneToOne && matching.on != listed(name)
    });
    if matching.include.is_empty() {
        return kept;
    }
    let mut builder = LabelsBuilder::from_labels(&kept);
    for name in &matching.include {
        builder.set(name, one.get(name).unwrap_or_default());
    }
    builder.build()
}
