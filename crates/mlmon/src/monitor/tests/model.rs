//! Rankings, quantiles, thresholds, experiments and attributions through a monitor.

use std::slice::from_ref as once;

use super::*;
use crate::stream::Rows;

fn only(text: &str) -> Monitor {
    Monitor::read(&format!("monitors:\n  - name: m\n{text}")).unwrap().remove(0)
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter(columns).unwrap()
}

fn floats(values: impl IntoIterator<Item = f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(values))
}

fn both_ways(monitor: &Monitor, reference: &RecordBatch, current: &RecordBatch) -> [Outcome; 2] {
    let pieces = |batch: &RecordBatch| -> Vec<RecordBatch> {
        let half = batch.num_rows() / 2;
        vec![batch.slice(0, half), batch.slice(half, batch.num_rows() - half)]
    };
    let (before, now) = (pieces(reference), pieces(current));
    let streamed = monitor.stream(&before as &dyn Rows, &now as &dyn Rows).unwrap();
    [monitor.run(once(reference), once(current)).unwrap(), streamed]
}

fn metric<'a>(outcome: &'a Outcome, name: &str) -> &'a MetricSeries {
    let performance = outcome.performance.as_ref().unwrap();
    performance.metrics.iter().find(|one| one.name == name).unwrap()
}

/// Queries of five items, the relevant one at this place of the order.
fn search(queries: usize, place: impl Fn(usize) -> usize) -> RecordBatch {
    let rows = 0..queries * 5;
    batch(vec![
        (
            "query",
            Arc::new(
                rows.clone().map(|row| Some(format!("q{}", row / 5))).collect::<StringArray>(),
            ),
        ),
        ("score", floats(rows.clone().map(|row| -((row % 5) as f64)))),
        ("relevance", floats(rows.map(|row| f64::from(u8::from(row % 5 == place(row / 5)))))),
    ])
}

#[test]
fn rankings_are_measured_by_query_and_window() {
    let text = "    target: relevance\n    score: score\n    query: query\n    top: 3\n    every: 52 rows\n";
    // The best place or the second; then, from the middle on, the fourth, which is beyond three.
    let reference = search(200, |query| query % 2);
    let current = search(40, |query| if query < 20 { query % 2 } else { 3 });
    for outcome in both_ways(&only(text), &reference, &current) {
        let mrr = metric(&outcome, "mrr");
        let realized: Vec<f64> = mrr.points.iter().map(|point| point.realized.unwrap()).collect();
        // A window of 52 rows has the queries that begin in it: 11, 10, 11 and 8 of them.
        let (even, odd) = (6.0 / 11.0 + 5.0 / 22.0, 0.5 + 0.25);
        assert!((realized[0] - even).abs() < 1e-12, "{realized:?}");
        assert!((realized[1] - (realized[1] * 10.0).round() / 10.0).abs() < 0.06, "{realized:?}");
        assert_eq!(realized[2..], [0.0, 0.0]);
        assert!((mrr.reference - odd).abs() < 0.01);
        assert!(mrr.points[3].alert && !mrr.points[0].alert);
        let ndcg = metric(&outcome, "ndcg");
        let half = (6.0 + 5.0 / 3_f64.log2()) / 11.0;
        assert!((ndcg.points[0].realized.unwrap() - half).abs() < 1e-12);
        assert_eq!(metric(&outcome, "hit_rate").points[0].realized, Some(1.0));
        assert_eq!(metric(&outcome, "answerable").points[3].realized, Some(1.0));
        assert!(outcome.overall.columns.iter().all(|column| column.name != "query"));
        assert!(outcome.degraded());
        assert!(crate::report::page(&outcome).contains("as far as place 3"));
    }
    let nothing = search(10, |_| 7);
    let said = only(text).run(once(&nothing), once(&nothing)).unwrap_err();
    assert!(said.to_string().contains("relevant item"), "{said}");
    let without =
        only("    target: relevance\n    query: query\n").run(once(&nothing), once(&nothing));
    assert!(without.unwrap_err().to_string().contains("score"));
}

