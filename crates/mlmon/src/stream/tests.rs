use std::sync::Arc;

use arrow_array::TimestampMicrosecondArray;
use arrow_array::types::Float32Type;
use arrow_array::{ArrayRef, FixedSizeListArray, Float64Array, RecordBatch, StringArray};

use super::*;
use crate::stat::random::Random;

/// Rows an hour apart, in batches of uneven lengths; from `moved_from` on `amount` is higher.
fn batches(seed: u64, rows: usize, moved_from: usize) -> Vec<RecordBatch> {
    let mut random = Random::new(seed);
    let mut made = Vec::new();
    let mut row = 0;
    while row < rows {
        let length = (1 + random.below(700)).min(rows - row);
        let range = row..row + length;
        let amount: Float64Array = range
            .clone()
            .map(|row| {
                let moved = if row >= moved_from { 0.8 } else { 0.0 };
                (random.unit() > 0.02).then(|| random.normal() + moved)
            })
            .collect();
        let region: StringArray =
            range.clone().map(|_| Some(["n", "s", "w"][random.below(3)])).collect();
        let at: TimestampMicrosecondArray =
            range.clone().map(|h| Some(h as i64 * 3_600_000_000)).collect();
        let score: Vec<f64> = range.clone().map(|_| random.unit()).collect();
        let label: Float64Array =
            score.iter().map(|p| Some(f64::from(u8::from(random.unit() < *p)))).collect();
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("at", Arc::new(at)),
            ("amount", Arc::new(amount)),
            ("region", Arc::new(region)),
            ("score", Arc::new(Float64Array::from(score))),
            ("label", Arc::new(label)),
        ];
        made.push(RecordBatch::try_from_iter(columns).unwrap());
        row += length;
    }
    made
}

fn monitor(detectors: &str) -> Monitor {
    let text = format!(
        "monitors:\n  - name: m\n    detectors: [{detectors}]\n    time: at\n    every: 25d\n    \
         target: label\n    score: score\n    protected: region\n"
    );
    Monitor::read(&text).unwrap().remove(0)
}

fn written(outcome: &Outcome) -> serde_json::Value {
    let mut outcome = serde_json::to_value(outcome).unwrap();
    // What the stream says that it does not do.
    outcome["notes"] = serde_json::Value::Null;
    outcome["duplicates"] = serde_json::Value::Null;
    outcome
}

/// Sums of floats depend on their order in the last digits.
fn same(left: &serde_json::Value, right: &serde_json::Value, at: &str) {
    use serde_json::Value;
    match (left, right) {
        (Value::Object(mine), Value::Object(theirs)) => {
            assert_eq!(mine.len(), theirs.len(), "{at}");
            mine.iter().for_each(|(key, value)| same(value, &theirs[key], &format!("{at}.{key}")));
        }
        (Value::Array(mine), Value::Array(theirs)) => {
            assert_eq!(mine.len(), theirs.len(), "{at}");
            let pairs = mine.iter().zip(theirs).enumerate();
            pairs.for_each(|(i, (mine, theirs))| same(mine, theirs, &format!("{at}[{i}]")));
        }
        (Value::Number(mine), Value::Number(theirs)) => {
            let (mine, theirs) = (mine.as_f64().unwrap(), theirs.as_f64().unwrap());
            let apart = (mine - theirs).abs() / mine.abs().max(theirs.abs()).max(1e-9);
            assert!(apart < 1e-9, "{at}: {mine} and {theirs}");
        }
        _ => assert_eq!(left, right, "{at}"),
    }
}

#[test]
fn a_small_table_gives_the_same_streamed_and_whole() {
    let (reference, current) = (batches(1, 6000, 9999), batches(2, 6000, 3000));
    for detectors in ["psi, chi_square, hellinger", "psi, correlation_change, adwin, hddm"] {
        let monitor = monitor(detectors);
        let whole = monitor.run(&reference, &current).unwrap();
        let streamed = monitor.stream(&reference, &current).unwrap();
        assert!(whole.drifted() && whole.windows.len() == 10);
        same(&written(&whole), &written(&streamed), "");
    }
    // Windows of up to 2,000 rows are whole in their samples too.
    let monitor = monitor("all");
    let whole = monitor.run(&reference, &current).unwrap();
    let streamed = monitor.stream(&reference, &current).unwrap();
    same(&written(&whole), &written(&streamed), "");
}

