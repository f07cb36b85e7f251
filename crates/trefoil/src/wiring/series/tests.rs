//! Results that are kept say what the store says now.

use std::time::Duration;

use model::metric::Batch;
use promql::cache::{Question, ResultCache};
use promql::engine::{Engine, Outcome, Run, Value};
use promql::parser;
use stdx::clock::Clock;
use stdx::memory::Budget;

use super::*;

const MINUTE: i64 = 60_000;
/// The time, milliseconds.
const NOW: i64 = 1_700_000_040_000;

fn open(dir: &std::path::Path) -> Arc<Tsdb> {
    let mut options = tsdb::Options::new(dir);
    (options.maintain_every, options.compact_every) = (Duration::ZERO, Duration::ZERO);
    options.late_window = Duration::from_hours(3);
    let blocks = tsdb::store::LocalStore::open(dir.join("blocks")).expect("a directory");
    let clock = Clock::manual(NOW * 1_000_000);
    Arc::new(Tsdb::open(options, Arc::new(blocks), clock).expect("a store"))
}

fn append(tsdb: &Tsdb, job: &str, samples: impl Iterator<Item = (i64, f64)>) {
    let mut batch = Batch::new();
    batch.begin_with(&Labels::from_pairs(&[("__name__", "m"), ("job", job)]));
    for (timestamp, value) in samples {
        batch.float(Float { timestamp, value, start: 0 });
    }
    let (done, answer) = std::sync::mpsc::channel();
    let memory = Budget::new("test", usize::MAX).force(0);
    tsdb.append(&Tenant::default_tenant(), batch, memory, move |written| {
        done.send(written).expect("the test waits");
    });
    let written = answer.recv().expect("an answer").expect("taken");
    assert_eq!(written.rejected.count(), 0);
}

struct Dashboard {
    results: ResultCache,
    engine: Engine,
    source: MetricsSource,
}

impl Dashboard {
    /// The last hour's sums, which are those that the store has; and how many samples were read.
    fn ask(&self, now: i64) -> (Vec<(i64, f64)>, u64) {
        let expr = parser::parse("sum(m)", parser::Options::default()).expect("a query");
        let (start, end, step) = (now - 60 * MINUTE, now, MINUTE);
        let question =
            Question { tenant: "default", query: "sum(m)", expr: &expr, start, end, step, now };
        let run = Run::default();
        let kept = self.results.range(&self.engine, &self.source, &question, &run);
        let fresh = self.engine.range(&self.source, &expr, (start, end, step), &run);
        let (kept, fresh) = (kept.expect("a result"), fresh.expect("a result"));
        assert_eq!(kept.value, fresh.value);
        let read = kept.stats.total_samples;
        let Outcome { value: Value::Matrix(matrix), .. } = kept else { panic!("no matrix") };
        (matrix.into_iter().flat_map(|series| series.floats).collect(), read)
    }
}

#[test]
fn late_samples_and_deletions_change_results_that_were_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    let tsdb = open(dir.path());
    let tenant = Tenant::default_tenant();
    append(&tsdb, "a", (0..=60).map(|minute| (NOW - (60 - minute) * MINUTE, 1.0)));
    let dashboard = Dashboard {
        results: ResultCache::default(),
        engine: Engine::default(),
        source: MetricsSource { tsdb: Arc::clone(&tsdb), tenant: tenant.clone() },
    };
    let (sums, read) = dashboard.ask(NOW);
    assert_eq!((sums.len(), read), (61, 61));
    // The settled part is there.
    let (_, read) = dashboard.ask(NOW);
    assert_eq!(read, 10);
    // Fresh samples are seen, and cost nothing more.
    append(&tsdb, "a", std::iter::once((NOW + MINUTE, 5.0)));
    let (sums, read) = dashboard.ask(NOW + MINUTE);
    assert_eq!((sums[60].1, read), (5.0, 11));
    // A late sample of a new series.
    append(&tsdb, "b", std::iter::once((NOW - 30 * MINUTE, 2.0)));
    let (sums, read) = dashboard.ask(NOW + MINUTE);
    assert_eq!((sums[29].1, sums[34].1), (3.0, 1.0));
    assert!(read > 60, "{read}");
    // A cut moves samples into a block and changes nothing.
    tsdb.flush().expect("cut");
    assert_eq!(dashboard.ask(NOW + MINUTE).1, 10);
    let matchers = [vec![Matcher::equal("job", "b")]];
    tsdb.delete(&tenant, &matchers, i64::MIN, i64::MAX).expect("deleted");
    let (sums, _) = dashboard.ask(NOW + MINUTE);
    assert_eq!(sums[29], (NOW - 30 * MINUTE, 1.0));
}
