//! What older versions wrote is read. The files of `testdata` are written by the example `fixture`.

use std::fs;
use std::path::{Path, PathBuf};

use model::Tenant;
use model::metric::Matcher;

use super::{NOW, clock_at, open_at, options, read};
use crate::points::Points;
use crate::tsdb::{Query, Tsdb};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("the files of the version") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a file");
        }
    }
}

fn opened(version: &str, into: &Path) -> Tsdb {
    let testdata = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata").join(version);
    copy(&testdata, into);
    open_at(options(into), &clock_at(NOW + 86_400_000))
}

#[test]
fn what_version_1_wrote_is_read() {
    type Value = fn(i32) -> f64;
    let dir = tempfile::tempdir().expect("a directory");
    let tsdb = opened("version-1", dir.path());
    let values: [(&str, Value); 3] = [
        ("whole", |at| f64::from(at * at)),
        ("decimal", |at| f64::from(at) / 100.0),
        ("constant", |_| 7.0),
    ];
    let time = |at: i32| NOW + i64::from(at) * 15_000;
    for (name, value) in values {
        let expect: Vec<_> = (0..30).map(|at| (time(at), value(at))).collect();
        assert_eq!(read(&tsdb, name), expect, "{name}");
    }
    let tenant = Tenant::default_tenant();
    let (start, end) = (i64::MIN, i64::MAX);
    let matchers = vec![Matcher::equal("job", "fixture")];
    let query = Query { matchers: matchers.clone(), start, end, ..Query::default() };
    let selection = tsdb.select(&tenant, &query).expect("a selection");
    let named = |name: &str| {
        let found = (0..selection.len())
            .find(|&at| selection.labels(at).get("__name__").is_some_and(|found| found == name));
        let mut points = Points::default();
        selection.read(found.expect(name), &mut points).expect("samples");
        points
    };
    assert_eq!(named("whole").starts, [NOW - 1000; 30]);
    let histograms = named("native").histograms;
    let counts: Vec<_> = histograms.iter().map(|p| (p.timestamp, p.histogram.count)).collect();
    let expect: Vec<_> = (0..30).map(|at| (time(at), f64::from(at * 3))).collect();
    assert_eq!(counts, expect);
    assert_eq!(histograms[29].histogram.positive_buckets, [29.0, 58.0]);
    let exemplars = tsdb.exemplars(&tenant, &[matchers], start, end);
    assert_eq!(exemplars.iter().map(|one| one.exemplars.len()).collect::<Vec<_>>(), [3, 3, 3]);
    assert_eq!(tsdb.metadata(&tenant, Some("whole"), 1)[0].help, "Squares.");
}