#[test]
fn a_quantile_has_its_loss_and_its_coverage() {
    let side = |factor: f64| {
        let labels = (0..1000).map(|row| f64::from(row % 10));
        batch(vec![
            ("minutes", floats(labels)),
            ("promised", floats((0..1000).map(|_| 8.0 * factor))),
        ])
    };
    let monitor = only("    target: minutes\n    prediction: promised\n    quantile: 0.9\n");
    for outcome in both_ways(&monitor, &side(1.0), &side(0.5)) {
        let value = |name: &str| metric(&outcome, name).points[0].realized.unwrap();
        // By hand: labels 0 … 9; up to 8 are covered by 8, up to 4 by 4.
        assert!((metric(&outcome, "coverage").reference - 0.9).abs() < 1e-12);
        assert!((value("coverage") - 0.5).abs() < 1e-12);
        assert!((value("quantile_loss") - (0.1 * 10.0 + 0.9 * 15.0) / 10.0).abs() < 1e-12);
        assert!(metric(&outcome, "coverage").points[0].alert);
        assert_eq!(outcome.performance.as_ref().unwrap().quantile, Some(0.9));
        let page = crate::report::page(&outcome);
        assert!(
            page.contains("Predictions of the 0.9 quantile")
                && page.contains("in 10 % of the rows")
        );
    }
}

#[test]
fn every_threshold_has_its_counts() {
    let side = |seed: u64, labelled: bool| {
        let mut random = Random::new(seed);
        let scores: Vec<f64> = (0..4000).map(|_| random.unit()).collect();
        let labels = scores.iter().map(|score| Some(random.unit() < *score).filter(|_| labelled));
        let labels = labels.collect::<BooleanArray>();
        batch(vec![("score", floats(scores.iter().copied())), ("label", Arc::new(labels))])
    };
    let text =
        "    target: label\n    score: score\n    value: {true_positive: 1, false_positive: -3}\n";
    for labelled in [true, false] {
        for outcome in both_ways(&only(text), &side(1, true), &side(2, labelled)) {
            let found = outcome.performance.as_ref().unwrap().thresholds.as_ref().unwrap();
            assert_eq!((found.used, found.current.points.len()), (Some(0.5), 101));
            assert_eq!((found.reference.estimated, found.current.estimated), (false, !labelled));
            for side in [&found.reference, &found.current] {
                let at = &side.points[50];
                assert!((at.threshold - 0.5).abs() < 1e-12 && side.rows == 4000);
                assert!(
                    (at.confusion.true_positive - side.decided.confusion.true_positive).abs()
                        < 1e-6
                );
                // A score that is the probability: half of the rows are positive, 3/4 of those found.
                assert!((at.precision.unwrap() - 0.75).abs() < 0.03, "{at:?}");
                assert!((at.recall.unwrap() - 0.75).abs() < 0.03, "{at:?}");
                // F1 = (1 − t²) / (1.5 − t) is greatest at (3 − √5) / 2; the worth where p = 3(1 − p).
                let best = side.best_f1.as_ref().unwrap();
                assert!((best.threshold - (3.0 - 5_f64.sqrt()) / 2.0).abs() < 0.06, "{best:?}");
                let best = side.best_value.as_ref().unwrap();
                assert!((best.threshold - 0.75).abs() < 0.1, "{best:?}");
            }
            let (text, page) =
                (crate::report::table(&outcome, false), crate::report::page(&outcome));
            assert!(text.contains("at the best F1"), "{text}");
            assert!(
                page.contains("Confusion matrix") && page.contains("F1 is greatest at a threshold")
            );
            assert_eq!(page.contains("expected: no row has a label"), !labelled);
        }
    }
}

#[test]
fn decisions_say_the_threshold_in_use_or_that_there_is_none() {
    let side = |decisions: [bool; 4]| {
        batch(vec![
            ("score", floats([0.9, 0.6, 0.3, 0.1].repeat(50))),
            ("label", Arc::new(BooleanArray::from([true, false, true, false].repeat(50)))),
            ("decided", Arc::new(BooleanArray::from(decisions.repeat(50)))),
        ])
    };
    let monitor = only("    target: label\n    score: score\n    prediction: decided\n");
    for (decisions, used) in
        [([true, true, true, false], Some(0.3)), ([true, false, true, false], None)]
    {
        let tables = (side(decisions), side(decisions));
        let outcome = monitor.run(&[tables.0], &[tables.1]).unwrap();
        let found = outcome.performance.as_ref().unwrap().thresholds.as_ref().unwrap();
        assert_eq!(found.used, used);
        let page = crate::report::page(&outcome);
        assert_eq!(page.contains("do not follow from a threshold"), used.is_none());
    }
}

