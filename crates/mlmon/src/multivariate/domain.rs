//! Domain classifier: can a model tell current rows from reference rows?
//!
//! Gradient boosting on "reference or current", five folds; the value is the AUROC of the held-out
//! answers. 0.5 says no, 1 says that every row gives itself away. The p-value is Mann and Whitney's.
//! Source: Lopez-Paz and Oquab (2017); NannyML alerts outside 0.45 to 0.65.
//! Useful: for any change that trees can see, in one number; categories and missing values included.
//! Not useful: with identifiers or times among the features, which always tell; for a quick answer.

use crate::Error;
use crate::detector::Measure;
use crate::gbdt::{Feature, Gbdt, Growth, Objective};
use crate::performance::binary::Curve;
use crate::stat::random::Random;
use crate::stat::special;

const FOLDS: usize = 5;
const SEED: u64 = 42;

/// Measures how well rows are told apart; features of both sides in the same order.
pub fn classify(reference: &[Feature], current: &[Feature]) -> Result<Measure, Error> {
    if reference.len() != current.len() || reference.is_empty() {
        return Err(Error::Mismatch("another number of features".to_owned()));
    }
    let features: Vec<Feature> =
        reference.iter().zip(current).map(joined).collect::<Result<_, Error>>()?;
    let (n, m) = (rows(&reference[0]), rows(&current[0]));
    if n < FOLDS || m < FOLDS {
        return Err(Error::Undefined("fewer rows than folds"));
    }
    let fold: Vec<usize> = {
        let mut random = Random::new(SEED);
        let mut deal = |rows: usize| {
            let mut folds: Vec<usize> = (0..rows).map(|row| row % FOLDS).collect();
            random.shuffle(&mut folds);
            folds
        };
        let mut fold = deal(n);
        fold.extend(deal(m));
        fold
    };
    let labels: Vec<bool> = (0..n + m).map(|row| row >= n).collect();
    let mut scores = vec![0.0; n + m];
    for held_out in 0..FOLDS {
        let (test, train): (Vec<usize>, Vec<usize>) =
            (0..n + m).partition(|row| fold[*row] == held_out);
        let targets: Vec<f64> = train.iter().map(|row| f64::from(u8::from(labels[*row]))).collect();
        let growth = Growth::default();
        let model = Gbdt::fit(&pick(&features, &train), &targets, Objective::Logistic, &growth)?;
        let answers = model.predict(&pick(&features, &test))?;
        test.into_iter().zip(answers).for_each(|(row, answer)| scores[row] = answer);
    }
    let auroc = Curve::of(&labels, &scores)?.auroc().unwrap_or(0.5);
    let (n, m) = (n as f64, m as f64);
    let z = (auroc - 0.5) / ((n + m + 1.0) / (12.0 * n * m)).sqrt();
    Ok(Measure::of_test(auroc, special::normal_sf(z), (2.0 * auroc - 1.0).max(0.0)))
}

fn rows(feature: &Feature) -> usize {
    match feature {
        Feature::Numbers(values) => values.len(),
        Feature::Codes(codes) => codes.len(),
    }
}

fn joined((reference, current): (&Feature, &Feature)) -> Result<Feature, Error> {
    match (reference, current) {
        (Feature::Numbers(left), Feature::Numbers(right)) => {
            Ok(Feature::Numbers([&left[..], right].concat()))
        }
        (Feature::Codes(left), Feature::Codes(right)) => {
            Ok(Feature::Codes([&left[..], right].concat()))
        }
        _ => Err(Error::Mismatch("numbers on one side, codes on the other".to_owned())),
    }
}

fn pick(features: &[Feature], rows: &[usize]) -> Vec<Feature> {
    let one = |feature: &Feature| match feature {
        Feature::Numbers(values) => Feature::Numbers(rows.iter().map(|row| values[*row]).collect()),
        Feature::Codes(codes) => Feature::Codes(rows.iter().map(|row| codes[*row]).collect()),
    };
    features.iter().map(one).collect()
}
