//! The memory ceiling holds while the server takes all that clients can send, scans everything
//! again and again, and replays its log after a kill.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use e2e::otlp::{int, log, logs_request, post_logs, text};
use e2e::random::show;
use e2e::server::{Server, Setup};
use e2e::sql::ask;
use e2e::until;
use tokio::task::JoinSet;

const CEILING_MIB: u64 = 256;
/// Enough to fill the ceiling several times over.
const SENT_MIB: u64 = 600;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ceiling_holds_under_ingest_scans_and_replay() {
    let mut server = Setup::new().set("memory.limit", format!("{CEILING_MIB}MiB")).start().await;
    show(&format!("started: {} KiB resident", server.memory_kib("VmRSS")));
    let sent = Arc::new(AtomicU64::new(0));
    let rows = Arc::new(AtomicU64::new(0));
    let refused = Arc::new(AtomicU64::new(0));
    let mut writers = JoinSet::new();
    for writer in 0..4 {
        let base = server.otlp_http();
        let (sent, rows, refused) = (Arc::clone(&sent), Arc::clone(&rows), Arc::clone(&refused));
        writers.spawn(async move {
            let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
            // One body, sent over and over: what is tested is the server.
            let records = (0..2_000).map(|row| {
                let line = format!("{row:08} {writer} {}", "a line of some length ".repeat(18));
                let id = format!("{:016x}", rand::random::<u64>());
                log(&line, vec![int("row", row), text("id", &id), text("path", "/v1/things")])
            });
            let request = logs_request(&format!("writer-{writer}"), records.collect());
            while sent.load(Ordering::Relaxed) < SENT_MIB << 20 {
                let reply = post_logs(&http, &base, &request).await.expect("an answer");
                match reply.status {
                    200 => {
                        sent.fetch_add(2_000 * 450, Ordering::Relaxed);
                        rows.fetch_add(2_000, Ordering::Relaxed);
                    }
                    429 | 503 => {
                        refused.fetch_add(1, Ordering::Relaxed);
                        assert!(reply.retry_after.is_some(), "no Retry-After");
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    status => panic!("{status}: {}", reply.text()),
                }
            }
        });
    }
    let done = Arc::new(AtomicBool::new(false));
    let scans = stdx::task::spawn_to_end("scans", scan(server.main(), Arc::clone(&done)));
    while let Some(ended) = writers.join_next().await {
        ended.expect("a writer does not panic");
    }
    done.store(true, Ordering::Relaxed);
    let answered = scans.await.expect("the scans do not panic");
    let acknowledged = rows.load(Ordering::Relaxed).cast_signed();
    show(&format!(
        "{acknowledged} rows taken, {} batches refused, {answered} scans answered",
        refused.load(Ordering::Relaxed)
    ));
    check_peak("under load", &server);

    server.kill().await;
    server.start_again().await;
    until("every row after the restart", || async {
        let rows = server.ask("SELECT count(*) FROM logs").await.map_err(|e| e.to_string())?;
        if rows.number() == acknowledged { Ok(()) } else { Err(rows.number().to_string()) }
    })
    .await;
    check_peak("after replay", &server);
}

/// All that the system counts as resident, the pages of the program's own file with it.
fn check_peak(when: &str, server: &Server) {
    let (peak, code) = (server.memory_kib("VmHWM"), server.memory_kib("RssFile"));
    show(&format!("{when}: {peak} KiB at the peak, {code} KiB of them the program's file"));
    assert!(peak <= CEILING_MIB << 10, "{when}: {peak} KiB, of them {code} of its file");
}

/// Questions that read and hold much, until told to stop; how many were answered. One that is
/// refused for its memory is an answer too, a server that is gone is not.
async fn scan(base: String, done: Arc<AtomicBool>) -> u64 {
    let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
    let questions = [
        "SELECT count(DISTINCT body) FROM logs",
        "SELECT service, date_trunc('minute', time) AS minute, count(*) FROM logs GROUP BY 1, 2",
        "SELECT body FROM logs ORDER BY attributes['id'] DESC LIMIT 1000",
        "SELECT attributes['id'], count(*) FROM logs GROUP BY 1 ORDER BY 2 DESC LIMIT 10",
        "SELECT count(*) FROM logs WHERE body LIKE '%00001999%'",
    ];
    let mut answered = 0;
    for question in questions.iter().cycle() {
        if done.load(Ordering::Relaxed) {
            break;
        }
        match ask(&http, &base, question).await {
            Ok(_) => answered += 1,
            Err(error) if error.downcast_ref::<reqwest::Error>().is_some() => {
                panic!("the server is gone: {error:#}")
            }
            Err(_) => {}
        }
    }
    answered
}