/// Rows an hour apart that buy with this chance.
fn shop(seed: u64, rows: usize, chance: f64) -> RecordBatch {
    let mut random = Random::new(seed);
    let bought: Vec<bool> = (0..rows).map(|_| random.unit() < chance).collect();
    let hours = (0..rows as i64).map(|hour| Some(hour * 3_600_000_000));
    batch(vec![
        ("at", Arc::new(hours.collect::<TimestampMicrosecondArray>())),
        ("bought", Arc::new(BooleanArray::from(bought))),
        ("amount", floats((0..rows).map(|_| 20.0 + 5.0 * random.normal()))),
        (
            "region",
            Arc::new((0..rows).map(|row| Some(["n", "s"][row % 2])).collect::<StringArray>()),
        ),
    ])
}

#[test]
fn an_experiment_says_what_is_sure_and_when() {
    let text = "    by: region\n    time: at\n    every: 50d\n    experiment: {metrics: [bought, amount]}\n";
    for outcome in both_ways(&only(text), &shop(1, 6000, 0.1), &shop(2, 6000, 0.15)) {
        let trial = outcome.experiment.as_ref().unwrap();
        assert!(!trial.sample_ratio.mismatch && trial.found() && outcome.decided());
        let (bought, amount) = (&trial.metrics[0], &trial.metrics[1]);
        assert!(bought.conversion && !amount.conversion);
        assert_eq!((bought.verdict, amount.verdict), (Verdict::Higher, Verdict::Undecided));
        // Two metrics share the level; the scale is a twentieth of a deviation of the control.
        assert!((bought.level - 0.025).abs() < 1e-12);
        assert!((amount.scale / 5.0 - 0.05).abs() < 0.002);
        let (once, ever) = (bought.difference.unwrap(), bought.always_valid.unwrap());
        assert!(once.lower > ever.lower && once.upper < ever.upper && ever.lower > 0.0);
        assert_eq!(bought.looks.len(), 5);
        let widths: Vec<f64> =
            bought.looks.iter().map(|look| look.difference.upper - look.difference.lower).collect();
        assert!(widths.windows(2).all(|pair| pair[1] < pair[0]), "{widths:?}");
        let last = bought.looks.last().unwrap();
        assert!(last.rows == (6000, 6000) && (last.difference.value - ever.value).abs() < 1e-12);
        assert_eq!(trial.segments.len(), 2);
        assert!((trial.segments[0].metrics[0].level - 0.0125).abs() < 1e-12);
        let (text, page) = (crate::report::table(&outcome, false), crate::report::page(&outcome));
        assert!(text.contains("HIGHER  bought") && text.contains("whenever you look"), "{text}");
        assert!(page.contains("The treatment&#39;s bought is higher"), "{page}");
    }
}

#[test]
fn rows_split_wrongly_come_before_all_else() {
    let text = "    experiment: {metrics: [bought], shares: [0.9, 0.1]}\n";
    let outcome = only(text).run(&[shop(1, 900, 0.1)], &[shop(2, 160, 0.1)]).unwrap();
    let split = outcome.experiment.as_ref().unwrap().sample_ratio;
    // By hand: 106 expected; 54²/106 + 54²/954 = 30.566, one degree of freedom.
    assert!((split.probability / 3.227e-8 - 1.0).abs() < 0.01, "{}", split.probability);
    assert!(split.mismatch && outcome.decided());
    assert!(crate::report::page(&outcome).contains("no number of the experiment can be believed"));
    let fine = only(text).run(&[shop(1, 900, 0.1)], &[shop(2, 105, 0.1)]).unwrap();
    assert!(!fine.decided(), "{:?}", fine.experiment);
    let said = only("    experiment: {metrics: [region]}\n");
    let said = said.run(&[shop(1, 90, 0.1)], &[shop(2, 90, 0.1)]).unwrap_err().to_string();
    assert!(said.contains("region") && said.contains("a metric is a number"), "{said}");
}

