use std::sync::Arc;

use arrow_array::builder::{FixedSizeListBuilder, Float32Builder, Float64Builder, ListBuilder};
use arrow_array::{Array, ArrayRef};
use proptest::prelude::*;
use rayon::prelude::*;

use super::*;
use crate::compare::{Baseline, Column, Options, Report};
use crate::quality::Finding;
use crate::stat::random::Random;
use crate::threshold::{Correction, Threshold, levels};

fn fixed(rows: &[Vec<f64>], width: usize) -> ArrayRef {
    let size = i32::try_from(width).unwrap();
    let mut lists = FixedSizeListBuilder::new(Float64Builder::new(), size);
    for row in rows {
        lists.values().append_slice(row);
        lists.append(true);
    }
    Arc::new(lists.finish())
}

/// Rows that hold what they like: a null, or numbers of which some may be null.
fn ragged(rows: &[Option<Vec<Option<f64>>>]) -> ArrayRef {
    let mut lists = ListBuilder::new(Float64Builder::new());
    for row in rows {
        lists.append_option(row.clone());
    }
    Arc::new(lists.finish())
}

/// Vectors as models make them: three clusters far from nought, some directions much wider than
/// others, all turned into each other. `wider` scales the noise, `other` is the share of a fourth
/// cluster, `moved` a move of every component, up or down.
#[derive(Clone, Copy)]
struct Cloud {
    width: usize,
    moved: f64,
    wider: f64,
    other: f64,
}

impl Cloud {
    fn of(width: usize) -> Cloud {
        Cloud { width, moved: 0.0, wider: 1.0, other: 0.0 }
    }

    fn rows(self, random: &mut Random, rows: usize) -> Vec<Vec<f64>> {
        let row = |random: &mut Random| {
            let cluster = if random.unit() < self.other { 3 } else { random.below(3) };
            let shared = random.normal();
            let component = |place: usize| {
                let centre = ((cluster * 7 + place * 3) % 5) as f64 * 0.3;
                let scale = if place.is_multiple_of(8) { 2.0 } else { 0.5 };
                let mine = scale * self.wider * random.normal();
                let moved = if place.is_multiple_of(2) { self.moved } else { -self.moved };
                1.0 + centre + 0.5 * shared + mine + moved
            };
            (0..self.width).map(component).collect()
        };
        (0..rows).map(|_| row(random)).collect()
    }
}

fn summary(past: &Past, rows: &[Vec<f64>]) -> Summary {
    let mut summary = Summary::under(past.summary().frozen().unwrap(), ROWS_LIMIT);
    summary.update(fixed(rows, past.summary().width()).as_ref()).unwrap();
    summary
}

fn past(rows: &[Vec<f64>]) -> Past {
    Past::fit(&[fixed(rows, rows[0].len())]).unwrap()
}

fn measure(name: &str, reference: &Past, current: &Summary) -> Measure {
    (find(name).unwrap().measure)(&Pair { reference, current }).unwrap()
}

/// Of each detector windows without drift, and those of them that alarm: alone, and beside twenty
/// other columns without drift.
type Alarms = [(f64, f64, f64); 4];

/// A second each, so not in every window.
fn is_looked_at(name: &str, rows: usize, window: usize) -> bool {
    match name {
        "mmd" => rows <= 1000 && window.is_multiple_of(if rows < 1000 { 2 } else { 8 }),
        "drifted_components" => rows < 10_000 || window.is_multiple_of(2),
        _ => true,
    }
}

