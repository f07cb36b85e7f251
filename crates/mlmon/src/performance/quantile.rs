//! Predicted quantiles: what an error costs when too low and too high are not the same.
//!
//! With q the quantile and e = label − prediction, `quantile_loss` is the mean of max(q·e, (q − 1)·e), the
//! pinball loss; coverage is the share of labels at or below the prediction, which should be q;
//! `d2_pinball` is 1 − loss / loss of the labels' own q-quantile predicted for every row.
//! Source: Koenker and Bassett (1978); scikit-learn's `mean_pinball_loss` and `d2_pinball_score`.
//! Useful: for stock, capacity and prices, where one asks for the value that is exceeded one time of ten.
//! Coverage says in words what is wrong when the loss rises: predictions too low, or too high.
//! Not useful: coverage alone, which the same number for every row has as well; that is why `d2_pinball`
//! stands beside it, where that is 0.

use super::same_length;
use crate::Error;

/// How good predictions of a quantile are.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Quantile {
    /// Mean pinball loss, in the label's unit.
    pub loss: f64,
    /// Share of labels at or below the prediction.
    pub coverage: f64,
    /// Share of the loss of a constant that is saved; `None` for constant labels.
    pub d2_pinball: Option<f64>,
}

/// Mean pinball loss of predictions of the `alpha` quantile.
pub fn quantile_loss(labels: &[f64], predictions: &[f64], alpha: f64) -> Result<f64, Error> {
    same_length(labels.len(), predictions.len())?;
    valid(alpha)?;
    let rows = labels.iter().zip(predictions);
    Ok(rows.map(|(label, p)| loss(*label, *p, alpha)).sum::<f64>() / labels.len() as f64)
}

/// Everything about predictions of the `alpha` quantile.
pub fn quantile(labels: &[f64], predictions: &[f64], alpha: f64) -> Result<Quantile, Error> {
    let mean = quantile_loss(labels, predictions, alpha)?;
    let below = labels.iter().zip(predictions).filter(|(label, prediction)| label <= prediction);
    let constant = own_quantile(labels, alpha);
    let all = labels.iter().map(|label| loss(*label, constant, alpha)).sum::<f64>();
    let constant = all / labels.len() as f64;
    Ok(Quantile {
        loss: mean,
        coverage: below.count() as f64 / labels.len() as f64,
        d2_pinball: (constant > 0.0).then(|| 1.0 - mean / constant),
    })
}

/// Refuses what is no quantile between the least and the greatest value.
pub fn valid(alpha: f64) -> Result<(), Error> {
    match alpha > 0.0 && alpha < 1.0 {
        true => Ok(()),
        false => Err(Error::Option(format!("a quantile lies between 0 and 1, not {alpha}"))),
    }
}

fn loss(label: f64, prediction: f64, alpha: f64) -> f64 {
    let error = label - prediction;
    (alpha * error).max((alpha - 1.0) * error)
}

/// The quantile of the labels, between two of them where it falls there, as NumPy's `percentile`.
fn own_quantile(labels: &[f64], alpha: f64) -> f64 {
    let mut sorted = labels.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let place = alpha * (sorted.len() - 1) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a row's place")]
    let low = place.floor() as usize;
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + (sorted[high] - sorted[low]) * (place - low as f64)
}
