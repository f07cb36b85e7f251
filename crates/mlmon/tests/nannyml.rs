//! NannyML's own data and alerts. The files come from its wheel in the virtual environment that
//! `make golden` makes; without it these tests say that they were left out.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::float_cmp,
    clippy::cast_possible_truncation,
    reason = "a test: it fails by panicking, compares exact answers and counts small numbers"
)]

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use mlmon::column;
use mlmon::compare::{Baseline, Column, Options, columns_of};
use mlmon::detector;
use mlmon::estimate::cbpe::{Calibration, Cbpe, CbpeMulticlass};
use mlmon::estimate::dle::{Dle, Metric};
use mlmon::gbdt::Feature;
use mlmon::performance::{binary, multiclass};
use mlmon::profile::Binning;
use mlmon::threshold::Band;
use serde_json::Value;

fn data() -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/venv-golden/lib");
    let python = std::fs::read_dir(root).ok()?.flatten().next()?;
    let data = python.path().join("site-packages/nannyml/datasets/data");
    data.is_dir().then_some(data)
}

struct Set {
    columns: BTreeMap<String, ArrayRef>,
}

impl Set {
    fn read(name: &str) -> Option<Set> {
        let Some(data) = data() else {
            eprintln!("left out: no target/venv-golden; `make golden` makes it");
            return None;
        };
        let path = data.join(name);
        let format = arrow_csv::reader::Format::default().with_header(true);
        let (schema, _) = format.infer_schema(File::open(&path).unwrap(), Some(5000)).unwrap();
        let reader = arrow_csv::ReaderBuilder::new(Arc::new(schema))
            .with_header(true)
            .with_batch_size(1 << 20)
            .build(File::open(&path).unwrap())
            .unwrap();
        let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
        assert_eq!(batches.len(), 1, "the sets fit one batch");
        let columns = columns_of(&batches);
        let columns = columns.into_iter().map(|c| (c.name, Arc::clone(&c.arrays[0]))).collect();
        Some(Set { columns })
    }

    fn numbers(&self, name: &str) -> Vec<f64> {
        column::dense_numbers(&[Arc::clone(&self.columns[name])]).unwrap()
    }

    fn flags(&self, name: &str) -> Vec<bool> {
        self.numbers(name).iter().map(|value| *value == 1.0).collect()
    }

    fn texts(&self, name: &str) -> Vec<String> {
        let mut texts = Vec::new();
        column::for_each_text(self.columns[name].as_ref(), |text, n| {
            for _ in 0..n {
                texts.push(text.to_owned());
            }
        })
        .unwrap();
        texts
    }

    fn chunk(&self, names: &[&str], start: usize, rows: usize) -> Vec<Column> {
        let part = |name: &&str| Column {
            name: (*name).to_owned(),
            arrays: vec![self.columns[*name].slice(start, rows)],
        };
        names.iter().map(part).collect()
    }
}

fn golden() -> Value {
    serde_json::from_str(include_str!("../testdata/nannyml.json")).unwrap()
}

fn floats(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap_or(f64::NAN)).collect()
}

fn alerts(value: &Value) -> Vec<bool> {
    value.as_array().unwrap().iter().map(|v| v.as_bool().unwrap()).collect()
}