fn false_alarms(width: usize, rows: usize, windows: usize) -> Alarms {
    let mut random = Random::new((width * 1_000_003 + rows) as u64);
    let cloud = Cloud::of(width);
    let mut alarms = Alarms::default();
    let mut reference = None;
    for window in 0..windows {
        // Another reference now and then: what it has by chance matters in large windows.
        if window % 4 == 0 {
            reference = Some(past(&cloud.rows(&mut random, 2_000)));
        }
        let reference = reference.as_ref().unwrap();
        let now = summary(reference, &cloud.rows(&mut random, rows));
        for (one, counted) in ALL.iter().zip(&mut alarms) {
            if !is_looked_at(one.name, rows, window) {
                continue;
            }
            let found = measure(one.name, reference, &now);
            let mut all: Vec<f64> = (0..20).map(|_| random.unit()).collect();
            all.push(found.probability);
            let levels = levels(&all, 0.05, Correction::Holm);
            let any = all.iter().zip(levels).any(|(p, level)| *p < level);
            counted.0 += 1.0;
            counted.1 += f64::from(u8::from(found.probability < 0.05));
            counted.2 += f64::from(u8::from(any));
        }
    }
    alarms
}

/// Of each detector the share of changed windows that it finds among twenty other columns.
fn power(reference: &Past, cloud: Cloud, rows: usize, windows: usize) -> Vec<f64> {
    let mut random = Random::new(77);
    let mut found = vec![0.0; ALL.len()];
    for _ in 0..windows {
        let now = summary(reference, &cloud.rows(&mut random, rows));
        for (one, found) in ALL.iter().zip(&mut found) {
            let measure = measure(one.name, reference, &now);
            let sure = measure.probability < 0.05 / 21.0;
            let alarm = sure && measure.effect >= one.custom.negligible;
            *found += f64::from(u8::from(alarm)) / windows as f64;
        }
    }
    found
}

#[test]
fn vectors_alarm_seldom_without_drift_at_any_length_and_window() {
    let sizes = [
        (8, 100, 240),
        (8, 1000, 160),
        (8, 10_000, 60),
        (64, 100, 160),
        (64, 1000, 80),
        (64, 10_000, 24),
        (384, 100, 60),
        (384, 1000, 24),
        (384, 10_000, 8),
    ];
    let found: Vec<Alarms> = sizes
        .into_par_iter()
        .map(|(width, rows, windows)| false_alarms(width, rows, windows))
        .collect();
    eprintln!("share of windows without drift that alarm: alone, and with twenty other columns");
    for (place, one) in ALL.iter().enumerate() {
        let mut sum = (0.0, 0.0, 0.0);
        for ((width, rows, _), alarms) in sizes.iter().zip(&found) {
            let (windows, alone, all) = alarms[place];
            if windows < 1.0 {
                continue;
            }
            sum = (sum.0 + windows, sum.1 + alone, sum.2 + all);
            let (alone, all) = (alone / windows, all / windows);
            let name = one.name;
            eprintln!(
                "{name:<20}{width:>5} numbers{rows:>7} rows {windows:>4} windows {alone:.3} {all:.3}"
            );
        }
        let (alone, all) = (sum.1 / sum.0, sum.2 / sum.0);
        eprintln!("{:<20} in all {alone:.3} {all:.3}", one.name);
        assert!(alone <= 0.07 && all <= 0.07, "{}", one.name);
    }
}

#[test]
fn real_changes_are_found() {
    eprintln!("share of changed windows that alarm among 21 columns; reference of 3,000 rows");
    let calm = Cloud::of(384);
    let changes = [
        ("moved by 0.2 deviations", Cloud { moved: 0.2, ..calm }),
        ("a tenth of a new cluster", Cloud { other: 0.1, ..calm }),
        ("wider by a tenth", Cloud { wider: 1.1, ..calm }),
    ];
    let reference = past(&calm.rows(&mut Random::new(5), 3_000));
    for (rows, windows) in [(100, 8), (1000, 4)] {
        for (what, cloud) in changes {
            let shares = power(&reference, cloud, rows, windows);
            eprintln!("{rows:>6} rows, {what:<26} {shares:.2?}");
            if rows == 1000 && cloud.moved > 0.0 {
                assert!(shares.iter().all(|share| *share > 0.99), "{what}: {shares:?}");
            }
            if rows == 1000 && cloud.wider > 1.0 {
                assert!(shares[0] < 0.5 && shares[3] > 0.99, "{what}: {shares:?}");
            }
        }
    }
}