#[test]
fn counts_are_exact_where_values_are_sampled() {
    let rows = 3 * SAMPLE_ROWS;
    let (reference, current) = (batches(3, rows, rows), batches(4, rows, rows / 2));
    let monitor = Monitor {
        detectors: vec!["psi".to_owned(), "kolmogorov_smirnov".to_owned()],
        by: Some("region".to_owned()),
        ..Monitor::default()
    };
    let outcome = monitor.stream(&reference, &current).unwrap();
    assert_eq!(outcome.overall.rows, (rows as u64, rows as u64));
    assert_eq!(outcome.overall.columns[0].name, "amount");
    let bins: f64 = outcome.overall.columns[0].bins.iter().map(|bin| bin.reference).sum();
    assert!((bins - 1.0).abs() < 1e-9);
    // Edges from a sample of 100,000 rows: each bin has a tenth, give or take half a percent.
    let even = |bin: &crate::compare::Bin| (bin.reference - 0.1).abs() < 0.005;
    assert!(outcome.overall.columns[0].bins.iter().all(even));
    let distance = outcome.overall.columns[0].measures[1].measure.value;
    let whole = monitor.run(&reference, &current).unwrap();
    let exact = whole.overall.columns[0].measures[1].measure.value;
    assert!((distance - exact).abs() < 0.01, "{distance} {exact}");
    assert_eq!(outcome.segments.len(), 3);
    assert!(outcome.segments.iter().all(|part| part.report.drifted == 1));
    assert_eq!(outcome.overall.drifted, whole.overall.drifted);
}

#[test]
fn a_sample_is_even_ordered_and_repeats() {
    let whole = batches(5, 50_000, 0);
    let draw = || {
        let mut sample = Sample::new(1000);
        whole.iter().for_each(|batch| sample.take(batch).unwrap());
        sample.settle().unwrap();
        let at = sample.column("at").unwrap();
        let at = column::dense_numbers(&[at]).unwrap();
        at.iter().map(|micros| micros / 3.6e9).collect::<Vec<f64>>()
    };
    let rows = draw();
    assert_eq!(rows, draw());
    assert!(rows.len() == 1000 && rows.is_sorted());
    // A quarter of the rows from each quarter of the table: 250 ± 5 deviations.
    for quarter in 0..4 {
        let from = f64::from(quarter) * 12_500.0;
        let found = rows.iter().filter(|row| (from..from + 12_500.0).contains(*row)).count();
        assert!((180..320).contains(&found), "{found} of quarter {quarter}");
    }
}

#[test]
fn what_cannot_be_read_or_held_is_said() {
    struct Broken(Vec<RecordBatch>);
    impl Rows for Broken {
        fn schema(&self) -> SchemaRef {
            self.0[0].schema()
        }
        fn each(
            &self,
            columns: &[String],
            take: &mut dyn FnMut(&RecordBatch) -> Result<(), Error>,
        ) -> Result<(), Error> {
            self.0.each(columns, take)?;
            Err(Error::Read("the disk is gone".to_owned()))
        }
    }
    let table = batches(6, 1000, 0);
    let monitor = Monitor::default();
    let refused = monitor.stream(&Broken(table.clone()), &table).unwrap_err();
    assert_eq!(refused.to_string(), "the disk is gone");
    let many = Monitor { every: Some(Every::Rows(1)), ..Monitor::default() };
    let tall = batches(7, 6000, 0);
    assert!(many.stream(&tall, &tall).unwrap_err().to_string().contains("windows"));
    let none: Vec<RecordBatch> = vec![RecordBatch::new_empty(table[0].schema())];
    let outcome = monitor.stream(&table, &none).unwrap();
    assert_eq!(outcome.overall.rows.1, 0);
    assert!(monitor.stream(&none, &table).unwrap().overall.compared == 0);
}

#[test]
fn names_without_end_are_counted_in_bounded_memory() {
    let mut names = Names::default();
    for part in 0..60_u32 {
        let texts: StringArray = (0..10_000)
            .map(|i| Some(if i % 2 == 0 { "often".to_owned() } else { format!("{part}-{i}") }))
            .collect();
        names.take(&texts).unwrap();
        assert!(names.0.len() <= NAMES_COUNTED + 10_000);
    }
    let edges = names.edges().unwrap();
    assert_eq!(edges.categories().unwrap()[0].as_ref(), "often");
}

