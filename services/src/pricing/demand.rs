//! The demand model of a property: how likely a guest accepts a price, and which price is best.
//!
//! Logistic in the logarithm of the price over the property's base price, with the weekend and how
//! early the guest asks. Fitted by Newton's method with a little ridge: three weights and an
//! intercept need no library.

/// As metrics name the kind of model.
pub(super) const MODEL_TYPE: &str = "conversion";

/// What a guest asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Asked {
    pub(super) weekend: bool,
    pub(super) lead_days: f64,
}

/// A price that was offered and what became of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    pub(super) asked: Asked,
    pub(super) price: f64,
    pub(super) accepted: bool,
}

const WEIGHTS: usize = 4;
type Row = [f64; WEIGHTS];

/// A fitted model.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Demand {
    base_price: f64,
    weights: Row,
    /// Which training made it, counted by property.
    pub(super) version: u32,
}

/// What a property costs where nothing is known.
pub(super) fn base_price(property_id: &str) -> f64 {
    let number: u32 = property_id.bytes().map(u32::from).sum();
    80.0 + f64::from(number % 97)
}

fn row(base_price: f64, asked: Asked, price: f64) -> Row {
    let weekend = if asked.weekend { 1.0 } else { 0.0 };
    [1.0, (price / base_price).ln(), weekend, asked.lead_days.clamp(0.0, 365.0) / 100.0]
}

fn logistic(row: &Row, weights: &Row) -> f64 {
    let sum: f64 = row.iter().zip(weights).map(|(value, weight)| value * weight).sum();
    1.0 / (1.0 + (-sum).exp())
}

impl Demand {
    /// Fits `outcomes`; none when they are all of one kind or tell nothing.
    pub(super) fn fit(base_price: f64, outcomes: &[Outcome], version: u32) -> Option<Demand> {
        const RIDGE: f64 = 0.5;
        let accepted = outcomes.iter().filter(|outcome| outcome.accepted).count();
        if accepted == 0 || accepted == outcomes.len() {
            return None;
        }
        let mut weights = [0.0; WEIGHTS];
        for _ in 0..25 {
            let mut gradient = weights.map(|weight| -RIDGE * weight);
            let mut curvature = [[0.0; WEIGHTS]; WEIGHTS];
            for (index, line) in curvature.iter_mut().enumerate() {
                line[index] = RIDGE;
            }
            for outcome in outcomes {
                let row = row(base_price, outcome.asked, outcome.price);
                let expected = logistic(&row, &weights);
                let accepted = if outcome.accepted { 1.0 } else { 0.0 };
                for (i, value) in row.iter().enumerate() {
                    gradient[i] += (accepted - expected) * value;
                    for (j, other) in row.iter().enumerate() {
                        curvature[i][j] += expected * (1.0 - expected) * value * other;
                    }
                }
            }
            let step = solve(curvature, gradient)?;
            for (weight, step) in weights.iter_mut().zip(step) {
                *weight += step;
            }
            if step.iter().all(|step| step.abs() < 1e-6) {
                break;
            }
        }
        Some(Demand { base_price, weights, version })
    }

    /// How likely it is that the price is accepted.
    pub(super) fn acceptance(&self, asked: Asked, price: f64) -> f64 {
        logistic(&row(self.base_price, asked, price), &self.weights)
    }

    /// The price with the highest revenue to be expected, within 60 % and 180 % of the base price.
    pub(super) fn best_price(&self, asked: Asked) -> f64 {
        let prices = (60..=180_u32).map(|percent| self.base_price * f64::from(percent) / 100.0);
        let revenue = |price: &f64| price * self.acceptance(asked, *price);
        prices.max_by(|a, b| revenue(a).total_cmp(&revenue(b))).unwrap_or(self.base_price)
    }

    /// Mean logarithmic loss on `outcomes`: the lower the better.
    pub(super) fn loss(&self, outcomes: &[Outcome]) -> f64 {
        let sum: f64 = outcomes
            .iter()
            .map(|outcome| {
                let expected =
                    self.acceptance(outcome.asked, outcome.price).clamp(1e-9, 1.0 - 1e-9);
                if outcome.accepted { -expected.ln() } else { -(1.0 - expected).ln() }
            })
            .sum();
        sum / f64::from(u32::try_from(outcomes.len().max(1)).unwrap_or(u32::MAX))
    }
}

/// Gauss's elimination with pivoting; none where the matrix is singular.
fn solve(mut matrix: [Row; WEIGHTS], mut right: Row) -> Option<Row> {
    for column in 0..WEIGHTS {
        let pivot = (column..WEIGHTS)
            .max_by(|a, b| matrix[*a][column].abs().total_cmp(&matrix[*b][column].abs()))?;
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        if matrix[column][column].abs() < 1e-12 {
            return None;
        }
        for line in column + 1..WEIGHTS {
            let factor = matrix[line][column] / matrix[column][column];
            let above = matrix[column];
            for (value, above) in matrix[line].iter_mut().zip(above).skip(column) {
                *value -= factor * above;
            }
            right[line] -= factor * right[column];
        }
    }
    for column in (0..WEIGHTS).rev() {
        let known: f64 = (column + 1..WEIGHTS).map(|next| matrix[column][next] * right[next]).sum();
        right[column] = (right[column] - known) / matrix[column][column];
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng as _, SeedableRng as _};

    use super::*;

    fn outcomes(elasticity: f64) -> Vec<Outcome> {
        let mut rng = StdRng::seed_from_u64(3);
        (0..4_000)
            .map(|_| {
                let asked = Asked { weekend: rng.random(), lead_days: rng.random_range(0.0..90.0) };
                let price = 100.0 * rng.random_range(0.6..1.8);
                let sum = 0.4 - elasticity * (price / 100.0_f64).ln();
                Outcome { asked, price, accepted: rng.random_bool(1.0 / (1.0 + (-sum).exp())) }
            })
            .collect()
    }

    #[test]
    fn the_elasticity_that_made_the_outcomes_is_found() {
        let model = Demand::fit(100.0, &outcomes(4.0), 1).unwrap();
        assert!((model.weights[1] + 4.0).abs() < 0.4, "{model:?}");
        assert!((model.weights[0] - 0.4).abs() < 0.2, "{model:?}");
    }

    #[test]
    fn what_guests_care_more_about_is_cheaper() {
        let asked = Asked { weekend: false, lead_days: 10.0 };
        let price =
            |elasticity| Demand::fit(100.0, &outcomes(elasticity), 1).unwrap().best_price(asked);
        assert!(price(6.0) < price(2.5), "{} {}", price(6.0), price(2.5));
    }

    #[test]
    fn outcomes_of_one_kind_make_no_model() {
        let mut all = outcomes(4.0);
        all.retain(|outcome| outcome.accepted);
        assert_eq!(Demand::fit(100.0, &all, 1), None);
        assert_eq!(Demand::fit(100.0, &[], 1), None);
    }
}
