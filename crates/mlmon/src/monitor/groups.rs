//! Decisions by group of people: rates of each group, and how far they lie apart.

use arrow_array::cast::AsArray;
use serde::Serialize;

use super::Monitor;
use super::performance::Decisions;
use super::rows::Table;
use crate::Error;
use crate::performance::fairness::{self, ROWS_LEAST};

/// Groups beyond this many, smallest first, are left out.
const GROUPS_LIMIT: usize = 50;

/// Fairness before and now.
#[derive(Debug, Clone, Serialize)]
pub struct Groups {
    /// The column that says the group.
    pub column: String,
    /// On the reference.
    pub reference: Rates,
    /// On the current data.
    pub current: Rates,
}

/// Rates by group and their differences.
#[derive(Debug, Clone, Serialize)]
pub struct Rates {
    /// The groups, largest first.
    pub groups: Vec<Group>,
    /// Difference of the shares decided positively.
    pub demographic_parity: Option<f64>,
    /// Difference of the recalls; of rows with labels.
    pub equal_opportunity: Option<f64>,
    /// The greater of the differences of recall and false positive rate; of rows with labels.
    pub equalised_odds: Option<f64>,
}

/// One group.
#[derive(Debug, Clone, Serialize)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Rows.
    pub rows: u64,
    /// Share decided positively.
    pub selection: Option<f64>,
    /// Share of the positives that were found; of rows with labels.
    pub recall: Option<f64>,
    /// Share of the negatives that were decided positively; of rows with labels.
    pub false_positive_rate: Option<f64>,
}

pub(super) fn measure(
    monitor: &Monitor,
    reference: &Table,
    current: &Table,
) -> Result<Option<Groups>, Error> {
    let Some(column) = &monitor.protected else { return Ok(None) };
    Ok(Some(Groups {
        column: column.clone(),
        reference: rates(monitor, reference, column)?,
        current: rates(monitor, current, column)?,
    }))
}

fn rates(monitor: &Monitor, table: &Table, column: &str) -> Result<Rates, Error> {
    let array =
        table.get(column).ok_or_else(|| Error::Option(format!("there is no column {column:?}")))?;
    let texts = arrow_cast::cast(array, &arrow_schema::DataType::Utf8)
        .map_err(|_| Error::Type(array.data_type().to_string()))?;
    let texts: Vec<&str> =
        texts.as_string::<i32>().iter().map(|text| text.unwrap_or("(missing)")).collect();
    let known = Decisions::of(monitor, table)?;
    // All rows say how many are decided positively; those with a label say the rest.
    let nobody = vec![false; texts.len()];
    let all = fairness::fairness(&nobody, &known.decisions, &texts)?;
    let labelled: Vec<usize> =
        (0..texts.len()).filter(|row| !known.labels[*row].is_nan()).collect();
    let labels: Vec<bool> = labelled.iter().map(|row| known.labels[*row] > 0.5).collect();
    let decisions: Vec<bool> = labelled.iter().map(|row| known.decisions[*row]).collect();
    let of_labelled: Vec<&str> = labelled.iter().map(|row| texts[*row]).collect();
    let judged = fairness::fairness(&labels, &decisions, &of_labelled)?;
    let mut groups: Vec<Group> = all
        .groups
        .iter()
        .map(|group| {
            let same = judged.groups.iter().find(|other| other.name == group.name);
            let same = same.filter(|other| other.confusion.rows() >= ROWS_LEAST);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rows")]
            let rows = group.confusion.rows() as u64;
            Group {
                name: group.name.clone(),
                rows,
                selection: group.selection(),
                recall: same.and_then(|one| one.confusion.recall()),
                false_positive_rate: same
                    .and_then(|one| one.confusion.specificity())
                    .map(|rate| 1.0 - rate),
            }
        })
        .collect();
    groups.sort_by(|left, right| right.rows.cmp(&left.rows).then(left.name.cmp(&right.name)));
    groups.truncate(GROUPS_LIMIT);
    Ok(Rates {
        groups,
        demographic_parity: all.demographic_parity,
        equal_opportunity: judged.equal_opportunity,
        equalised_odds: judged.equalised_odds,
    })
}
