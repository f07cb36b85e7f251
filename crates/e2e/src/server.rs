//! A running `trefoil serve`, started as a user starts it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::program::{command, trefoil};
use crate::sql::{self, Rows};
use crate::wait::{PATIENCE, until};

/// How a server is started: settings by their path in the configuration.
#[derive(Debug, Default, Clone)]
pub struct Setup {
    settings: Vec<(String, String)>,
    data_dir: Option<PathBuf>,
}

impl Setup {
    /// The defaults, on free ports, with a data directory of its own.
    #[must_use]
    pub fn new() -> Setup {
        Setup::default()
    }

    /// Sets the configuration's key `path`, such as `listen.main`.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "callers write values, not references")]
    pub fn set(mut self, path: &str, value: impl ToString) -> Setup {
        self.settings.push((path.to_owned(), value.to_string()));
        self
    }

    /// Keeps the data there instead of in a temporary directory.
    #[must_use]
    pub fn data_dir(mut self, path: impl Into<PathBuf>) -> Setup {
        self.data_dir = Some(path.into());
        self
    }

    /// The command that starts it.
    #[must_use]
    pub fn command(&self, data_dir: &Path) -> Command {
        let mut command = command(trefoil());
        command.arg("serve").arg("--data-dir").arg(data_dir);
        for listener in LISTENERS {
            command.env(variable_of(listener), "127.0.0.1:0");
        }
        for (path, value) in &self.settings {
            command.env(variable_of(path), value);
        }
        command
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready.
    pub async fn start(self) -> Server {
        let home = TempDir::with_prefix("trefoil-e2e-").expect("a temporary directory");
        let data_dir = self.data_dir.clone().unwrap_or_else(|| home.path().join("data"));
        let log = home.path().join("server.log");
        let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
        let mut server = Server {
            setup: self,
            home,
            data_dir,
            log,
            http,
            child: None,
            addresses: Addresses::default(),
        };
        server.start_again().await;
        server
    }
}

/// The environment variable of a configuration key: `listen.main` is `TREFOIL_LISTEN_MAIN`.
#[must_use]
pub fn variable_of(path: &str) -> String {
    format!("TREFOIL_{}", path.replace('.', "_").to_uppercase())
}

/// The settings of all ports.
pub const LISTENERS: [&str; 4] =
    ["listen.main", "listen.otlp_grpc", "listen.otlp_http", "listen.prometheus"];

/// Where a server listens; each `host:port`.
#[derive(Debug, Default, Clone)]
struct Addresses {
    main: String,
    otlp_grpc: String,
    otlp_http: String,
    prometheus: String,
}

/// A running server. It is killed when dropped, and its log shown if the test is failing.
#[derive(Debug)]
pub struct Server {
    setup: Setup,
    home: TempDir,
    data_dir: PathBuf,
    log: PathBuf,
    http: reqwest::Client,
    child: Option<Child>,
    addresses: Addresses,
}

impl Server {
    /// A server with the defaults.
    pub async fn start() -> Server {
        Setup::new().start().await
    }

    /// The main port's address, `http://…`.
    #[must_use]
    pub fn main(&self) -> String {
        format!("http://{}", self.addresses.main)
    }

    /// The OTLP gRPC port's address, `http://…`.
    #[must_use]
    pub fn grpc(&self) -> String {
        format!("http://{}", self.addresses.otlp_grpc)
    }

    /// The OTLP HTTP port's address, `http://…`.
    #[must_use]
    pub fn otlp_http(&self) -> String {
        format!("http://{}", self.addresses.otlp_http)
    }

    /// The address of Prometheus's port, `http://…`.
    #[must_use]
    pub fn prometheus(&self) -> String {
        format!("http://{}", self.addresses.prometheus)
    }

    /// Where its data is.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// A directory that goes away with it, for files of the test.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.home.path()
    }

