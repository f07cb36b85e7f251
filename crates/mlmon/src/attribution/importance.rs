//! What features mean to a model, before and now.

use serde::Serialize;

use super::Attribution;

/// Below this agreement the order of the features has drifted, as SageMaker Clarify alarms.
pub const AGREEMENT_LEAST: f64 = 0.9;

/// Features of a model on two tables.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Importance {
    /// `linear`, `trees` or `permutation`.
    pub kind: &'static str,
    /// Rows of reference and current data that were explained.
    pub rows: (usize, usize),
    /// NDCG of the features in the order of now, by what they meant on the reference.
    pub agreement: f64,
    /// Whether that is less than [`AGREEMENT_LEAST`].
    pub drifted: bool,
    /// The features, most important on the reference first.
    pub features: Vec<Feature>,
}

/// One feature.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Feature {
    /// Its column.
    pub name: String,
    /// Mean size of its contributions on the reference, in the unit of the model's margin.
    pub reference: f64,
    /// The same on the current rows.
    pub current: f64,
    /// Its part of all features' sizes on the reference.
    pub reference_share: f64,
    /// The same on the current rows.
    pub current_share: f64,
    /// Its place on the reference, from 1.
    pub reference_rank: usize,
    /// Its place on the current rows.
    pub current_rank: usize,
    /// Whether its column drifted, where it was compared.
    pub column_drifted: Option<bool>,
}

impl Importance {
    /// Of mean sizes in the order of the names.
    pub fn of(
        kind: &'static str,
        rows: (usize, usize),
        names: &[String],
        (before, now): (&[f64], &[f64]),
    ) -> Importance {
        let (past, present) = (order(before), order(now));
        let place = |order: &[usize], feature: usize| {
            order.iter().position(|other| *other == feature).map_or(0, |place| place + 1)
        };
        let part = |sizes: &[f64], feature: usize| {
            let all: f64 = sizes.iter().sum();
            if all > 0.0 { sizes[feature] / all } else { 0.0 }
        };
        let feature = |feature: &usize| Feature {
            name: names[*feature].clone(),
            reference: before[*feature],
            current: now[*feature],
            reference_share: part(before, *feature),
            current_share: part(now, *feature),
            reference_rank: place(&past, *feature),
            current_rank: place(&present, *feature),
            column_drifted: None,
        };
        let agreement = agreement(before, &past, &present);
        Importance {
            kind,
            rows,
            agreement,
            drifted: agreement < AGREEMENT_LEAST,
            features: past.iter().map(feature).collect(),
        }
    }
}

fn order(sizes: &[f64]) -> Vec<usize> {
    Attribution { base: 0.0, contributions: sizes.to_vec() }.ranked()
}

fn agreement(sizes: &[f64], past: &[usize], present: &[usize]) -> f64 {
    let gain = |order: &[usize]| {
        let places = order.iter().zip(2_u32..);
        places.map(|(feature, place)| sizes[*feature] / f64::from(place).log2()).sum::<f64>()
    };
    let best = gain(past);
    // A model that listens to nothing has an order that cannot change.
    if best > 0.0 { gain(present) / best } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_that_change_places_lower_the_agreement() {
        let names: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
        let of = |now: &[f64]| Importance::of("linear", (9, 9), &names, (&[3.0, 2.0, 1.0], now));
        let same = of(&[30.0, 20.0, 10.0]);
        assert!((same.agreement - 1.0).abs() < 1e-12 && !same.drifted);
        let turned = of(&[1.0, 2.0, 3.0]);
        // By hand: (1 + 2/log2(3) + 3/2) / (3 + 2/log2(3) + 1/2).
        assert!((turned.agreement - 0.789_998).abs() < 1e-5, "{}", turned.agreement);
        assert!(turned.drifted);
        assert_eq!(turned.features[0].name, "a");
        assert_eq!((turned.features[0].reference_rank, turned.features[0].current_rank), (1, 3));
        assert!((turned.features[0].reference_share - 0.5).abs() < 1e-12);
        assert!(of(&[0.0; 3]).features[2].current_share.abs() < 1e-12);
    }
}
