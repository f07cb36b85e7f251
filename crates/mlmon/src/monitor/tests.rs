use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray};
use arrow_array::{RecordBatch, TimestampMicrosecondArray};

use super::*;
use crate::stat::random::Random;

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
