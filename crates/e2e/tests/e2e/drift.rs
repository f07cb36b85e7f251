//! `trefoil drift` as somebody uses it: files in, a verdict out, on data where the answer is known.

use std::path::{Path, PathBuf};

use e2e::program;
use e2e::random::show;
use e2e::wait::PATIENCE;
use serde_json::Value;

/// NannyML's data sets, from its wheel in the environment's Python; nothing where it is not.
fn nannyml() -> Option<PathBuf> {
    let library = program::python().parent()?.parent()?.join("lib");
    let versions = std::fs::read_dir(library).ok()?.flatten();
    let mut data =
        versions.map(|version| version.path().join("site-packages/nannyml/datasets/data"));
    let found = data.find(|data| data.is_dir());
    if found.is_none() {
        show("left out: no NannyML wheel; scripts/setup installs it where there is a network");
    }
    found
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of letters")
}

fn names(list: &Value, is: impl Fn(&Value) -> bool) -> Vec<usize> {
    let list = list.as_array().expect("a list").iter().enumerate();
    list.filter(|(_, one)| is(one)).map(|(place, _)| place).collect()
}

fn drifts(window: &Value) -> bool {
    window["report"]["drifted"].as_u64() > Some(0)
}

#[tokio::test]
async fn exactly_the_chunks_of_the_car_loan_data_drift_that_should() {
    let Some(data) = nannyml() else { return };
    let file = |name: &str| text(&data.join(format!("synthetic_car_loan_{name}.csv"))).to_owned();
    let (reference, current) = (file("reference"), file("analysis"));
    let (labels, scratch) = (file("analysis_target"), tempfile::tempdir().expect("a directory"));
    let page = scratch.path().join("report.html");
    let mut arguments = vec!["drift", &reference, &current, "--every", "5000 rows", "--json"];
    arguments.extend(["--labels", &labels, "--id", "id", "--target", "repaid"]);
    arguments.extend(["--score", "y_pred_proba", "--prediction", "y_pred"]);
    let expected = [5, 6, 7, 8, 9];
    // As one piece, and in pieces of constant memory.
    for memory in ["1GiB", "0"] {
        let mut arguments = arguments.clone();
        arguments.extend(["--memory", memory, "--html", text(&page)]);
        let output = program::run_trefoil(&arguments).await;
        assert_eq!(output.code, Some(3), "{}", output.said());
        let outcome: Value = serde_json::from_str(&output.stdout).expect("JSON");
        assert_eq!(names(&outcome["windows"], drifts), expected);
        let auroc = &outcome["performance"]["metrics"][0];
        assert_eq!(auroc["name"], "auroc");
        assert_eq!(names(&auroc["points"], |point| point["alert"] == true), expected);
        let columns = &outcome["overall"]["columns"];
        assert_eq!(names(columns, |column| column["drifted"] == true), [0, 1, 2, 3, 4]);
        assert_eq!(columns[0]["name"], "car_value");
        let page = std::fs::read_to_string(&page).expect("the page");
        assert!(page.contains("all from rows 25000") && page.contains("car_value"));
        assert!(!page.contains("<script") && !page.contains("http"), "it needs nothing else");
    }
}

#[tokio::test]
async fn tables_without_drift_end_with_nought_and_mistakes_with_one() {
    let Some(data) = nannyml() else { return };
    let reference = data.join("synthetic_car_loan_reference.csv");
    let reference = text(&reference);
    let same = program::run_trefoil(&["drift", reference, reference]).await;
    assert!(same.code == Some(0) && same.stdout.contains("no drift"), "{}", same.said());
    for (arguments, words) in [
        (vec!["drift", reference, "/no/such.csv"], "no such file"),
        (vec!["drift", reference, reference, "--detector", "psy"], "psy"),
        (vec!["drift", reference, reference, "--columns", "wage"], "wage"),
        (vec!["drift", reference, reference, "--memory", "much"], "much"),
    ] {
        let output = program::run_trefoil(&arguments).await;
        let refused = output.code != Some(0) && output.code != Some(3);
        assert!(refused && output.stderr.contains(words), "{}", output.said());
    }
}

