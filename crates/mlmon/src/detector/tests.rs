//! Values of the reference libraries, and properties that every detector has.

#![expect(
    clippy::float_cmp,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "tests compare exact answers and count small numbers"
)]

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, StringArray};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::profile::{Binning, Edges, Profile};
use crate::stat::{kolmogorov, order};

struct Columns {
    kind: Kind,
    reference: (Profile, Vec<f64>),
    current: (Profile, Vec<f64>),
}

impl Columns {
    fn new(reference: &ArrayRef, current: &ArrayRef, binning: &Binning) -> Result<Columns, Error> {
        let edges = Arc::new(Edges::fit(&[Arc::clone(reference)], binning)?);
        let side = |array: &ArrayRef| {
            let mut profile = Profile::new(Arc::clone(&edges));
            profile.update(array.as_ref()).unwrap();
            let mut values = match edges.kind() {
                Kind::Numeric => crate::column::collect_numbers(&[Arc::clone(array)]).unwrap().0,
                _ => Vec::new(),
            };
            values.retain(|value| value.is_finite());
            order::sort(&mut values);
            (profile, values)
        };
        let (reference, current) = (side(reference), side(current));
        Ok(Columns { kind: edges.kind(), reference, current })
    }

    fn measure(&self, name: &str) -> Result<Measure, Error> {
        let reference = Side::of(&self.reference.0).with_sorted(&self.reference.1);
        let current = Side::of(&self.current.0).with_sorted(&self.current.1);
        (find(name).unwrap().measure)(&Pair::new(self.kind, reference, current)?)
    }
}

use crate::pair::Side;