    /// An HTTP client.
    #[must_use]
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// What it has logged so far, over all its starts.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().and_then(Child::id).expect("a running server")
    }

    /// The answer to a question.
    ///
    /// # Panics
    /// When the server refuses it.
    pub async fn sql(&self, sql: &str) -> Rows {
        self.ask(sql).await.unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// The answer to a question, or why there is none.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses it.
    pub async fn ask(&self, sql: &str) -> anyhow::Result<Rows> {
        sql::ask(&self.http, &self.main(), sql).await
    }

    /// The JSON of `GET path` on the main port.
    ///
    /// # Panics
    /// When the answer is an error or no JSON.
    pub async fn get(&self, path: &str) -> Value {
        let answer = self.http.get(self.main() + path).send().await.expect("an answer");
        let status = answer.status();
        let body = answer.text().await.expect("a body");
        assert!(status.is_success(), "{path}: {status}: {body}");
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
    }

    /// One of the kernel's figures about its memory in KiB, such as `VmHWM`, the peak.
    #[must_use]
    pub fn memory_kib(&self, figure: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))
            .expect("a running server");
        let line = status.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(':'));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.unwrap_or_else(|| panic!("no {figure} in {status}"))
    }

    /// Starts it again, on the same data, and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready.
    pub async fn start_again(&mut self) {
        self.spawn();
        let ready = until("the server to be ready", async || {
            // A server that has ended never gets ready: say so at once.
            self.probe().await.map_err(|error| format!("{error:#}"))
        });
        self.addresses = ready.await;
    }

    fn spawn(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        std::fs::create_dir_all(&self.data_dir).expect("the data directory");
        // A file of the process before would tell its ports.
        drop(std::fs::remove_file(self.data_dir.join("run.json")));
        let log = File::options().create(true).append(true).open(&self.log).expect("a log file");
        let child = self
            .setup
            .command(&self.data_dir)
            .stdout(Stdio::from(log.try_clone().expect("a second handle")))
            .stderr(Stdio::from(log))
            .spawn()
            .expect("trefoil starts");
        self.child = Some(child);
    }

    async fn probe(&self) -> anyhow::Result<Addresses> {
        let pid = self.child.as_ref().and_then(Child::id).context("not started")?;
        if !alive(pid) {
            panic!("trefoil ended before it was ready:\n{}", tail(&self.log()));
        }
        let run = std::fs::read_to_string(self.data_dir.join("run.json")).context("run.json")?;
        let run: Value = serde_json::from_str(&run).context("run.json")?;
        let address = |name: &str| {
            let found = run[name].as_str().or_else(|| run["listen"][name].as_str());
            let found = found.with_context(|| format!("no {name} in {run}"))?;
            anyhow::Ok(found.trim_start_matches("http://").to_owned())
        };
        let addresses = Addresses {
            main: address("main")?,
            otlp_grpc: address("otlp_grpc")?,
            otlp_http: address("otlp_http")?,
            prometheus: address("prometheus")?,
        };
        let ready = format!("http://{}/-/ready", addresses.main);
        let answer = self.http.get(ready).timeout(Duration::from_secs(5)).send().await?;
        if !answer.status().is_success() {
            bail!("/-/ready says {}", answer.status());
        }
        Ok(addresses)
    }

    /// Kills it as `kill -9` does.
    ///
    /// # Panics
    /// When it does not run.
    pub async fn kill(&mut self) {
        let mut child = self.child.take().expect("a running server");
        child.kill().await.expect("it can be killed");
    }

    /// Asks it to stop, as a service manager does, and waits until it has.
    ///
    /// # Panics
    /// When it does not end in time.
    pub async fn stop(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("a running server");
        signal(child.id().expect("a running server"), "TERM").await;
        let ended = tokio::time::timeout(PATIENCE, child.wait()).await;
        ended.expect("it ends when asked to").expect("its exit status")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            crate::random::show(&format!("--- the server's log:\n{}", tail(&self.log())));
        }
    }
}

/// The last lines of a log.
fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(200)..].join("\n")
}

/// Sends a signal, by its name without `SIG`.
///
/// # Panics
/// When there is no shell to do it.
pub async fn signal(pid: u32, name: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status().await;
    assert!(sent.expect("a shell").success(), "cannot send SIG{name} to {pid}");
}

/// Whether a process runs: one that has ended but was not waited for does not.
#[must_use]
pub fn alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // "123 (name) S …"; the name may hold anything, so the state is sought from behind.
    stat.rsplit(')')
        .next()
        .and_then(|rest| rest.trim_start().chars().next())
        .is_some_and(|state| !matches!(state, 'Z' | 'X'))
}