fn report(reference: ArrayRef, current: ArrayRef, threshold: Threshold) -> Report {
    let column = |array| vec![Column { name: "vector".to_owned(), arrays: vec![array] }];
    let embeddings = ALL.to_vec();
    let options = Options { embeddings, threshold, ..Options::default() };
    Baseline::fit(&column(reference), options).compare(&column(current))
}

#[test]
fn what_is_wrong_with_vectors_is_told() {
    let mut random = Random::new(4);
    let sound: Vec<Option<Vec<Option<f64>>>> =
        (0..200).map(|_| Some((0..3).map(|_| Some(random.normal())).collect())).collect();
    let mut broken = sound.clone();
    broken[0] = Some(vec![Some(1.0); 5]);
    broken[1] = Some(vec![Some(1.0), None, Some(2.0)]);
    broken[2] = Some(vec![Some(f64::INFINITY), Some(0.0), Some(0.0)]);
    (10..60).for_each(|row| broken[row] = None);
    let report = report(ragged(&sound), ragged(&broken), Threshold::default());
    let said: Vec<String> = report.columns[0].findings.iter().map(Finding::sentence).collect();
    assert_eq!(
        said,
        [
            "missing in 25.00 % of the rows, was 0.00 %",
            "1 rows (0.50 %) hold vectors of another length than 3, such as 5",
            "NaN in 0.50 % of the rows, was 0.00 %",
            "1 infinite values",
        ]
    );
    assert_eq!(report.columns[0].measures.len(), ALL.len());
    assert!(!report.columns[0].drifted);
    let two = ragged(&vec![Some(vec![Some(0.5); 2]); 9]);
    let report = self::report(ragged(&sound), two, Threshold::default());
    assert_eq!(report.columns[0].findings[0].sentence(), "type vectors of 2, was vectors of 3");
    let same = ragged(&vec![Some(vec![Some(0.5); 3]); 9]);
    let report = self::report(ragged(&sound), same, Threshold::default());
    assert!(report.columns[0].findings.contains(&Finding::Constant));
    let gone = ragged(&vec![None; 9]);
    let report = self::report(ragged(&sound), gone, Threshold::default());
    assert_eq!(report.columns[0].findings, [Finding::Empty]);
    let numbers: ArrayRef = Arc::new(arrow_array::Float64Array::from(vec![1.0; 9]));
    let report = self::report(ragged(&sound), numbers, Threshold::default());
    assert_eq!(report.columns[0].findings[0].sentence(), "type numbers, was vectors");
}

#[test]
fn every_threshold_holds_for_vectors() {
    let mut random = Random::new(8);
    let cloud = Cloud::of(16);
    let still = fixed(&cloud.rows(&mut random, 2000), 16);
    let moved = Cloud { moved: 0.5, ..cloud }.rows(&mut random, 2000);
    let calm = fixed(&cloud.rows(&mut random, 2000), 16);
    let moved = fixed(&moved, 16);
    for threshold in [Threshold::default(), Threshold::Customary] {
        let found = |now: &ArrayRef| report(Arc::clone(&still), Arc::clone(now), threshold).drifted;
        assert_eq!((found(&calm), found(&moved)), (0, 1), "{threshold:?}");
    }
    let column = |array: &ArrayRef| {
        vec![Column { name: "vector".to_owned(), arrays: vec![Arc::clone(array)] }]
    };
    let mut baseline = Baseline::fit(&column(&still), Options::default());
    let chunks: Vec<Vec<Column>> =
        (0..4).map(|chunk| column(&still.slice(chunk * 500, 500))).collect();
    baseline.learn_chunks(&chunks, 3.0);
    assert_eq!(baseline.compare(&column(&calm.slice(0, 500))).drifted, 0);
    assert_eq!(baseline.compare(&column(&moved.slice(0, 500))).drifted, 1);
}