/// However often one looks, a treatment that does nothing is found to do something as rarely as promised.
#[test]
fn experiments_without_an_effect_are_rarely_decided() {
    let decided = (0..100_u64).filter(|&run| {
        let text = "    columns: [amount]\n    time: at\n    every: 10d\n    experiment: {metrics: [amount]}\n";
        let outcome = only(text).run(&[shop(1000 + run, 2400, 0.1)], &[shop(run, 2400, 0.1)]).unwrap();
        let looks = &outcome.experiment.as_ref().unwrap().metrics[0].looks;
        assert!(looks.len() == 10);
        looks.iter().any(|look| look.difference.lower > 0.0 || look.difference.upper < 0.0)
    });
    let decided = decided.count();
    assert!(decided <= 5, "{decided} of 100");
}

#[test]
fn drifted_columns_are_told_by_what_the_model_listens_to() {
    let side = |seed: u64, shift: f64| {
        let mut random = Random::new(seed);
        let mut column =
            |mean: f64| floats((0..3000).map(|_| mean + random.normal()).collect::<Vec<_>>());
        batch(vec![("loud", column(0.0)), ("quiet", column(shift)), ("unused", column(shift))])
    };
    let model = br#"{"intercept": 1, "weights": {"loud": 3, "quiet": -1}}"#;
    let mut monitor = only("    model: model.json\n");
    let (reference, current) = (side(1, 0.0), side(7, 4.0));
    let unread = monitor.run(once(&reference), once(&current));
    assert!(unread.unwrap_err().to_string().contains("model.json"));
    monitor.model = Some(ModelFile::of(model).unwrap());
    for outcome in both_ways(&monitor, &reference, &current) {
        let found = outcome.attribution.as_ref().unwrap();
        assert_eq!((found.kind, found.rows), ("linear", (EXPLAINED_ROWS, EXPLAINED_ROWS)));
        let [loud, quiet] = &found.features[..] else { panic!("{found:?}") };
        assert_eq!((loud.name.as_str(), quiet.name.as_str()), ("loud", "quiet"));
        assert_eq!((loud.column_drifted, quiet.column_drifted), (Some(false), Some(true)));
        // Mean sizes: 3·√(2/π) and √(2/π) before; 4 from the reference's mean now.
        let size = (2.0 / std::f64::consts::PI).sqrt();
        assert!((loud.reference - 3.0 * size).abs() < 0.2 && (quiet.current - 4.0).abs() < 0.2);
        assert!((quiet.reference_share - 0.25).abs() < 0.02 && quiet.current_share > 0.55);
        assert_eq!((quiet.reference_rank, quiet.current_rank), (2, 1));
        // By hand: (1 + 3/log₂3) / (3 + 1/log₂3).
        assert!((found.agreement - 0.797).abs() < 0.01 && outcome.listens_otherwise());
        let (text, page) = (crate::report::table(&outcome, false), crate::report::page(&outcome));
        assert!(text.contains("model listens") && text.contains("the order has changed"), "{text}");
        assert!(
            page.contains("Columns that drifted carry 25 % of what the model listens to: quiet")
        );
    }
    monitor.model = Some(ModelFile::of(br#"{"weights": {"gone": 1}}"#).unwrap());
    let said = monitor.run(&[reference], &[current]).unwrap_err().to_string();
    assert!(said.contains("\"gone\" is no column of the reference"), "{said}");
}

#[test]
fn mistakes_in_a_document_are_told_with_their_line() {
    let refused = |text: &str| {
        Monitor::read(&format!("monitors:\n  - name: m\n{text}")).unwrap_err().to_string()
    };
    for (text, words) in [
        ("    quantile: 1.5\n", "between 0 and 1"),
        ("    top: 0\n", "from 1 on"),
        ("    experiment: {metrics: []}\n", "one metric"),
        ("    experiment: {metrics: [a], shares: [1]}\n", "two"),
        ("    experiment: {metrics: [a], shares: [1, 0]}\n", "above 0"),
        ("    experiment: {metrics: [a], level: 2}\n", "level"),
        ("    experiment: {metrics: [a], scale: 0}\n", "scale"),
        ("    experiment: {metric: [a]}\n", "metric"),
    ] {
        let said = refused(text);
        assert!(said.contains(words) && said.contains("line 3"), "{said}");
    }
}
