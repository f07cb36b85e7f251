use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray};
use arrow_array::{RecordBatch, TimestampMicrosecondArray};

use super::*;
use crate::stat::random::Random;

mod model;

/// Rows an hour apart; from `moved_from` on, `amount` is half a deviation higher.
fn table(seed: u64, rows: usize, moved_from: usize) -> RecordBatch {
    let mut random = Random::new(seed);
    let mut amount = Vec::new();
    let mut score = Vec::new();
    let mut label = Vec::new();
    for row in 0..rows {
        amount.push(random.normal() + if row >= moved_from { 0.8 } else { 0.0 });
        let p = random.unit();
        label.push(random.unit() < p);
        score.push(p);
    }
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new((0..rows as i64).collect::<Int64Array>())),
        (
            "at",
            Arc::new(
                (0..rows as i64)
                    .map(|h| Some(h * 3_600_000_000))
                    .collect::<TimestampMicrosecondArray>(),
            ),
        ),
        ("amount", Arc::new(Float64Array::from(amount))),
        ("region", Arc::new((0..rows).map(|i| Some(["n", "s"][i % 2])).collect::<StringArray>())),
        ("score", Arc::new(Float64Array::from(score))),
        ("label", Arc::new(BooleanArray::from(label))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn monitor() -> Monitor {
    Monitor::read(
        "monitors:\n  - name: m\n    time: at\n    every: 25d\n    by: region\n    target: label\n    score: score\n",
    )
    .unwrap()
    .remove(0)
}

#[test]
fn windows_after_the_change_drift_and_those_before_do_not() {
    let outcome = monitor().run(&[table(1, 6000, 9999)], &[table(2, 6000, 3000)]).unwrap();
    let drifted: Vec<bool> = outcome.windows.iter().map(|part| part.report.drifted > 0).collect();
    assert_eq!(drifted, [false, false, false, false, false, true, true, true, true, true]);
    assert_eq!(outcome.windows[1].name, "1970-01-26");
    let names: Vec<&str> =
        outcome.overall.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names[0], "amount");
    assert!(!names.contains(&"id") && !names.contains(&"at"));
    assert_eq!(outcome.segments.len(), 2);
    assert!(outcome.segments.iter().all(|part| part.report.drifted == 1));
    let in_segments = outcome.segments.iter().filter_map(|part| part.performance.as_ref());
    let aurocs = in_segments.map(|performance| performance.metrics[0].points[0].realized.unwrap());
    let aurocs: Vec<f64> = aurocs.collect();
    assert!(aurocs.len() == 2 && aurocs.iter().all(|auroc| (auroc - 0.83).abs() < 0.04));
    let auroc = &outcome.performance.as_ref().unwrap().metrics[0];
    assert!((auroc.reference - 0.83).abs() < 0.02, "{}", auroc.reference);
    assert!(!outcome.degraded() && outcome.drifted());
}

#[test]
fn a_document_with_mistakes_is_refused_with_its_line() {
    let refused = |text: &str| Monitor::read(text).unwrap_err().to_string();
    assert!(refused("monitors:\n  - name: a\n    detectors: [psy]\n").contains("line 3"));
    assert!(refused("monitors:\n  - name: a\n    colums: [x]\n").contains("colums"));
    assert!(refused("monitors:\n  - name: a\n    every: soon\n").contains("soon"));
    assert!(refused("monitors:\n  - columns: [a]\n").contains("name"));
}

