//! Ranking: how well scores order the items of each query, looked at as far as place k.
//!
//! ndcg: Σ gain / log₂(place + 1) over the first k places, divided by that sum of the best order; the
//! gain is the relevance itself. map: the precision at each relevant item among the first k, averaged
//! over as many as could be there. mrr: 1 / place of the first relevant item, 0 beyond k. `hit_rate`:
//! whether any of the first k is relevant. All averaged over queries that have a relevant item;
//! answerable: the share of queries that have one.
//! Items of equal score have no order, so each metric is its mean over all orders of them: NDCG as
//! scikit-learn's `ndcg_score`, the others by McSherry and Najork (2008). A constant score gets what
//! guessing gets, however the rows happen to lie.
//! An item without a score lies below all others, one without a label is not relevant; a query without
//! any label is left out.
//! Source: Järvelin and Kekäläinen (2002); TREC's `trec_eval`.
//! Useful: for search and recommendation. NDCG where relevance has grades, MRR where one good answer is
//! enough, the hit rate for what people see at a glance.
//! Not useful: where items that were not shown have no label: then the old ranking decides what can be
//! found to be good.

use super::same_length;
use crate::Error;

/// Metrics of rankings, averaged over queries that have any relevant item.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Ranking {
    /// Normalised discounted cumulative gain (linear gains, log₂ discount).
    pub ndcg: f64,
    /// Mean average precision.
    pub map: f64,
    /// Mean reciprocal rank of the first relevant item.
    pub mrr: f64,
    /// Share of queries with a relevant item among the first k.
    pub hit_rate: f64,
    /// Queries that were averaged.
    pub queries: usize,
}

/// Measures rankings cut at `k`. Rows of one query have the same number and need not be together.
/// Relevance above 0 is relevant.
pub fn ranking(
    queries: &[u64],
    scores: &[f64],
    relevance: &[f64],
    k: usize,
) -> Result<Ranking, Error> {
    same_length(queries.len(), scores.len())?;
    same_length(queries.len(), relevance.len())?;
    let mut rows: Vec<usize> = (0..queries.len()).collect();
    rows.sort_by_key(|row| queries[*row]);
    let mut sums = [0.0; 4];
    let mut counted = 0;
    for query in rows.chunk_by(|i, j| queries[*i] == queries[*j]) {
        let items = query.iter().map(|row| (scores[*row], relevance[*row]));
        if let Some(one) = Answer::of(items.collect(), k) {
            counted += 1;
            let terms = [one.ndcg, one.average_precision, one.reciprocal_rank, one.hit];
            sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
        }
    }
    if counted == 0 {
        return Err(Error::Undefined("queries without a relevant item"));
    }
    let [ndcg, map, mrr, hit_rate] = sums.map(|sum| sum / f64::from(counted));
    Ok(Ranking { ndcg, map, mrr, hit_rate, queries: usize::try_from(counted).unwrap_or(0) })
}

/// How good the ranking of one query is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer {
    /// Normalised discounted cumulative gain.
    pub ndcg: f64,
    /// Average precision.
    pub average_precision: f64,
    /// Reciprocal rank of the first relevant item.
    pub reciprocal_rank: f64,
    /// The chance that a relevant item is among the first k: 0 or 1 without equal scores.
    pub hit: f64,
}

impl Answer {
    /// Of a query's items as score and relevance, looked at as far as place `k`; nothing where no item
    /// is relevant.
    pub fn of(mut items: Vec<(f64, f64)>, k: usize) -> Option<Answer> {
        for (score, gain) in &mut items {
            if score.is_nan() {
                *score = f64::NEG_INFINITY;
            }
            // NaN as well: nobody said that it is relevant.
            *gain = gain.max(0.0);
        }
        items.sort_by(|left, right| right.0.total_cmp(&left.0));
        let all = items.iter().filter(|item| item.1 > 0.0).count();
        if all == 0 {
            return None;
        }
        let mut walk = Walk { k, place: 0, found: 0.0, answer: Answer::nothing(), unseen: 1.0 };
        // 0 and −0 are one score.
        #[expect(clippy::float_cmp, reason = "equal scores have no order")]
        for tied in items.chunk_by(|left, right| left.0 == right.0) {
            walk.take(tied);
        }
        let mut gains: Vec<f64> = items.iter().map(|item| item.1).collect();
        gains.sort_by(|left, right| right.total_cmp(left));
        let ideal = gains.iter().take(k).zip(1..).map(|(gain, place)| gain * discount(place));
        let mut answer = walk.answer;
        answer.ndcg /= ideal.sum::<f64>();
        answer.average_precision /= all.min(k).max(1) as f64;
        answer.hit = 1.0 - walk.unseen;
        Some(answer)
    }

    fn nothing() -> Answer {
        Answer { ndcg: 0.0, average_precision: 0.0, reciprocal_rank: 0.0, hit: 0.0 }
    }
}

fn discount(place: usize) -> f64 {
    1.0 / (place as f64 + 1.0).log2()
}

/// From the first place to the k-th, a group of equal scores at a time; sums in `answer`.
struct Walk {
    k: usize,
    /// Items before this group.
    place: usize,
    /// Relevant ones among them.
    found: f64,
    answer: Answer,
    /// The chance that no relevant item has come yet.
    unseen: f64,
}

impl Walk {
    fn take(&mut self, tied: &[(f64, f64)]) {
        let n = tied.len();
        let gain = tied.iter().map(|item| item.1).sum::<f64>() / n as f64;
        let relevant = tied.iter().filter(|item| item.1 > 0.0).count() as f64;
        let share = relevant / n as f64;
        // Relevant items of the group before a relevant one at its i-th place, on average.
        let before =
            |i: usize| if n > 1 { i as f64 * (relevant - 1.0) / (n as f64 - 1.0) } else { 0.0 };
        for i in 0..n.min(self.k.saturating_sub(self.place)) {
            let place = self.place + i + 1;
            self.answer.ndcg += gain * discount(place);
            if relevant > 0.0 {
                let precision = (self.found + 1.0 + before(i)) / place as f64;
                self.answer.average_precision += share * precision;
            }
            // Of the items not yet placed this share is relevant, when none has come.
            let first = (relevant / (n - i) as f64).min(1.0);
            self.answer.reciprocal_rank += self.unseen * first / place as f64;
            self.unseen *= 1.0 - first;
        }
        self.place += n;
        self.found += relevant;
    }
}
