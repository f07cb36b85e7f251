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

/// A stand-in for S3 that lists and hands out what lies in a directory, to who signs with its key.
const S3: &str = r#"
import http.server, os, subprocess, sys, threading, urllib.parse
import pyarrow as pa, pyarrow.parquet as pq
from deltalake import write_deltalake

program, directory = sys.argv[1:]
objects, refused = {}, []

class S3(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        key = urllib.parse.unquote(url.path).removeprefix("/bucket").lstrip("/")
        if "Credential=key/" not in self.headers.get("Authorization", ""):
            refused.append(self.path)
            return self.answer(403, b"")
        if key:
            return self.answer(200, objects[key]) if key in objects else self.answer(404, b"")
        prefix = urllib.parse.parse_qs(url.query).get("prefix", [""])[0]
        entry = "<Contents><Key>{}</Key><LastModified>2026-11-21T12:00:00.000Z</LastModified><ETag>e</ETag><Size>{}</Size></Contents>"
        names = sorted(name for name in objects if name.startswith(prefix))
        listed = "".join(entry.format(name, len(objects[name])) for name in names)
        self.answer(200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{listed}</ListBucketResult>".encode())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", "Sat, 21 Nov 2026 12:00:00 GMT")
        self.send_header("ETag", '"e"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), S3)
threading.Thread(target=server.serve_forever, daemon=True).start()
rows = 2000
def table(shift):
    return pa.table({
        "n": [float(i % 50 + shift) for i in range(rows)],
        "city": ["Rome" if i % (3 + shift) else "Oslo" for i in range(rows)],
    })
reference, current = table(0), table(20)
pq.write_table(reference, f"{directory}/reference.parquet")
os.makedirs(f"{directory}/now/more")
for part in range(3):
    pq.write_table(current.slice(part * 700, 700), f"{directory}/now/{'more/' if part else ''}part-{part}.parquet")
write_deltalake(f"{directory}/lake", reference.slice(0, 10), partition_by=["city"])
write_deltalake(f"{directory}/lake", current, mode="overwrite")
for folder, _, files in os.walk(directory):
    for file in files:
        path = os.path.join(folder, file)
        objects[os.path.relpath(path, directory)] = open(path, "rb").read()
        objects["deep/" + os.path.relpath(path, directory)] = open(path, "rb").read()

def drift(reference, current, key="key"):
    environment = {
        "PATH": os.environ["PATH"], "AWS_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": "secret",
    }
    command = [program, "drift", reference, current]
    run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=50)
    print(reference, current, run.returncode, run.stderr)
    return run.returncode, run.stdout, run.stderr

own = f"{directory}/reference.parquet"
expected = (3, "drift: 2 of 2 columns drifted   reference 2,000 rows, current 2,000 rows")
for name in ("s3://bucket/now", "s3://bucket/deep/now/", "s3://bucket/now/**/*.parquet", "s3://bucket/deep/**/part-?.parquet",
             "s3://bucket/lake", "s3://bucket/deep/lake/", "s3a://bucket/lake"):
    code, said, error = drift("s3://bucket/deep/reference.parquet", name)
    assert (code, said.splitlines()[0]) == expected, (name, code, said, error)
assert drift("s3://bucket/ref*.parquet", own)[0] == 0
for name, words in (("s3://bucket/none.parquet", "none.parquet"), ("s3://bucket/no/*.csv", "no Parquet"), ("s3://bucket/", "Delta table")):
    code, _, error = drift(own, name)
    assert code == 1 and words in error, (name, code, error)
code, _, error = drift(own, "s3://bucket/reference.parquet", key="wrong")
assert code == 1 and refused and "secret" not in error, (code, error)
"#;

#[tokio::test]
async fn objects_patterns_and_delta_tables_of_a_bucket_are_read() {
    let scratch = tempfile::tempdir().expect("a directory");
    let mut command = program::command(program::python());
    command.arg("-c").arg(S3).arg(program::trefoil()).arg(scratch.path());
    let said = program::run(&mut command, PATIENCE).await.success();
    show(&said);
}

/// Embeddings in every format there are lists in, in memory and in pieces.
const VECTORS: &str = r#"
import json, subprocess, sys
import numpy as np, pyarrow as pa, pyarrow.feather as feather, pyarrow.parquet as pq
from deltalake import write_deltalake

program, directory = sys.argv[1:]
rows, width = 3000, 24
def table(seed, moved):
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(rows, width))
    vectors[rows // 2:, :6] += moved
    lists = [row.tolist() for row in vectors.astype("f4")]
    lists[7], lists[8], lists[9] = None, [1.0], [float("nan")] * width
    return pa.table({"amount": random.normal(size=rows), "vector": pa.array(lists, pa.list_(pa.float32()))})

reference, same, moved = table(1, 0.0), table(2, 0.0), table(3, 0.8)
fixed = pa.table({"amount": moved["amount"], "vector": pa.array(
    [row if row and len(row) == width else None for row in moved["vector"].to_pylist()], pa.list_(pa.float64(), width))})
pq.write_table(reference, f"{directory}/reference.parquet")
pq.write_table(same, f"{directory}/same.parquet")
pq.write_table(fixed, f"{directory}/fixed.parquet")
feather.write_feather(moved, f"{directory}/moved.arrow", compression="uncompressed")
write_deltalake(f"{directory}/lake", moved)
with open(f"{directory}/moved.ndjson", "w") as file:
    for row in moved.to_pylist():
        if row["vector"] and any(one != one for one in row["vector"]):
            row["vector"] = None
        file.write(json.dumps(row) + "\n")

def drift(name, *more):
    command = [program, "drift", f"{directory}/reference.parquet", f"{directory}/{name}", *more]
    run = subprocess.run(command, capture_output=True, text=True, timeout=50)
    print(name, more, run.returncode, run.stderr)
    return run.returncode, run.stdout

code, said = drift("same.parquet")
assert code == 0 and "24 numbers a row" in said and "centroid_euclidean" in said, said
for name in ("fixed.parquet", "moved.arrow", "lake", "moved.ndjson"):
    code, said = drift(name)
    assert code == 3 and "drift: 1 of 2 columns drifted" in said and "DRIFT   vector" in said, said
for memory in ("1GiB", "0"):
    code, said = drift("moved.arrow", "--every", "500 rows", "--json", "--memory", memory, "--html", f"{directory}/page.html",
                       "--detector", "centroid_euclidean,centroid_cosine,drifted_components,mmd")
    outcome = json.loads(said)
    column = outcome["overall"]["columns"][0]
    assert code == 3 and column["name"] == "vector" and column["embedding"]["width"] == width, column
    assert {one["place"] for one in column["embedding"]["components"][:6]} == set(range(6)), column
    assert [one["detector"] for one in column["measures"] if one["drifted"]][:1] == ["centroid_euclidean"], column
    drifted = [part["report"]["drifted"] for part in outcome["windows"]]
    assert drifted == [0, 0, 0, 1, 1, 1], drifted
    page = open(f"{directory}/page.html").read()
    assert "Components whose mean moved most" in page and "Rows by their distance" in page
code, said = drift("moved.arrow", "--by", "vector")
assert code == 1, said
listed = subprocess.run([program, "drift", "--list"], capture_output=True, text=True).stdout
assert "EMBEDDINGS" in listed and "Distance of the centroids" in listed
"#;

#[tokio::test]
async fn vectors_of_every_format_are_compared() {
    let scratch = tempfile::tempdir().expect("a directory");
    let mut command = program::command(program::python());
    command.arg("-c").arg(VECTORS).arg(program::trefoil()).arg(scratch.path());
    let said = program::run(&mut command, PATIENCE).await.success();
    show(&said);
}
