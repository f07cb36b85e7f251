use std::sync::Mutex;

use model::Tenant;
use model::metric::stale_nan;
use serde_json::{Value, json};
use stdx::memory::Budget;

use super::*;
use crate::{Engine, Options, Tables};

/// Three series of ten samples, a second apart, that note how they were selected.
#[derive(Debug, Default)]
struct Known {
    asked: Mutex<Vec<String>>,
}

struct Set(Vec<Labels>);

impl Samples for Known {
    fn select(
        &self,
        matchers: Vec<Matcher>,
        start: i64,
        end: i64,
    ) -> std::result::Result<Arc<dyn SampleSet>, String> {
        let shown =
            |time: i64, never: i64| if time == never { "-".into() } else { time.to_string() };
        let asked = format!("{matchers:?} {} {}", shown(start, i64::MIN), shown(end, i64::MAX));
        self.asked.lock().expect("no panic").push(asked);
        let series = [("up", "api"), ("up", "db"), ("load", "db")]
            .map(|(name, job)| Labels::from_pairs(&[("__name__", name), ("job", job)]));
        let is_wanted = |labels: &Labels| {
            matchers.iter().all(|m| m.matches(labels.get(&m.name).unwrap_or_default()))
        };
        Ok(Arc::new(Set(series.into_iter().filter(is_wanted).collect())))
    }
}

impl SampleSet for Set {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn labels(&self, index: usize) -> &Labels {
        &self.0[index]
    }

    fn read(&self, _index: usize, into: &mut SampleColumns) -> std::result::Result<(), String> {
        into.timestamps = (1..=10).map(|second| second * 1_000).collect();
        into.values = (1..=10).map(f64::from).collect();
        into.values[9] = stale_nan();
        into.histograms = vec![(11_000, 4.0, 2.5)];
        Ok(())
    }
}

#[derive(Debug)]
struct OneTable(Arc<Known>);

impl Tables for OneTable {
    fn names(&self) -> Vec<&'static str> {
        vec!["metrics"]
    }

    fn table(&self, _name: &str, _tenant: &Tenant) -> Option<Arc<dyn TableProvider>> {
        Some(samples_table(Arc::clone(&self.0) as Arc<dyn Samples>))
    }

    fn over(&self, _name: &str, _batches: Vec<RecordBatch>) -> Option<Arc<dyn TableProvider>> {
        None
    }
}

async fn ask(sql: &str) -> (Vec<Vec<Value>>, Vec<String>) {
    let known = Arc::new(Known::default());
    let options = Options::new(Budget::new("test", 64 << 20));
    let engine = Engine::new(options, Arc::new(OneTable(Arc::clone(&known)))).expect("an engine");
    let answer =
        engine.sql(&Tenant::default_tenant(), sql, &[], engine.limits()).await.expect("a plan");
    let answer = answer.collect().await.expect("rows");
    let mut rows = Vec::new();
    for batch in &answer.batches {
        for row in 0..batch.num_rows() {
            let cell = |column: &ArrayRef| {
                let text = arrow::util::display::array_value_to_string(column, row);
                Value::from(text.expect("a text"))
            };
            rows.push(batch.columns().iter().map(cell).collect());
        }
    }
    let asked = known.asked.lock().expect("no panic").clone();
    (rows, asked)
}

#[tokio::test]
async fn samples_are_rows() {
    let (rows, _) =
        ask("SELECT name, labels['job'] AS job, count(value), max(value), sum(count), \
                         max(sum) FROM metrics GROUP BY 1, 2 ORDER BY 1, 2")
        .await;
    let expect = [["load", "db"], ["up", "api"], ["up", "db"]]
        .map(|[name, job]| json!([name, job, "9", "9.0", "4.0", "2.5"]));
    assert_eq!(json!(rows), json!(expect));
    let (rows, _) = ask("SELECT count(*) FROM metrics").await;
    assert_eq!(json!(rows), json!([["30"]]));
}

#[tokio::test]
async fn conditions_choose_series_and_times() {
    for (condition, asked, rows) in [
        ("name = 'up'", "[__name__=\"up\"] - -", "20"),
        ("'up' = name AND labels['job'] = 'db'", "[__name__=\"up\", job=\"db\"] - -", "10"),
        ("time >= to_timestamp(3) AND time < to_timestamp(5)", "[] 3000 5001", "6"),
        ("time BETWEEN to_timestamp(3) AND to_timestamp(5)", "[] 3000 5001", "9"),
        ("name = 'up' OR value > 8", "[] - -", "21"),
        ("labels['none'] = ''", "[] - -", "0"),
    ] {
        let (found, seen) = ask(&format!("SELECT count(*) FROM metrics WHERE {condition}")).await;
        assert_eq!(seen, [asked], "{condition}");
        assert_eq!(json!(found), json!([[rows]]), "{condition}");
    }
}