fn array(values: &Value) -> ArrayRef {
    let values = values.as_array().unwrap();
    if values[0].is_string() {
        Arc::new(values.iter().map(|v| v.as_str()).collect::<StringArray>())
    } else {
        Arc::new(values.iter().map(Value::as_f64).collect::<Float64Array>())
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn near(ours: f64, theirs: f64) -> bool {
    ours == theirs || (ours - theirs).abs() <= 1e-6 * theirs.abs().max(1e-9)
}

fn golden() -> Value {
    serde_json::from_str(include_str!("../../testdata/univariate.json")).unwrap()
}

#[test]
fn values_and_probabilities_are_those_of_the_reference_libraries() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for case in golden()["cases"].as_array().unwrap() {
        let (reference, current) = (array(&case["reference"]), array(&case["current"]));
        let plain = Columns::new(&reference, &current, &Binning::default()).unwrap();
        let doane = Columns::new(&reference, &current, &Binning::Doane).unwrap();
        for library in ["scipy", "evidently", "nannyml"] {
            for (name, expected) in case[library].as_object().unwrap() {
                let detector = name.trim_end_matches("_doane").trim_end_matches("_asymptotic");
                let columns = if name.ends_with("_doane") { &doane } else { &plain };
                let measure = columns.measure(detector).unwrap();
                let mut ours = [measure.value, measure.probability];
                if name == "chi_square" && library == "nannyml" {
                    continue; // the table of NannyML is SciPy's, checked above
                }
                if name == "anderson_darling" {
                    ours[1] = ours[1].clamp(0.001, 0.25);
                }
                if name == "kolmogorov_smirnov_asymptotic" {
                    let (n, m) = (plain.reference.1.len() as f64, plain.current.1.len() as f64);
                    let rows = (n * m / (n + m)).round_ties_even() as u64;
                    ours[1] = kolmogorov::two_sided_sf(rows, ours[0]);
                }
                let few = |name: &str| ["chi_square", "g_test"].contains(&name);
                for (ours, theirs) in ours.iter().zip(expected.as_array().unwrap()) {
                    let Some(theirs) = number(theirs) else { continue };
                    checked += 1;
                    // SciPy computes it as one minus the distribution, and that to about 1e-9 only.
                    let rounded = name == "cramer_von_mises" && (ours - theirs).abs() < 5e-9;
                    let drawn = few(name) && case["name"] == "letters" && theirs < 1e-9;
                    if !near(*ours, theirs) && !drawn && !rounded {
                        wrong.push(format!(
                            "{} {library} {name}: {ours} not {theirs}",
                            case["name"]
                        ));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{checked} checked\n{}", wrong.join("\n"));
}

#[test]
fn kolmogorovs_distribution_is_scipys() {
    let mut wrong = Vec::new();
    for row in golden()["kstwo"].as_array().unwrap() {
        let (n, x) = (row[0].as_u64().unwrap(), row[1].as_f64().unwrap());
        let (ours, theirs) = (kolmogorov::two_sided_sf(n, x), number(&row[2]).unwrap());
        if !near(ours, theirs) {
            wrong.push(format!("n {n}, x {x}: {ours} not {theirs}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_detector_says_what_it_is_for() {
    for detector in ALL {
        let text = detector.documentation();
        for word in ["Source:", "Useful:", "Not useful:"] {
            assert!(text.contains(word), "{}: {word}\n{text}", detector.name);
        }
        assert_eq!(find(detector.name).map(|found| found.title), Some(detector.title));
    }
}

#[test]
fn one_outlier_blinds_joint_bins_and_not_frozen_quantiles() {
    let case = &golden()["cases"][5];
    assert_eq!(case["name"], "outlier");
    let columns =
        Columns::new(&array(&case["reference"]), &array(&case["current"]), &Binning::default());
    let columns = columns.unwrap();
    assert!(columns.measure("psi").unwrap().value > 0.4);
    assert!(columns.measure("psi_joint").unwrap().value < 0.02);
}

fn floats(values: &[f64]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

#[test]
fn a_growing_shift_never_looks_smaller() {
    let mut random = crate::stat::random::Random::new(3);
    let reference: Vec<f64> = (0..2000).map(|_| random.normal()).collect();
    let base: Vec<f64> = (0..1500).map(|_| random.normal()).collect();
    for detector in ALL.iter().filter(|d| d.applies_to(Kind::Numeric)) {
        // Joint bins move with the data; tests of spread do not see a shift.
        if detector.name.ends_with("_joint")
            || ["levene", "fisher_exact", "proportions_z"].contains(&detector.name)
        {
            continue;
        }
        let mut last = 0.0;
        for step in 1..8 {
            let shift = f64::from(step) * 0.25;
            let current: Vec<f64> = base.iter().map(|value| value + shift).collect();
            let columns =
                Columns::new(&floats(&reference), &floats(&current), &Binning::default()).unwrap();
            let effect = columns.measure(detector.name).unwrap().effect;
            assert!(effect >= last, "{}: {effect} after {last} at {shift}", detector.name);
            last = effect;
        }
    }
}

fn awkward() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![
        4 => -10.0..10.0_f64,
        2 => Just(0.0),
        1 => Just(-0.0),
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(f64::NEG_INFINITY),
        1 => Just(1e308),
        1 => Just(-1e308),
        1 => Just(5e-324),
    ];
    prop::collection::vec(value, 0..60)
}

proptest! {
    #[test]
    fn any_numbers_give_a_measure_or_an_error(left in awkward(), right in awkward()) {
        let Ok(columns) = Columns::new(&floats(&left), &floats(&right), &Binning::default()) else {
            return Ok(());
        };
        for detector in ALL {
            if let Ok(measure) = columns.measure(detector.name) {
                prop_assert!((0.0..=1.0).contains(&measure.probability), "{}", detector.name);
            }
        }
    }

    #[test]
    fn nothing_differs_from_itself(
        values in prop::collection::vec((-50_i32..50).prop_map(f64::from), 8..80),
    ) {
        let columns = Columns::new(&floats(&values), &floats(&values), &Binning::default()).unwrap();
        for detector in ALL {
            if let Ok(measure) = columns.measure(detector.name) {
                prop_assert!(measure.effect.abs() < 0.25, "{}: {measure:?}", detector.name);
                prop_assert!(measure.probability > 0.2, "{}: {measure:?}", detector.name);
            }
        }
    }

    #[test]
    fn the_order_of_rows_does_not_matter(
        mut values in prop::collection::vec(-50.0..50.0_f64, 8..80), seed in any::<u64>(),
    ) {
        let reference = floats(&values);
        let before = Columns::new(&reference, &floats(&values[..values.len() / 2]), &Binning::default());
        let mut half = values[..values.len() / 2].to_vec();
        let mut random = crate::stat::random::Random::new(seed);
        random.shuffle(&mut half);
        random.shuffle(&mut values);
        let after = Columns::new(&floats(&values), &floats(&half), &Binning::default()).unwrap();
        let before = before.unwrap();
        for detector in ALL {
            match (before.measure(detector.name), after.measure(detector.name)) {
                (Ok(left), Ok(right)) => {
                    let apart = (left.value - right.value).abs();
                    prop_assert!(
                        apart <= 1e-9 * left.value.abs().max(1.0) || left.value == right.value,
                        "{}: {left:?} {right:?}", detector.name);
                }
                (left, right) => prop_assert_eq!(left.is_err(), right.is_err()),
            }
        }
    }
}