#[test]
fn windows_are_rows_or_durations() {
    assert_eq!(Every::parse("5000 rows").unwrap(), Every::Rows(5000));
    assert_eq!(Every::parse("1d").unwrap(), Every::Micros(86_400_000_000));
    for wrong in ["", "0d", "-1h", "1 fortnight", "99999999999999999999d", "9223372036854775807w"] {
        assert!(Every::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn reports_say_what_was_found_and_are_safe() {
    let mut current = table(2, 6000, 3000);
    let names = current.schema();
    let mut columns: Vec<(String, ArrayRef)> =
        names.fields().iter().map(|f| f.name().clone()).zip(current.columns().to_vec()).collect();
    columns.push(("<script>alert(1)</script>".to_owned(), Arc::clone(current.column(2))));
    current = RecordBatch::try_from_iter(columns).unwrap();
    let outcome = monitor().run(&[table(1, 6000, 9999)], &[current]).unwrap();
    let text = crate::report::table(&outcome, false);
    assert!(text.contains("1 of 3 columns drifted") && text.contains("DRIFT   amount"), "{text}");
    assert!(text.contains("the column is new") && !text.contains('\x1b'), "{text}");
    let page = crate::report::page(&outcome);
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script"));
    assert!(!page.contains("NaN") && page.contains("Population stability index"));
    assert!(!page.contains("http"), "the page needs no network");
    serde_json::to_string(&outcome).unwrap();
}

#[test]
fn several_columns_streams_and_groups_are_looked_at_by_name() {
    let mut random = Random::new(8);
    let mut side = |apart: f64, wrong: f64| {
        let rows = 2000;
        let x: Vec<f64> = (0..rows).map(|_| random.normal()).collect();
        // Whatever the share of noise, the second column has the same distribution.
        let y: Vec<f64> = x
            .iter()
            .map(|x| (1.0 - apart) * x + (1.0 - (1.0 - apart).powi(2)).sqrt() * random.normal())
            .collect();
        let label: Vec<f64> = (0..rows).map(|i| f64::from(i % 2)).collect();
        let mut score = Vec::new();
        for (row, label) in label.iter().enumerate() {
            let mistaken = random.unit() < if row > 1000 { wrong } else { 0.1 };
            score.push(if mistaken { 1.0 - label } else { *label } * 0.8 + 0.1);
        }
        let group = (["a", "b", "c"].into_iter().cycle()).take(2000).map(Some);
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("x", Arc::new(Float64Array::from(x))),
            ("y", Arc::new(Float64Array::from(y))),
            ("group", Arc::new(group.collect::<StringArray>())),
            ("label", Arc::new(Float64Array::from(label))),
            ("score", Arc::new(Float64Array::from(score))),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    };
    let (reference, same, apart) = (side(0.1, 0.1), side(0.1, 0.1), side(0.9, 0.5));
    let monitor = Monitor::read(
        "monitors:\n  - name: m\n    detectors: [psi, pca_reconstruction, domain_classifier, mmd, \
         correlation_change, ddm, adwin]\n    every: 1000 rows\n    target: label\n    score: score\n    \
         protected: group\n    value: {true_positive: 5, false_positive: -1}\n",
    )
    .unwrap()
    .remove(0);
    let quiet = monitor.run(std::slice::from_ref(&reference), &[same]).unwrap();
    assert!(quiet.multivariate.iter().all(|one| !one.overall.drifted), "{:?}", quiet.multivariate);
    assert!(quiet.correlations.is_empty());
    let outcome = monitor.run(&[reference], &[apart]).unwrap();
    let by_name = |name: &str| outcome.multivariate.iter().find(|m| m.detector == name).unwrap();
    for name in ["pca_reconstruction", "domain_classifier", "mmd"] {
        assert!(by_name(name).overall.drifted, "{name}: {:?}", by_name(name));
        assert_eq!(by_name(name).windows.len(), 2);
    }
    let pair = &outcome.correlations[0];
    assert_eq!((pair.left.as_str(), pair.right.as_str()), ("x", "y"));
    assert!(pair.reference > 0.8 && pair.current < 0.3);
    let mistakes = outcome.streams.iter().find(|stream| stream.detector == "ddm").unwrap();
    assert!(mistakes.column == "mistakes" && mistakes.alarms[0].row > 1000, "{mistakes:?}");
    let fairness = outcome.fairness.as_ref().unwrap();
    assert_eq!(fairness.current.groups.len(), 3);
    assert!(fairness.current.demographic_parity.unwrap() < 0.1);
    let value = &outcome.performance.as_ref().unwrap().metrics[5];
    assert!(value.name == "value" && value.points.last().unwrap().alert, "{value:?}");
    assert!(value.points[0].realized.unwrap() > value.points[1].realized.unwrap());
    let (text, page) = (crate::report::table(&outcome, false), crate::report::page(&outcome));
    for words in ["columns together", "x and y", "row by row", "groups of group"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    for words in ["Columns together", "Changed correlations", "Row by row", "Groups of group"] {
        assert!(page.contains(words), "{words}");
    }
    serde_json::to_string(&outcome).unwrap();
}

#[test]
fn more_than_two_classes_have_a_score_each() {
    let mut random = Random::new(9);
    let names = ["card", "loan", "none"];
    let mut side = |noise: f64| {
        let rows = 3000;
        let labels: Vec<usize> = (0..rows).map(|_| random.below(3)).collect();
        let mut scores = vec![Vec::new(); 3];
        let mut decisions = Vec::new();
        for label in &labels {
            let mut weights = [random.unit(), random.unit(), random.unit()];
            weights[*label] += 1.5 - noise;
            let sum: f64 = weights.iter().sum();
            let best = (0..3).max_by(|i, j| weights[*i].total_cmp(&weights[*j])).unwrap();
            decisions.push(Some(names[best]));
            scores.iter_mut().zip(weights).for_each(|(scores, w)| scores.push(w / sum));
        }
        let labels = labels.iter().map(|label| Some(names[*label]));
        let mut columns: Vec<(&str, ArrayRef)> = vec![
            ("y_true", Arc::new(labels.collect::<StringArray>())),
            ("y_pred", Arc::new(decisions.into_iter().collect::<StringArray>())),
        ];
        for (name, scores) in ["p_card", "p_loan", "p_none"].into_iter().zip(scores) {
            columns.push((name, Arc::new(Float64Array::from(scores))));
        }
        RecordBatch::try_from_iter(columns).unwrap()
    };
    let (reference, current) = (side(0.5), side(1.3));
    let text = "monitors:\n  - name: m\n    target: y_true\n    prediction: y_pred\n    \
                scores: {card: p_card, loan: p_loan, none: p_none}\n";
    let monitor = Monitor::read(text).unwrap().remove(0);
    let outcome = monitor.run(&[reference], &[current]).unwrap();
    let performance = outcome.performance.unwrap();
    assert_eq!(performance.task, Task::Multiclass);
    for metric in &performance.metrics {
        let point = &metric.points[0];
        assert!(point.alert && point.realized.unwrap() < metric.reference, "{metric:?}");
        assert!(point.estimate.is_none_or(|one| one.value < metric.reference), "{metric:?}");
    }
    let estimated = |metric: &&MetricSeries| metric.points[0].estimate.is_some();
    assert_eq!(performance.metrics.iter().filter(estimated).count(), 6);
    assert!(
        Monitor::read(&text.replace("{card: p_card, loan: p_loan, none: p_none}", "{a: b}"))
            .is_err()
    );
}

/// Rows in standard deviations: noise of 12,000 rows alarms nowhere, half a deviation more is found.
#[test]
fn noise_alarms_no_stream_and_a_shift_does() {
    let side = |seed: u64, shift: f64| {
        let mut random = Random::new(seed);
        let values: Vec<f64> = (0..6000)
            .map(|row| 7.0 * random.normal() + if row >= 3000 { shift } else { 0.0 })
            .collect();
        let column: ArrayRef = Arc::new(Float64Array::from(values));
        RecordBatch::try_from_iter([("x", column)]).unwrap()
    };
    let names = ["page_hinkley", "cusum", "adwin", "kswin"];
    let monitor = Monitor { detectors: names.map(str::to_owned).to_vec(), ..Monitor::default() };
    let run = |shift: f64| {
        let outcome = monitor.run(&[side(5, 0.0)], &[side(6, shift)]).unwrap();
        let alarms = outcome.streams.into_iter().map(|stream| stream.alarms);
        alarms.map(|alarms| alarms.first().map(|alarm| alarm.row)).collect::<Vec<_>>()
    };
    assert_eq!(run(0.0), [None; 4]);
    // KSWIN looks at 30 rows: it finds large changes only.
    assert!(run(3.5)[..3].iter().all(|row| row.is_some_and(|row| (3000..3400).contains(&row))));
    assert!(run(21.0).iter().all(|row| row.is_some_and(|row| (3000..3100).contains(&row))));
}

/// NannyML's rule for the same chunks: alarms as long as the rows have moved, and none before.
#[test]
fn chunks_of_the_reference_may_say_the_limit() {
    for (threshold, drifted) in [
        ("{deviations: 4}", [false, false, true, true]),
        ("{deviations: 1000}", [false; 4]),
        ("{value: 0.3}", [false, false, true, true]),
        ("{value: 50}", [false; 4]),
        ("{probability: 1e-9}", [false, false, true, true]),
    ] {
        let text = format!(
            "monitors:\n  - name: m\n    columns: [amount]\n    every: 1000 rows\n    threshold: {threshold}\n"
        );
        let monitor = Monitor::read(&text).unwrap().remove(0);
        let outcome = monitor.run(&[table(1, 20_000, 99_999)], &[table(2, 4000, 2000)]).unwrap();
        let found: Vec<bool> = outcome.windows.iter().map(|part| part.report.drifted > 0).collect();
        assert_eq!(found, drifted, "{threshold}");
    }
    assert!(Monitor::read("monitors:\n  - {name: m, threshold: {values: 3}}\n").is_err());
}
