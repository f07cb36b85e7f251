//! Killed at random under load, again and again: what was acknowledged is there exactly once, and
//! what was not is there at most once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use e2e::otlp::{int, log, logs_request, post_logs, span, traces_request};
use e2e::random::{seeded, show, variable};
use e2e::server::{Server, Setup};
use e2e::sql::number;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use rand::Rng as _;
use tokio::task::JoinSet;

const TABLES: [&str; 2] = ["logs", "spans"];
const WRITERS: usize = 4;
const ROUNDS: u64 = 8;

/// What was tried: batches by number, each with how many rows it has and whether the server said
/// that they are safe.
#[derive(Debug, Default)]
struct Ledger {
    next: AtomicU64,
    batches: Mutex<BTreeMap<u64, Batch>>,
}

#[derive(Debug, Clone, Copy)]
struct Batch {
    rows: u64,
    acknowledged: bool,
}

impl Ledger {
    fn begin(&self, rows: u64) -> u64 {
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        let batch = Batch { rows, acknowledged: false };
        self.batches.lock().expect("no panic").insert(number, batch);
        number
    }

    fn acknowledge(&self, number: u64) {
        let mut batches = self.batches.lock().expect("no panic");
        batches.get_mut(&number).expect("it was begun").acknowledged = true;
    }

    fn acknowledged(&self) -> usize {
        self.batches.lock().expect("no panic").values().filter(|batch| batch.acknowledged).count()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_under_load_it_keeps_every_acknowledged_row_exactly_once() {
    let rounds = variable("TREFOIL_CRASH_ROUNDS")
        .map_or(ROUNDS, |rounds| rounds.parse().expect("TREFOIL_CRASH_ROUNDS is a number"));
    let (_, mut random) = seeded();
    // Small, so that kills meet flushes, commits and compactions and not only the log.
    let mut server = Setup::new()
        .set("storage.flush_bytes", "512KiB")
        .set("storage.flush_age", "300ms")
        .set("storage.compact_interval", "500ms")
        .start()
        .await;
    let ledgers: [Arc<Ledger>; 2] = Default::default();
    for round in 0..rounds {
        let stop = Arc::new(AtomicBool::new(false));
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let ledger = Arc::clone(&ledgers[writer % 2]);
            let rows = random.random_range(1..60);
            let stop = Arc::clone(&stop);
            match TABLES[writer % 2] {
                "logs" => writers.spawn(write_logs(server.otlp_http(), ledger, rows, stop)),
                _ => writers.spawn(write_spans(server.grpc(), ledger, rows, stop)),
            };
        }
        let life = Duration::from_millis(random.random_range(20..1_500));
        tokio::time::sleep(life).await;
        server.kill().await;
        stop.store(true, Ordering::SeqCst);
        while let Some(ended) = writers.join_next().await {
            ended.expect("a writer does not panic");
        }
        server.start_again().await;
        for (table, ledger) in TABLES.into_iter().zip(&ledgers) {
            check(&server, table, ledger).await;
        }
        show(&format!(
            "round {round}: killed after {life:?}, {} batches of logs and {} of spans are safe",
            ledgers[0].acknowledged(),
            ledgers[1].acknowledged()
        ));
    }
    for ledger in &ledgers {
        assert!(ledger.acknowledged() > 0, "nothing was ever acknowledged");
    }
}

async fn write_logs(base: String, ledger: Arc<Ledger>, rows: u64, stop: Arc<AtomicBool>) {
    let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
    while !stop.load(Ordering::SeqCst) {
        let batch = ledger.begin(rows);
        let records =
            (0..rows).map(|row| log(&format!("line {row} of batch {batch}"), ids(batch, row)));
        match post_logs(&http, &base, &logs_request("crash", records.collect())).await {
            Ok(reply) if reply.status == 200 => ledger.acknowledge(batch),
            // Not taken, for now or for ever: no promise was made.
            Ok(_) | Err(_) => tokio::task::yield_now().await,
        }
    }
}

async fn write_spans(address: String, ledger: Arc<Ledger>, rows: u64, stop: Arc<AtomicBool>) {
    let Ok(mut client) = TraceServiceClient::connect(address).await else { return };
    while !stop.load(Ordering::SeqCst) {
        let batch = ledger.begin(rows);
        let spans = (0..rows).map(|row| span("crash", ids(batch, row))).collect();
        match client.export(traces_request("crash", spans)).await {
            Ok(_) => ledger.acknowledge(batch),
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

fn ids(batch: u64, row: u64) -> Vec<opentelemetry_proto::tonic::common::v1::KeyValue> {
    vec![int("e2e.batch", batch.cast_signed()), int("e2e.row", row.cast_signed())]
}

/// Compares the table with the ledger, some thousand batches at a time, so that no limit of the
/// server on the rows of an answer hides any.
async fn check(server: &Server, table: &str, ledger: &Ledger) {
    const PAGE: u64 = 2_000;
    let batches = ledger.batches.lock().expect("no panic").clone();
    let end = ledger.next.load(Ordering::SeqCst);
    for start in (0..end).step_by(usize::try_from(PAGE).expect("a small number")) {
        let found = server
            .sql(&format!(
                "SELECT attributes['e2e.batch'] AS batch, count(*) AS n, \
                 count(DISTINCT attributes['e2e.row']) AS d FROM {table} \
                 WHERE attributes['e2e.batch'] >= {start} \
                 AND attributes['e2e.batch'] < {} GROUP BY 1",
                start + PAGE
            ))
            .await;
        assert!(!found.truncated, "the page is too large for the server");
        let found: BTreeMap<i64, (i64, i64)> = found
            .rows
            .iter()
            .map(|row| (number(&row[0]), (number(&row[1]), number(&row[2]))))
            .collect();
        for (batch, made) in batches.range(start..start + PAGE) {
            let (rows, distinct) = found.get(&batch.cast_signed()).copied().unwrap_or_default();
            let whole = made.rows.cast_signed();
            assert_eq!(rows, distinct, "{table}: batch {batch} has rows twice: {made:?}");
            assert!(
                rows == whole || (rows == 0 && !made.acknowledged),
                "{table}: batch {batch} has {rows} rows: {made:?}"
            );
        }
    }
}