/// Estimates without labels, chunk by chunk, held against what NannyML says of the same rows.
#[tokio::test]
async fn alerts_on_the_employment_data_are_those_of_nannyml() {
    let Some(data) = nannyml() else { return };
    let golden = program::root().join("crates/mlmon/testdata/nannyml.json");
    let golden = std::fs::read_to_string(golden).expect("the golden file");
    let golden: Value = serde_json::from_str(&golden).expect("JSON");
    let golden = &golden["employment"]["cbpe"];
    let (reference, current) =
        (data.join("employment_MA_reference.pq"), data.join("employment_MA_analysis.pq"));
    let mut arguments = vec!["drift", text(&reference), text(&current), "--every", "5000 rows"];
    arguments.extend(["--json", "--fail-on", "never", "--target", "employed"]);
    arguments.extend(["--score", "predicted_probability", "--prediction", "prediction"]);
    let output = program::run_trefoil(&arguments).await.success();
    let outcome: Value = serde_json::from_str(&output).expect("JSON");
    let metrics = outcome["performance"]["metrics"].as_array().expect("metrics");
    for (ours, theirs) in [
        ("auroc", "roc_auc"),
        ("f1", "f1"),
        ("precision", "precision"),
        ("recall", "recall"),
        ("accuracy", "accuracy"),
    ] {
        let metric = metrics.iter().find(|metric| metric["name"] == ours).expect(ours);
        let golden = &golden[theirs];
        let alerts = names(&golden["alert"], |alert| *alert == true);
        assert_eq!(names(&metric["points"], |point| point["alert"] == true), alerts, "{ours}");
        let values = golden["value"].as_array().expect("values");
        assert_eq!(metric["points"].as_array().map(Vec::len), Some(values.len()));
        for (point, value) in metric["points"].as_array().expect("points").iter().zip(values) {
            let (mine, other) = (point["estimate"]["value"].as_f64(), value.as_f64());
            let apart = mine.zip(other).map(|(mine, other)| (mine - other).abs());
            assert!(apart.is_some_and(|apart| apart < 2e-4), "{ours}: {point} {value}");
        }
    }
}

const TALL: &str = r#"
import resource, subprocess, sys
import numpy as np, pyarrow as pa, pyarrow.parquet as pq

program, directory = sys.argv[1:]
rows, columns = 4_000_000, 10
for name, shift in (("reference", 0), ("current", 1)):
    with pq.ParquetWriter(f"{directory}/{name}.parquet", pa.schema([(f"c{i}", "f8") for i in range(columns)])) as file:
        random = np.random.default_rng(7 + shift)
        for _ in range(rows // 200_000):
            values = [random.integers(0, 50, 200_000).astype("f8") for _ in range(columns)]
            values[3] = np.minimum(values[3] + 5 * shift, 60)
            file.write_table(pa.table({f"c{i}": value for i, value in enumerate(values)}))
before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
run = subprocess.run(
    [program, "drift", f"{directory}/reference.parquet", f"{directory}/current.parquet",
     "--memory", "100MB", "--detector", "psi,kolmogorov_smirnov", "--every", "500000 rows"],
    capture_output=True, text=True)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(run.stdout, run.stderr)
print("exit", run.returncode, "before", before, "peak", peak)
assert run.returncode == 3 and "1 of 10 columns drifted" in run.stdout, run.stderr
assert "DRIFT   c3" in run.stdout and "the tables were streamed" in run.stdout
table = rows * columns * 8 // 1024
assert peak < table, f"{peak} KiB for two tables of {table} KiB each"
"#;

#[tokio::test]
async fn tables_larger_than_the_memory_they_may_take_are_streamed() {
    let scratch = tempfile::tempdir().expect("a directory");
    let mut command = program::command(program::python());
    command.arg("-c").arg(TALL).arg(program::trefoil()).arg(scratch.path());
    let said = program::run(&mut command, PATIENCE).await.success();
    show(&said);
}
