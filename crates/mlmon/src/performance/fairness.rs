//! Differences between groups of people: greatest minus smallest rate over the groups.
//!
//! `demographic_parity`: of the share decided positively; `equal_opportunity`: of recall;
//! `equalised_odds`: the greater of the differences of recall and of false positive rate.
//! Source: fairlearn's `*_difference` metrics; Hardt and others (2016).
//! Useful: to see that a change of the data or the model falls on one group.
//! Not useful: as a verdict. Where groups differ in what is true of them, the three cannot all be nought.
//! A group with fewer rows than [`ROWS_LEAST`] is listed
//! and left out of the differences: its rate is noise.

use serde::Serialize;

use super::binary::Confusion;
use super::same_length;
use crate::Error;

/// Rows below which a group's rates are not compared.
pub const ROWS_LEAST: f64 = 30.0;

/// The decisions on one group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// The group.
    pub name: String,
    /// Its confusion matrix.
    pub confusion: Confusion,
}

impl Group {
    /// Share of rows decided positively.
    pub fn selection(&self) -> Option<f64> {
        let Confusion { true_positive, false_positive, .. } = self.confusion;
        super::ratio(true_positive + false_positive, self.confusion.rows())
    }

    fn false_positive_rate(&self) -> Option<f64> {
        self.confusion.specificity().map(|rate| 1.0 - rate)
    }
}

/// Rates by group and how far they lie apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fairness {
    /// The groups by name.
    pub groups: Vec<Group>,
    /// Demographic parity: difference of the shares decided positively.
    pub demographic_parity: Option<f64>,
    /// Equal opportunity: difference of the recalls.
    pub equal_opportunity: Option<f64>,
    /// Equalised odds: the greater of the differences of recall and false positive rate.
    pub equalised_odds: Option<f64>,
}

/// Measures decisions by group.
pub fn fairness(labels: &[bool], decisions: &[bool], groups: &[&str]) -> Result<Fairness, Error> {
    same_length(labels.len(), decisions.len())?;
    same_length(labels.len(), groups.len())?;
    let mut rows: std::collections::BTreeMap<&str, (Vec<bool>, Vec<bool>)> =
        std::collections::BTreeMap::new();
    for ((label, decision), group) in labels.iter().zip(decisions).zip(groups) {
        let of_group = rows.entry(group).or_default();
        of_group.0.push(*label);
        of_group.1.push(*decision);
    }
    let groups = rows
        .into_iter()
        .map(|(name, (labels, decisions))| {
            let confusion = Confusion::of(&labels, &decisions)?;
            Ok(Group { name: name.to_owned(), confusion })
        })
        .collect::<Result<Vec<Group>, Error>>()?;
    let opportunity = apart(&groups, |group| group.confusion.recall());
    let alarms = apart(&groups, Group::false_positive_rate);
    Ok(Fairness {
        demographic_parity: apart(&groups, Group::selection),
        equal_opportunity: opportunity,
        equalised_odds: opportunity.zip(alarms).map(|(left, right)| left.max(right)),
        groups,
    })
}

fn apart(groups: &[Group], rate: impl Fn(&Group) -> Option<f64>) -> Option<f64> {
    let large = groups.iter().filter(|group| group.confusion.rows() >= ROWS_LEAST);
    let rates: Vec<f64> = large.filter_map(rate).collect();
    let most = rates.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
    (rates.len() > 1).then_some(most - least)
}