#[test]
fn drift_of_the_car_loan_chunks_alerts_as_nannyml() {
    let Some(reference) = Set::read("synthetic_car_loan_reference.csv") else { return };
    let analysis = Set::read("synthetic_car_loan_analysis.csv").unwrap();
    let golden = &golden()["car_loan"]["univariate"];
    let names: Vec<&str> = golden.as_object().unwrap().keys().map(String::as_str).collect();
    let detectors =
        ["jensen_shannon", "hellinger", "kolmogorov_smirnov", "wasserstein", "l_infinity"];
    let options = Options {
        detectors: detectors.iter().filter_map(|name| detector::find(name)).collect(),
        binning: Binning::Doane,
        ..Options::default()
    };
    let baseline = Baseline::fit(&reference.chunk(&names, 0, 50_000), options);
    let of_chunks = |set: &Set| -> Vec<BTreeMap<(String, &'static str), f64>> {
        (0..10)
            .map(|chunk| {
                let report = baseline.compare(&set.chunk(&names, chunk * 5000, 5000));
                let mut values = BTreeMap::new();
                for column in report.columns {
                    for one in &column.measures {
                        values.insert((column.name.clone(), one.detector), one.measure.value);
                    }
                }
                values
            })
            .collect()
    };
    let (past, now) = (of_chunks(&reference), of_chunks(&analysis));
    let mut compared = 0;
    for (column, methods) in golden.as_object().unwrap() {
        for (method, theirs) in methods.as_object().unwrap() {
            let Some(detector) = detector::find(method) else { continue };
            let key = (column.clone(), detector.name);
            let series = |chunks: &[BTreeMap<(String, &'static str), f64>]| -> Vec<f64> {
                chunks.iter().filter_map(|chunk| chunk.get(&key).copied()).collect()
            };
            let ours = series(&now);
            if ours.is_empty() {
                continue;
            }
            let band = Band::of(&series(&past), 3.0, (f64::NEG_INFINITY, f64::INFINITY));
            // NannyML bins large references for these two; its values are near, its alerts the same.
            let tolerance = |theirs: f64| match method.as_str() {
                "kolmogorov_smirnov" => 5e-4,
                "wasserstein" => 0.05 * theirs.abs(),
                _ => 1e-6 * theirs.abs().max(0.05),
            };
            for (chunk, (ours, theirs)) in ours.iter().zip(floats(&theirs["value"])).enumerate() {
                let near = (ours - theirs).abs() <= tolerance(theirs);
                assert!(near, "{column} {method} chunk {chunk}: {ours} not {theirs}");
                compared += 1;
            }
            let alarmed: Vec<bool> =
                ours.iter().map(|value| band.upper.is_some_and(|upper| *value > upper)).collect();
            assert_eq!(alarmed, alerts(&theirs["alert"]), "{column} {method} {band:?}");
        }
    }
    assert!(compared > 150, "{compared}");
}

#[test]
fn estimated_performance_of_the_car_loan_chunks_alerts_as_nannyml() {
    let Some(reference) = Set::read("synthetic_car_loan_reference.csv") else { return };
    let analysis = Set::read("synthetic_car_loan_analysis.csv").unwrap();
    let golden = &golden()["car_loan"]["cbpe"];
    let side = |set: &Set| (set.numbers("y_pred_proba"), set.flags("y_pred"));
    let (scores, decisions) = side(&reference);
    let labels = reference.flags("repaid");
    let cbpe = Cbpe::fit(&scores, &decisions, &labels).unwrap();
    let realized: Vec<Vec<f64>> = (0..10)
        .map(|chunk| {
            let rows = chunk * 5000..(chunk + 1) * 5000;
            let labels = &labels[rows.clone()];
            let counts = binary::Confusion::of(labels, &decisions[rows.clone()]).unwrap();
            let curve = binary::Curve::of(labels, &scores[rows]).unwrap();
            vec![
                curve.auroc().unwrap(),
                counts.f1().unwrap(),
                counts.precision().unwrap(),
                counts.recall().unwrap(),
                counts.specificity().unwrap(),
                counts.accuracy().unwrap(),
            ]
        })
        .collect();
    let (scores, decisions) = side(&analysis);
    let names = ["roc_auc", "f1", "precision", "recall", "specificity", "accuracy"];
    for (place, name) in names.iter().enumerate() {
        let past: Vec<f64> = realized.iter().map(|chunk| chunk[place]).collect();
        let band = Band::of(&past, 3.0, (0.0, 1.0));
        let estimates: Vec<mlmon::estimate::Estimate> = (0..10)
            .map(|chunk| {
                let rows = chunk * 5000..(chunk + 1) * 5000;
                let all = cbpe.estimate(&scores[rows.clone()], &decisions[rows]).unwrap();
                [all.auroc, all.f1, all.precision, all.recall, all.specificity, all.accuracy][place]
                    .unwrap()
            })
            .collect();
        for (ours, theirs) in estimates.iter().zip(floats(&golden[name]["value"])) {
            assert!((ours.value - theirs).abs() < 1e-4, "{name}: {} not {theirs}", ours.value);
        }
        for (ours, theirs) in estimates.iter().zip(floats(&golden[name]["sampling_error"])) {
            let near = (ours.sampling_error - theirs).abs() < 0.02 * theirs;
            assert!(near, "{name}: error {} not {theirs}", ours.sampling_error);
        }
        let alarmed: Vec<bool> = estimates.iter().map(|one| band.alerts(one.value)).collect();
        assert_eq!(alarmed, alerts(&golden[name]["alert"]), "{name} {band:?}");
    }
}

#[test]
fn estimated_performance_of_the_credit_card_chunks_alerts_as_nannyml() {
    let Some(reference) = Set::read("mc_reference.csv") else { return };
    let analysis = Set::read("mc_analysis.csv").unwrap();
    let golden = &golden()["credit_card"]["cbpe"];
    let classes = ["highstreet_card", "prepaid_card", "upmarket_card"];
    let numbered = |texts: Vec<String>| -> Vec<usize> {
        texts.iter().map(|text| classes.iter().position(|class| class == text).unwrap()).collect()
    };
    let side = |set: &Set| {
        let scores: Vec<Vec<f64>> =
            classes.iter().map(|class| set.numbers(&format!("y_pred_proba_{class}"))).collect();
        (scores, numbered(set.texts("y_pred")))
    };
    let cut = |scores: &[Vec<f64>], rows: std::ops::Range<usize>| -> Vec<Vec<f64>> {
        scores.iter().map(|class| class[rows.clone()].to_vec()).collect()
    };
    let (scores, decisions) = side(&reference);
    let labels = numbered(reference.texts("y_true"));
    // NannyML decides by scikit-learn's random splits, and for one class it hangs on them: its choice.
    let calibration = [Calibration::Always, Calibration::Never, Calibration::Always];
    let class = |class: usize| {
        let is = |of: &[usize]| of.iter().map(|one| *one == class).collect::<Vec<bool>>();
        let (decisions, labels) = (is(&decisions), is(&labels));
        Cbpe::fit_with(&scores[class], &decisions, &labels, calibration[class]).unwrap()
    };
    let cbpe = CbpeMulticlass::of((0..3).map(class).collect());
    let realized: Vec<[f64; 6]> = (0..10)
        .map(|chunk| {
            let rows = chunk * 6000..(chunk + 1) * 6000;
            let labels = &labels[rows.clone()];
            let matrix = multiclass::Matrix::of(labels, &decisions[rows.clone()], 3).unwrap();
            let auroc = multiclass::auroc_macro(labels, &cut(&scores, rows)).unwrap().unwrap();
            [
                auroc,
                matrix.macro_mean(binary::Confusion::f1),
                matrix.accuracy(),
                matrix.macro_mean(binary::Confusion::precision),
                matrix.macro_mean(binary::Confusion::recall),
                matrix.macro_mean(binary::Confusion::specificity),
            ]
        })
        .collect();
    let (scores, decisions) = side(&analysis);
    let names = ["roc_auc", "f1", "accuracy", "precision", "recall", "specificity"];
    for (place, name) in names.iter().enumerate() {
        let past: Vec<f64> = realized.iter().map(|chunk| chunk[place]).collect();
        let band = Band::of(&past, 3.0, (0.0, 1.0));
        let mut alarmed = Vec::new();
        for (chunk, theirs) in floats(&golden[name]["value"]).into_iter().enumerate() {
            let rows = chunk * 6000..(chunk + 1) * 6000;
            let all = cbpe.estimate(&cut(&scores, rows.clone()), &decisions[rows]).unwrap();
            let ours = [
                all.auroc.unwrap(),
                all.f1,
                all.accuracy,
                all.precision,
                all.recall,
                all.specificity,
            ][place];
            assert!((ours - theirs).abs() < 1e-4, "{name} chunk {chunk}: {ours} not {theirs}");
            alarmed.push(band.alerts(ours));
        }
        assert_eq!(alarmed, alerts(&golden[name]["alert"]), "{name} {band:?}");
    }
}

#[test]
fn estimated_losses_of_the_car_price_chunks_alert_as_nannyml() {
    let Some(reference) = Set::read("regression_synthetic_reference.csv") else { return };
    let analysis = Set::read("regression_synthetic_analysis.csv").unwrap();
    let golden = &golden()["car_price"]["dle"];
    let numeric = ["car_age", "km_driven", "price_new", "accident_count", "door_count"];
    let mut codes: BTreeMap<String, u8> = BTreeMap::new();
    let mut features = |set: &Set| -> Vec<Feature> {
        let mut features: Vec<Feature> =
            numeric.iter().map(|name| Feature::Numbers(set.numbers(name))).collect();
        for name in ["fuel", "transmission"] {
            let texts = set.texts(name);
            let code = |text: &String| {
                let next = codes.len() as u8;
                *codes.entry(text.clone()).or_insert(next)
            };
            features.push(Feature::Codes(texts.iter().map(code).collect()));
        }
        features
    };
    let (past, now) = (features(&reference), features(&analysis));
    let (predictions, labels) = (reference.numbers("y_pred"), reference.numbers("y_true"));
    let metrics = [Metric::Mae, Metric::Rmse];
    let dle = Dle::fit(&past, &predictions, &labels, &metrics).unwrap();
    let losses = dle.losses(&now, &analysis.numbers("y_pred")).unwrap();
    for ((name, metric), losses) in ["mae", "rmse"].iter().zip(metrics).zip(&losses) {
        let realized: Vec<f64> = (0..10)
            .map(|chunk| {
                let rows = chunk * 6000..(chunk + 1) * 6000;
                metric.realized(&labels[rows.clone()], &predictions[rows]).unwrap()
            })
            .collect();
        let band = Band::of(&realized, 3.0, (0.0, f64::INFINITY));
        let mut alarmed = Vec::new();
        for (chunk, theirs) in floats(&golden[name]["value"]).into_iter().enumerate() {
            let (_, ours) = losses.estimate(chunk * 6000..(chunk + 1) * 6000);
            // Another implementation of the same boosting: near, not equal.
            assert!(
                (ours.value - theirs).abs() < 0.01 * theirs,
                "{name} {chunk}: {ours:?} {theirs}"
            );
            alarmed.push(band.alerts(ours.value));
        }
        assert_eq!(alarmed, alerts(&golden[name]["alert"]), "{name} {band:?}");
    }
}

#[test]
fn reconstruction_errors_of_the_car_loan_chunks_alert_as_nannyml() {
    use mlmon::multivariate::pca::{Pca, shares_of};
    let Some(reference) = Set::read("synthetic_car_loan_reference.csv") else { return };
    let analysis = Set::read("synthetic_car_loan_analysis.csv").unwrap();
    let golden = &golden()["car_loan"]["pca"];
    let numeric = ["car_value", "debt_to_income_ratio", "loan_length", "driver_tenure"];
    let texts = ["salary_range", "repaid_loan_on_prev_car", "size_of_downpayment"];
    let encode = |set: &Set| -> Vec<Vec<f64>> {
        let mut columns: Vec<Vec<f64>> = numeric.iter().map(|name| set.numbers(name)).collect();
        for name in texts {
            let as_text = |set: &Set| {
                let array = &set.columns[name];
                arrow_cast::cast(array, &arrow_schema::DataType::Utf8).unwrap()
            };
            let (past, now) = (as_text(&reference), as_text(set));
            let past: Vec<Option<&str>> =
                arrow_array::cast::AsArray::as_string::<i32>(&past).iter().collect();
            let now: Vec<Option<&str>> =
                arrow_array::cast::AsArray::as_string::<i32>(&now).iter().collect();
            columns.push(shares_of(&past, &now));
        }
        columns
    };
    let (past, now) = (encode(&reference), encode(&analysis));
    let pca = Pca::fit(&past).unwrap();
    let errors = |columns: &[Vec<f64>]| -> Vec<f64> {
        (0..10)
            .map(|chunk| {
                let rows = chunk * 5000..(chunk + 1) * 5000;
                let part: Vec<Vec<f64>> =
                    columns.iter().map(|column| column[rows.clone()].to_vec()).collect();
                pca.error(&part).unwrap()
            })
            .collect()
    };
    let band = Band::of(&errors(&past), 3.0, (0.0, f64::INFINITY));
    let ours = errors(&now);
    for (ours, theirs) in ours.iter().zip(floats(&golden["value"])) {
        assert!((ours - theirs).abs() < 1e-6 * theirs, "{ours} not {theirs}");
    }
    let alarmed: Vec<bool> = ours.iter().map(|error| band.alerts(*error)).collect();
    assert_eq!(alarmed, alerts(&golden["alert"]), "{band:?}");
}
