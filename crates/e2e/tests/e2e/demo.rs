//! `trefoil demo`: a living system by one command, gone by one Ctrl-C.

use std::collections::HashSet;

use e2e::program::{command, trefoil};
use e2e::server::alive;
use e2e::sql::ask;
use e2e::{server::signal, until, wait::PATIENCE};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// A running demo on free ports.
#[derive(Debug)]
pub(crate) struct Demo {
    child: Child,
    home: TempDir,
    /// The main port's address, `http://…`.
    pub(crate) main: String,
    /// The address of Prometheus's port, `http://…`.
    pub(crate) prometheus: String,
}

/// The command that starts a demo on free ports, its data in `home`.
fn demo_command(home: &TempDir) -> Command {
    let mut command = command(trefoil());
    command.arg("demo").arg("--data-dir").arg(home.path().join("data"));
    for listener in ["MAIN", "OTLP_GRPC", "OTLP_HTTP", "PROMETHEUS"] {
        command.env(format!("TREFOIL_LISTEN_{listener}"), "127.0.0.1:0");
    }
    let log = std::fs::File::create(home.path().join("demo.log")).expect("a log file");
    command.stdout(log.try_clone().expect("a second handle")).stderr(log);
    command
}

impl Demo {
    pub(crate) async fn start() -> Demo {
        let home = TempDir::with_prefix("trefoil-demo-").expect("a temporary directory");
        let child = demo_command(&home).spawn().expect("trefoil starts");
        let mut demo = Demo { child, home, main: String::new(), prometheus: String::new() };
        demo.main = until("the demo's address", || async { demo.address("main") }).await;
        demo.prometheus = demo.address("prometheus").expect("its port of Prometheus");
        demo
    }

    fn address(&self, listener: &str) -> Result<String, String> {
        let run = std::fs::read_to_string(self.home.path().join("data/run.json"))
            .map_err(|error| error.to_string())?;
        let run: Value = serde_json::from_str(&run).map_err(|error| error.to_string())?;
        let found = run[listener].as_str().or_else(|| run["listen"][listener].as_str());
        let found = found.ok_or_else(|| run.to_string())?;
        Ok(format!("http://{}", found.trim_start_matches("http://")))
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("demo.log")).unwrap_or_default()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if std::thread::panicking() {
            e2e::random::show(&format!("--- the demo's log:\n{}", self.log()));
        }
    }
}

/// The processes below `pid`, and those below them.
fn descendants(pid: u32) -> Vec<u32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let children = std::fs::read_to_string(path).unwrap_or_default();
    let children: Vec<u32> = children.split_whitespace().flat_map(str::parse).collect();
    let below = children.iter().flat_map(|child| descendants(*child)).collect::<Vec<_>>();
    [children, below].concat()
}

#[tokio::test]
async fn it_is_full_of_living_data_and_ends_as_one() {
    let mut demo = Demo::start().await;
    let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
    let names = |rows: &e2e::Rows| -> HashSet<String> {
        rows.rows.iter().filter_map(|row| row[0].as_str().map(str::to_owned)).collect()
    };
    until("spans and logs of the fraud services", || async {
        let said = |error: anyhow::Error| format!("{error:#}");
        let services = ask(&http, &demo.main, "SELECT DISTINCT service FROM spans").await;
        let services = names(&services.map_err(said)?);
        if services.len() < 5 {
            return Err(format!("only {services:?}"));
        }
        let lines = "SELECT count(*) FROM logs l JOIN spans s ON l.trace_id = s.trace_id";
        let lines = ask(&http, &demo.main, lines).await.map_err(said)?;
        if lines.number() == 0 { Err("no line belongs to a trace".to_owned()) } else { Ok(()) }
    })
    .await;
    until("the spans of the trace tree as drawn", || async {
        let spans = ask(&http, &demo.main, "SELECT DISTINCT name FROM spans").await;
        let spans = names(&spans.map_err(|error| format!("{error:#}"))?);
        let wanted =
            ["preprocess_features", "engineer_features", "feature_computation", "model_inference"];
        if wanted.iter().all(|name| spans.iter().any(|span| span.contains(name))) {
            Ok(())
        } else {
            Err(format!("only {spans:?}"))
        }
    })
    .await;

    let pid = demo.child.id().expect("a running demo");
    let below = descendants(pid);
    signal(pid, "INT").await;
    let ended = tokio::time::timeout(PATIENCE, demo.child.wait()).await.expect("it ends");
    assert_eq!(ended.expect("its status").code(), Some(0), "{}", demo.log());
    until("no process to be left", || async {
        let left: Vec<u32> = below.iter().copied().filter(|pid| alive(*pid)).collect();
        if left.is_empty() { Ok(()) } else { Err(left) }
    })
    .await;
}

#[tokio::test]
async fn with_its_ports_taken_it_moves_aside() {
    let first = Demo::start().await;
    let taken = first.main.trim_start_matches("http://").to_owned();
    let home = TempDir::with_prefix("trefoil-demo-").expect("a temporary directory");
    let mut command = demo_command(&home);
    command.env("TREFOIL_LISTEN_MAIN", &taken);
    let child = command.spawn().expect("trefoil starts");
    let second = Demo { child, home, main: String::new(), prometheus: String::new() };
    let address = until("the second demo's address", || async { second.address("main") }).await;
    assert_ne!(address, first.main);
    assert!(second.log().contains(&taken), "it does not say so: {}", second.log());
}