/// The same rows with vectors of four numbers, some missing, the last half of them elsewhere.
fn with_vectors(seed: u64, rows: usize, moved_from: usize) -> Vec<RecordBatch> {
    let mut random = Random::new(seed ^ 77);
    let mut first = 0;
    let add = |batch: RecordBatch| {
        let vectors = (first..first + batch.num_rows()).map(|row| {
            let moved = if row >= moved_from { 0.7 } else { 0.0 };
            #[expect(clippy::cast_possible_truncation, reason = "vectors are of 32 bits")]
            let vector: Vec<Option<f32>> =
                (0..4).map(|_| Some((random.normal() + moved) as f32)).collect();
            (row % 50 != 3).then_some(vector)
        });
        let vectors = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(vectors, 4);
        first += batch.num_rows();
        let columns = batch.schema().fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>();
        let columns = columns.into_iter().zip(batch.columns().iter().map(Arc::clone));
        let vectors = ("vector".to_owned(), Arc::new(vectors) as ArrayRef);
        RecordBatch::try_from_iter(columns.chain([vectors])).unwrap()
    };
    batches(seed, rows, usize::MAX).into_iter().map(add).collect()
}

#[test]
fn vectors_are_compared_streamed_as_whole() {
    let (reference, current) = (with_vectors(1, 1900, 9999), with_vectors(2, 1900, 950));
    for detectors in ["psi", "centroid_cosine, drifted_components, mmd, correlation_change"] {
        let monitor = monitor(detectors);
        let streamed = monitor.stream(&reference, &current).unwrap();
        let mut whole = monitor.run(&reference, &current).unwrap();
        // Several columns at once are looked at as a whole where tables are streamed.
        whole.multivariate.iter_mut().for_each(|one| one.windows.clear());
        if detectors == "psi" {
            same(&written(&whole), &written(&streamed), "outcome");
        }
        for outcome in [&whole, &streamed] {
            let first = &outcome.overall.columns[0];
            assert!(first.name == "vector" && first.drifted, "{first:?}");
            assert_eq!(first.embedding.as_ref().unwrap().width, 4);
            assert_eq!(outcome.overall.drifted, 1);
            let drifts = outcome.windows.iter().map(|part| part.report.drifted == 1);
            assert_eq!(drifts.collect::<Vec<_>>(), [false, true, true, true]);
        }
    }
}

#[test]
fn vectors_have_segments_and_are_none() {
    let (reference, current) = (with_vectors(1, 1900, 9999), with_vectors(2, 1900, 950));
    let mut monitor = Monitor { by: Some("region".to_owned()), ..Monitor::default() };
    for outcome in
        [monitor.run(&reference, &current).unwrap(), monitor.stream(&reference, &current).unwrap()]
    {
        assert_eq!(outcome.segments.len(), 3);
        assert!(outcome.segments.iter().all(|part| part.report.columns[0].name == "vector"));
        assert!(outcome.segments.iter().all(|part| part.report.columns[0].drifted));
    }
    monitor.by = Some("vector".to_owned());
    let refused = monitor.run(&reference, &current).unwrap_err().to_string();
    assert!(refused.contains("\"vector\" holds vectors"), "{refused}");
    let alone = Monitor { columns: vec!["vector".to_owned()], ..Monitor::default() };
    let alone =
        Monitor { detectors: vec!["mmd".to_owned(), "pca_reconstruction".to_owned()], ..alone };
    let streamed = alone.stream(&reference, &current).unwrap();
    assert!(streamed.overall.columns[0].measures[0].detector == "mmd" && streamed.drifted());
    let outcome = alone.run(&reference, &current).unwrap();
    assert_eq!(outcome.overall.columns[0].measures[0].detector, "mmd");
    assert!(outcome.multivariate.is_empty());
    assert_eq!(outcome.notes[0], "pca_reconstruction is not computed: there are only vectors");
    let chunks = Threshold::Chunks { deviations: 4.0 };
    let chunks = Monitor { threshold: chunks, every: Some(Every::Rows(475)), ..Monitor::default() };
    let outcome = chunks.run(&reference, &current).unwrap();
    let of_vectors =
        |part: &Part| part.report.columns.iter().any(|c| c.name == "vector" && c.drifted);
    assert_eq!(
        outcome.windows.iter().map(of_vectors).collect::<Vec<_>>(),
        [false, false, true, true]
    );
}
