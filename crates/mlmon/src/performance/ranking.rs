//! Ranking: how well scores order the items of each query.

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
/// Relevance above 0 is relevant; equal scores keep the order of the rows.
pub fn ranking(
    queries: &[u64],
    scores: &[f64],
    relevance: &[f64],
    k: usize,
) -> Result<Ranking, Error> {
    same_length(queries.len(), scores.len())?;
    same_length(queries.len(), relevance.len())?;
    let mut rows: Vec<usize> = (0..queries.len()).collect();
    rows.sort_by(|i, j| queries[*i].cmp(&queries[*j]).then(scores[*j].total_cmp(&scores[*i])));
    let mut sums = [0.0; 4];
    let mut counted = 0;
    for query in rows.chunk_by(|i, j| queries[*i] == queries[*j]) {
        let gains: Vec<f64> = query.iter().map(|row| relevance[*row].max(0.0)).collect();
        if let Some(one) = of_query(&gains, k) {
            counted += 1;
            sums.iter_mut().zip(one).for_each(|(sum, term)| *sum += term);
        }
    }
    if counted == 0 {
        return Err(Error::Undefined("queries without a relevant item"));
    }
    let [ndcg, map, mrr, hit_rate] = sums.map(|sum| sum / f64::from(counted));
    Ok(Ranking { ndcg, map, mrr, hit_rate, queries: usize::try_from(counted).unwrap_or(0) })
}

fn of_query(gains: &[f64], k: usize) -> Option<[f64; 4]> {
    let relevant = gains.iter().filter(|gain| **gain > 0.0).count();
    if relevant == 0 {
        return None;
    }
    let discounted = |gains: &[f64]| {
        let places = gains.iter().take(k).enumerate();
        places.map(|(place, gain)| gain / (place as f64 + 2.0).log2()).sum::<f64>()
    };
    let mut ideal = gains.to_vec();
    ideal.sort_by(|left, right| right.total_cmp(left));
    let (mut found, mut precisions, mut first) = (0.0, 0.0, 0.0);
    for (place, gain) in gains.iter().take(k).enumerate() {
        if *gain > 0.0 {
            found += 1.0;
            precisions += found / (place as f64 + 1.0);
            if first == 0.0 {
                first = 1.0 / (place as f64 + 1.0);
            }
        }
    }
    let possible = relevant.min(k).max(1) as f64;
    let hit = if found > 0.0 { 1.0 } else { 0.0 };
    Some([discounted(gains) / discounted(&ideal), precisions / possible, first, hit])
}