#[test]
fn what_moved_is_described() {
    let mut random = Random::new(9);
    let draw = |random: &mut Random, moved: f64| -> Vec<Vec<f64>> {
        let row = |random: &mut Random| {
            (0..20).map(|i| random.normal() + if i == 7 { moved } else { 0.0 }).collect()
        };
        (0..1000).map(|_| row(random)).collect()
    };
    let (before, now) = (draw(&mut random, 0.0), draw(&mut random, 3.0));
    let found = report(fixed(&before, 20), fixed(&now, 20), Threshold::default());
    let described = found.columns[0].embedding.as_ref().unwrap();
    assert_eq!((described.width, described.components.len()), (20, 10));
    let first = &described.components[0];
    assert!(first.place == 7 && (first.shift - 3.0).abs() < 0.2, "{first:?}");
    assert!((described.moved - 3.0).abs() < 0.3 && described.distances[1].0 > 5.0);
    let shares = |side: fn(&crate::compare::Bin) -> f64| found.columns[0].bins.iter().map(side);
    assert!((shares(|bin| bin.reference).sum::<f64>() - 1.0).abs() < 1e-9);
    assert!((shares(|bin| bin.current).sum::<f64>() - 1.0).abs() < 1e-9);
}

#[test]
fn numbers_of_any_width_and_layout_give_the_same() {
    let mut random = Random::new(2);
    let rows = Cloud::of(5).rows(&mut random, 300);
    // Numbers that every type of float holds exactly.
    let rows: Vec<Vec<f64>> =
        rows.into_iter().map(|row| row.iter().map(|x| (x * 8.0).round()).collect()).collect();
    let doubles = fixed(&rows, 5);
    let mut singles = ListBuilder::new(Float32Builder::new());
    #[expect(clippy::cast_possible_truncation, reason = "small whole numbers")]
    rows.iter().for_each(|row| singles.append_value(row.iter().map(|x| Some(*x as f32))));
    let singles: ArrayRef = Arc::new(singles.finish());
    let past = |arrays: &[ArrayRef]| Past::fit(arrays).unwrap();
    let whole = past(std::slice::from_ref(&doubles));
    let parts = [singles.slice(0, 77), singles.slice(77, 223)];
    let apart = past(&parts);
    let close = |x: &[f64], y: &[f64]| x.iter().zip(y).all(|(x, y)| (x - y).abs() < 1e-9);
    assert!(close(whole.summary().centroid(), apart.summary().centroid()));
    assert!(close(whole.summary().squares(), apart.summary().squares()));
    assert_eq!(whole.summary().counts(), apart.summary().counts());
    let plain: Vec<f64> =
        (0..5).map(|i| rows.iter().map(|row| row[i]).sum::<f64>() / 300.0).collect();
    assert!(close(whole.summary().centroid(), &plain));
}

#[test]
fn no_more_rows_are_kept_than_there_is_room_for() {
    assert_eq!(rows_kept(384, ROWS_LIMIT), ROWS_LIMIT);
    assert_eq!(rows_kept(4096, ROWS_LIMIT), 1024);
    assert_eq!(rows_kept(1 << 20, ROWS_LIMIT), 500);
    assert_eq!(rows_kept(0, 7), 7);
}

fn any_row() -> impl Strategy<Value = Option<Vec<Option<f64>>>> {
    let number = prop_oneof![
        8 => (-1e3..1e3).prop_map(Some),
        1 => Just(None),
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(1e308), Just(-1e308)]
            .prop_map(Some),
    ];
    prop_oneof![
        1 => Just(None),
        8 => prop::collection::vec(number.clone(), 2..=3).prop_map(Some),
        1 => prop::collection::vec(number, 0..6).prop_map(Some),
    ]
}

