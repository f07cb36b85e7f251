//! What `trefoil drift` says of a model beyond the columns: rankings, quantiles, decisions by threshold,
//! experiments, attributions. Small tables, numbers that can be had by hand.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use e2e::program;
use serde_json::Value;

/// A directory with tables.
struct Tables(tempfile::TempDir);

impl Tables {
    fn new() -> Tables {
        Tables(tempfile::tempdir().expect("a directory"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A CSV of so many rows.
    fn write(&self, name: &str, heading: &str, rows: usize, row: impl Fn(usize) -> String) {
        let mut text = format!("{heading}\n");
        for number in 0..rows {
            writeln!(text, "{}", row(number)).expect("a text grows");
        }
        std::fs::write(self.path(name), text).expect("a file");
    }

    /// `trefoil drift before.csv now.csv …`, as one piece and streamed, its JSON and its exit code.
    async fn drift(&self, arguments: &[&str]) -> Vec<(Value, Option<i32>)> {
        let (before, now) = (self.path("before.csv"), self.path("now.csv"));
        let mut outcomes = Vec::new();
        for memory in ["1GiB", "0"] {
            let mut all = vec!["drift", text(&before), text(&now), "--json", "--memory", memory];
            all.extend(arguments);
            let output = program::run_trefoil(&all).await;
            let said = serde_json::from_str(&output.stdout);
            outcomes.push((said.unwrap_or_else(|_| panic!("{}", output.said())), output.code));
        }
        outcomes
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of letters")
}

fn close(value: &Value, expected: f64) {
    let apart = value.as_f64().map(|value| (value - expected).abs());
    assert!(apart.is_some_and(|apart| apart < 1e-9), "{value}, not {expected}");
}

fn metric<'a>(outcome: &'a Value, name: &str) -> &'a Value {
    let metrics = outcome["performance"]["metrics"].as_array().expect("metrics");
    metrics.iter().find(|metric| metric["name"] == name).unwrap_or_else(|| panic!("no {name}"))
}

#[tokio::test]
async fn rankings_are_measured_by_query() {
    let tables = Tables::new();
    // Five items a query in the order of their score; the relevant one is the second, then the fourth.
    let row = |relevant: usize| {
        move |row: usize| format!("{},{},{}", row / 5, 10 - row % 5, u8::from(row % 5 == relevant))
    };
    tables.write("before.csv", "query,score,relevance", 500, row(1));
    tables.write("now.csv", "query,score,relevance", 500, row(3));
    let arguments = ["--query", "query", "--score", "score", "--target", "relevance", "--top", "4"];
    let failing = [&arguments[..], &["--fail-on", "performance"]].concat();
    for (outcome, code) in tables.drift(&failing).await {
        assert_eq!(code, Some(3));
        assert_eq!(outcome["performance"]["task"], "ranking");
        // 1 / log₂ 3 and 1 / log₂ 5, as scikit-learn's ndcg_score says; 1/2 and 1/4.
        close(&metric(&outcome, "ndcg")["reference"], 0.630_929_753_571_457_3);
        close(&metric(&outcome, "ndcg")["points"][0]["realized"], 0.430_676_558_073_393_06);
        close(&metric(&outcome, "map")["points"][0]["realized"], 0.25);
        close(&metric(&outcome, "mrr")["points"][0]["realized"], 0.25);
        close(&metric(&outcome, "hit_rate")["points"][0]["realized"], 1.0);
        close(&metric(&outcome, "answerable")["points"][0]["realized"], 1.0);
    }
    let (before, now) = (tables.path("before.csv"), tables.path("now.csv"));
    let refused = ["drift", text(&before), text(&now), "--query", "query"];
    let refused = program::run_trefoil(&refused).await;
    assert!(refused.code == Some(2) && refused.stderr.contains("--score"), "{}", refused.said());
}

#[tokio::test]
async fn a_quantile_has_a_loss_and_a_coverage() {
    let tables = Tables::new();
    tables.write("before.csv", "minutes,promised", 1000, |row| format!("{},8.0", row % 10));
    tables.write("now.csv", "minutes,promised", 1000, |row| format!("{},4.0", row % 10));
    let arguments = ["--target", "minutes", "--prediction", "promised", "--quantile", "0.9"];
    for (outcome, _) in tables.drift(&arguments).await {
        close(&metric(&outcome, "coverage")["reference"], 0.9);
        close(&metric(&outcome, "coverage")["points"][0]["realized"], 0.5);
        // (0.1 · (4 + 3 + 2 + 1) + 0.9 · (1 + 2 + 3 + 4 + 5)) / 10
        close(&metric(&outcome, "quantile_loss")["points"][0]["realized"], 1.45);
        assert_eq!(metric(&outcome, "coverage")["points"][0]["alert"], true);
    }
}

#[tokio::test]
async fn decisions_are_counted_at_every_threshold() {
    let tables = Tables::new();
    let row = |row: usize| ["0.9,1", "0.6,0", "0.4,1", "0.1,0"][row % 4].to_owned();
    tables.write("before.csv", "score,label", 400, row);
    tables.write("now.csv", "score,label", 400, row);
    let page = tables.path("report.html");
    let arguments = ["--target", "label", "--score", "score", "--html", text(&page)];
    let arguments = [&arguments[..], &["--value", "1,-3,0,0"]].concat();
    for (outcome, code) in tables.drift(&arguments).await {
        assert_eq!(code, Some(0));
        let found = &outcome["performance"]["thresholds"];
        close(&found["used"], 0.5);
        let current = &found["current"];
        assert_eq!(current["points"].as_array().map(Vec::len), Some(101));
        let counts = |point: &Value| {
            let cells = ["true_positive", "false_positive", "false_negative", "true_negative"];
            cells.map(|cell| point["confusion"][cell].as_f64().expect("rows")).to_vec()
        };
        assert_eq!(counts(&current["decided"]), [100.0; 4]);
        assert_eq!(counts(&current["points"][30]), [200.0, 100.0, 0.0, 100.0]);
        close(&current["best_f1"]["threshold"], 0.11);
        close(&current["best_f1"]["f1"], 0.8);
        // Nothing but the rows from 0.61 on: 100 of 400.
        close(&current["best_value"]["value"], 0.25);
        let page = std::fs::read_to_string(&page).expect("the page");
        assert!(page.contains("F1 is greatest at a threshold of 0.1100: 0.8000, against 0.5000"));
    }
}

#[tokio::test]
async fn an_experiment_ends_with_its_verdict() {
    let tables = Tables::new();
    // Conversions of 10 % and of 15 %.
    tables.write("before.csv", "bought,amount", 8000, |row| {
        format!("{},{}", u8::from(row % 10 == 0), row % 7)
    });
    let treated = |row: usize| format!("{},{}", u8::from(row % 20 < 3), row % 7);
    tables.write("now.csv", "bought,amount", 8000, treated);
    let arguments = ["--experiment", "bought,amount", "--fail-on", "experiment"];
    for (outcome, code) in tables.drift(&arguments).await {
        assert_eq!(code, Some(3));
        let experiment = &outcome["experiment"];
        assert_eq!(experiment["sample_ratio"]["mismatch"], false);
        let bought = &experiment["metrics"][0];
        assert_eq!((&bought["conversion"], &bought["verdict"]), (&true.into(), &"higher".into()));
        close(&bought["difference"]["value"], 0.05);
        // By hand: d = 0.05, v = (0.09 + 0.1275) / 7,999, τ = 0.05 · √(0.09 · 8,000 / 7,999), α = 0.025.
        close(&bought["always_valid"]["lower"], 0.032_890_594_079_673_44);
        assert_eq!(experiment["metrics"][1]["verdict"], "undecided");
    }
    for (outcome, code) in
        tables.drift(&["--experiment", "amount", "--fail-on", "experiment"]).await
    {
        assert_eq!(code, Some(0), "{}", outcome["experiment"]);
    }
    tables.write("now.csv", "bought,amount", 7000, treated);
    for (outcome, code) in
        tables.drift(&["--experiment", "amount", "--fail-on", "experiment"]).await
    {
        assert_eq!(code, Some(3));
        assert_eq!(outcome["experiment"]["sample_ratio"]["mismatch"], true);
    }
    let shares = ["--experiment", "amount", "--shares", "8,7", "--fail-on", "experiment"];
    for (outcome, code) in tables.drift(&shares).await {
        assert_eq!(code, Some(0), "{}", outcome["experiment"]);
    }
}

#[tokio::test]
async fn a_model_says_which_drifted_columns_matter() {
    let tables = Tables::new();
    let row = |shift: usize| move |row: usize| format!("{},{}", row % 21, row * 8 % 21 + shift);
    tables.write("before.csv", "loud,quiet", 2100, row(0));
    tables.write("now.csv", "loud,quiet", 2100, row(100));
    let model = tables.path("model.json");
    std::fs::write(&model, r#"{"weights": {"loud": 3, "quiet": 1}}"#).expect("a file");
    let arguments = ["--model", text(&model), "--fail-on", "attribution"];
    for (outcome, code) in tables.drift(&arguments).await {
        assert_eq!(code, Some(3));
        let found = &outcome["attribution"];
        assert_eq!(found["features"][0]["name"], "loud");
        assert_eq!(found["features"][1]["column_drifted"], true);
        // From the mean of the reference, 10, rows now lie 100 further.
        let now = found["features"][1]["current"].as_f64().expect("a size");
        assert!((now - 100.0).abs() < 1.0, "{now}");
        let agreement = found["agreement"].as_f64().expect("a number");
        // (1 + 3 / log₂ 3) / (3 + 1 / log₂ 3), of a thousand rows each.
        assert!((agreement - 0.796_7).abs() < 0.02, "{agreement}");
    }
    std::fs::write(&model, r#"{"weights": {"loud": 3, "gone": 1}}"#).expect("a file");
    let (before, now) = (tables.path("before.csv"), tables.path("now.csv"));
    let refused = ["drift", text(&before), text(&now), "--model", text(&model)];
    let refused = program::run_trefoil(&refused).await;
    assert!(refused.code == Some(1) && refused.stderr.contains("\"gone\""), "{}", refused.said());
}

#[tokio::test]
async fn everything_that_is_computed_is_listed() {
    let listed = program::run_trefoil(&["drift", "--list"]).await.success();
    for words in [
        "COLUMN BY COLUMN",
        "ROW BY ROW",
        "DATA QUALITY",
        "PERFORMANCE\n",
        "PERFORMANCE WITHOUT LABELS",
        "FAIRNESS",
        "EXPERIMENTS",
        "ATTRIBUTION",
        "ndcg",
        "quantile_loss",
        "sample_ratio",
    ] {
        assert!(listed.contains(words), "{words}");
    }
}
