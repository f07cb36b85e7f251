//! Order statistics of a window that slides.

/// The numbers of a window, sorted, NaN first.
#[derive(Debug, Default)]
pub(crate) struct SortedWindow {
    sorted: Vec<f64>,
    first: usize,
    last: usize,
}

/// NaN before everything, as Prometheus sorts for quantiles.
fn order(one: f64, other: f64) -> std::cmp::Ordering {
    match (one.is_nan(), other.is_nan()) {
        (true, true) => std::cmp::Ordering::Equal,
        (true, false) => std::cmp::Ordering::Less,
        (false, true) => std::cmp::Ordering::Greater,
        (false, false) => one.partial_cmp(&other).unwrap_or(std::cmp::Ordering::Equal),
    }
}

impl SortedWindow {
    /// Moves to `values[first..last]`; neither end moves back.
    pub(crate) fn move_to(&mut self, values: &[f64], first: usize, last: usize) {
        let stays = last.min(self.last).saturating_sub(first.max(self.first));
        let changes = (last - first) + (self.last - self.first) - 2 * stays.min(last - first);
        // Each change moves half of the window; sorting costs about its size times its logarithm.
        if first >= self.last || changes > 24 {
            self.sorted.clear();
            self.sorted.extend_from_slice(&values[first..last]);
            self.sorted.sort_unstable_by(|&one, &other| order(one, other));
        } else {
            for &value in &values[self.first..first] {
                let at = self.sorted.partition_point(|&one| order(one, value).is_lt());
                if at < self.sorted.len() {
                    self.sorted.remove(at);
                }
            }
            for &value in &values[self.last..last] {
                let at = self.sorted.partition_point(|&one| order(one, value).is_lt());
                self.sorted.insert(at, value);
            }
        }
        (self.first, self.last) = (first, last);
    }

    /// The `q`-quantile.
    pub(crate) fn quantile(&self, q: f64) -> f64 {
        quantile_of_sorted(q, &self.sorted)
    }
}

/// Sorts and finds the `q`-quantile.
pub(crate) fn quantile_of(q: f64, values: &mut [f64]) -> f64 {
    values.sort_unstable_by(|&one, &other| order(one, other));
    quantile_of_sorted(q, values)
}

fn quantile_of_sorted(q: f64, sorted: &[f64]) -> f64 {
    if sorted.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    #[expect(clippy::cast_precision_loss, reason = "a number of samples in memory")]
    let rank = q * (sorted.len() - 1) as f64;
    #[expect(clippy::cast_possible_truncation, reason = "between 0 and the length")]
    #[expect(clippy::cast_sign_loss, reason = "between 0 and the length")]
    let lower = rank.floor() as usize;
    let upper = (lower + 1).min(sorted.len() - 1);
    let weight = rank - rank.floor();
    sorted[lower] * (1.0 - weight) + sorted[upper] * weight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sliding_window_says_what_sorting_says() {
        let values: Vec<f64> = (0..200).map(|i| f64::from((i * 7919) % 101)).collect();
        let mut window = SortedWindow::default();
        for (first, last) in [(0, 0), (0, 10), (3, 14), (5, 40), (90, 120), (91, 121), (199, 200)] {
            window.move_to(&values, first, last);
            let mut copy = values[first..last].to_vec();
            let (one, other) = (window.quantile(0.3), quantile_of(0.3, &mut copy));
            assert_eq!(one.to_bits(), other.to_bits(), "{first}..{last}");
        }
    }
}