proptest! {
    #[test]
    fn any_lists_give_an_answer(
        reference in prop::collection::vec(any_row(), 0..30),
        current in prop::collection::vec(any_row(), 0..30),
    ) {
        let all = [
            Threshold::default(),
            Threshold::Customary,
        ];
        for threshold in all {
            let found = report(ragged(&reference), ragged(&current), threshold);
            for one in &found.columns[0].measures {
                prop_assert!((0.0..=1.0).contains(&one.measure.probability), "{one:?}");
            }
        }
        let same = report(ragged(&reference), ragged(&reference), Threshold::default());
        prop_assert!(!same.columns[0].drifted);
        prop_assert!(same.columns[0].measures.iter().all(|one| {
            one.measure.value.abs() < 1e-9 || one.detector == "mmd"
        }), "{same:?}");
    }

    #[test]
    fn the_order_of_rows_does_not_matter(seed: u64, rows in 2_usize..60) {
        let mut random = Random::new(seed);
        let before = Cloud::of(4).rows(&mut random, rows);
        let mut now = Cloud { moved: 1.0, ..Cloud::of(4) }.rows(&mut random, rows);
        let one = report(fixed(&before, 4), fixed(&now, 4), Threshold::default());
        random.shuffle(&mut now);
        let other = report(fixed(&before, 4), fixed(&now, 4), Threshold::default());
        for (one, other) in one.columns[0].measures.iter().zip(&other.columns[0].measures) {
            let apart = (one.measure.value - other.measure.value).abs();
            prop_assert!(apart <= 1e-9 * one.measure.value.abs().max(1e-3), "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_growing_move_is_a_growing_distance(seed: u64, first in 0.0..2.0_f64, more in 0.01..2.0_f64) {
        let mut random = Random::new(seed);
        let before = past(&Cloud::of(6).rows(&mut random, 200));
        let now = Cloud::of(6).rows(&mut random, 100);
        let moved = |by: f64| -> Measure {
            let rows: Vec<Vec<f64>> =
                now.iter().map(|row| row.iter().map(|x| x + 5.0 + by).collect()).collect();
            measure(DEFAULT, &before, &summary(&before, &rows))
        };
        prop_assert!(moved(first).value < moved(first + more).value);
        prop_assert!(moved(first).probability >= moved(first + more).probability);
    }
}

#[test]
fn columns_of_no_width_and_no_rows_are_refused_in_words() {
    let nothing = fixed(&[], 4);
    let none: ArrayRef = Arc::new(FixedSizeListBuilder::new(Float64Builder::new(), 0).finish());
    for (reference, current) in [
        (Arc::clone(&nothing), Arc::clone(&nothing)),
        (Arc::clone(&none), Arc::clone(&none)),
        (fixed(&[vec![1.0, 2.0]], 2), fixed(&[vec![1.0, 2.0]], 2)),
        (fixed(&[vec![1.0], vec![2.0]], 1), nothing.slice(0, 0)),
    ] {
        let report = report(reference, current, Threshold::default());
        let column = &report.columns[0];
        assert!(column.measures.is_empty() && !column.drifted, "{column:?}");
        assert!(column.error.is_some() || !column.findings.is_empty(), "{column:?}");
    }
}

#[test]
fn values_and_customary_alarms_are_those_of_evidently() {
    let text = include_str!("../../testdata/embeddings.json");
    let golden: serde_json::Value = serde_json::from_str(text).unwrap();
    let mut checked = 0;
    for case in golden["cases"].as_array().unwrap() {
        let rows =
            |side: &str| -> Vec<Vec<f64>> { serde_json::from_value(case[side].clone()).unwrap() };
        let (reference, current) = (rows("reference"), rows("current"));
        let width = reference[0].len();
        let (reference, current) = (fixed(&reference, width), fixed(&current, width));
        let found = report(reference, current, Threshold::Customary);
        for one in &found.columns[0].measures {
            let theirs = case["evidently"][one.detector].as_f64().unwrap();
            // Evidently cuts a negative estimate off.
            let ours = one.measure.value.max(0.0);
            let what = format!("{} {}: {ours} not {theirs}", case["name"], one.detector);
            assert!((ours - theirs).abs() <= 1e-6 * theirs.max(1e-6), "{what}");
            assert_eq!(one.verdict.drifted, case["alarms"][one.detector], "{what}");
            checked += 1;
        }
    }
    assert_eq!(checked, 20);
}
