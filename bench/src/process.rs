//! A server under measurement: started on a directory, its processor time and memory read from the
//! kernel, stopped.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;
use stdx::clock::Stopwatch;
use tempfile::TempDir;
use tokio::process::{Child, Command};

const PATIENCE: Duration = Duration::from_secs(120);
/// The kernel's clock ticks in a second, as it shows them to programs on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// A running server.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pid: u32,
    log: PathBuf,
}

impl Process {
    /// Starts a command; its output goes to `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> anyhow::Result<Process> {
        let file = std::fs::File::options().create(true).append(true).open(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let pid = child.id().context("it ended at once")?;
        Ok(Process { child, pid, log: log.to_owned() })
    }

    /// Waits until a URL answers with success.
    pub(crate) async fn until_ready(&self, url: &str) -> anyhow::Result<()> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let waited = Stopwatch::start();
        loop {
            let answer = http.get(url).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            if !self.is_running() {
                bail!("it ended: {}", std::fs::read_to_string(&self.log)?);
            }
            if waited.elapsed() > PATIENCE {
                bail!("{url} is not ready");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn stat(&self) -> anyhow::Result<Vec<String>> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid))?;
        // The name in brackets may hold blanks; the state is the first field behind it.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        Ok(fields.split_whitespace().map(str::to_owned).collect())
    }

    /// The processor seconds that it has used so far.
    pub(crate) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let stat = self.stat()?;
        let ticks = |field: usize| -> anyhow::Result<f64> {
            Ok(stat.get(field).context("a short stat")?.parse()?)
        };
        Ok((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
    }

    /// One of the kernel's figures about its memory, in MiB: `VmHWM` is the peak, `VmRSS` now.
    pub(crate) fn memory_mib(&self, figure: &str) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(':'));
        let kib: f64 = line
            .and_then(|line| line.split_whitespace().next())
            .with_context(|| format!("no {figure}"))?
            .parse()?;
        Ok(kib / 1024.0)
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&self) -> bool {
        self.stat().is_ok_and(|stat| stat.first().is_some_and(|state| state != "Z"))
    }

    /// Kills it without a warning.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("cannot kill it")
    }

    /// Asks it to stop and waits until it has; returns all the processor seconds of its life.
    pub(crate) async fn stop(mut self) -> anyhow::Result<f64> {
        let kill = format!("kill -TERM {}", self.pid);
        let asked = Command::new("sh").args(["-c", &kill]).status().await?;
        if !asked.success() {
            bail!("it was gone before it was asked to stop");
        }
        let waited = Stopwatch::start();
        while self.is_running() {
            if waited.elapsed() > PATIENCE {
                bail!("it does not stop");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // It has ended but nobody has waited for it yet, so the kernel still knows its figures.
        let cpu_seconds = self.cpu_seconds()?;
        self.child.wait().await?;
        Ok(cpu_seconds)
    }
}

/// A trefoil with its directory.
#[derive(Debug)]
pub(crate) struct Trefoil {
    binary: PathBuf,
    home: TempDir,
    pub(crate) process: Process,
    /// The main port's address, `http://…`.
    pub(crate) main: String,
    /// The OTLP gRPC port's.
    pub(crate) grpc: String,
    /// The OTLP HTTP port's.
    pub(crate) http: String,
}

impl Trefoil {
    /// Starts one on an empty directory.
    pub(crate) async fn start(binary: &Path) -> anyhow::Result<Trefoil> {
        let home = TempDir::with_prefix("trefoil-bench-")?;
        Trefoil::start_in(binary, home).await
    }

    async fn start_in(binary: &Path, home: TempDir) -> anyhow::Result<Trefoil> {
        let data = home.path().join("data");
        std::fs::create_dir_all(&data)?;
        let run = data.join("run.json");
        if run.try_exists()? {
            std::fs::remove_file(&run)?;
        }
        let mut command = Command::new(binary);
        command.arg("serve").arg("--data-dir").arg(&data);
        for listener in ["MAIN", "OTLP_GRPC", "OTLP_HTTP", "PROMETHEUS"] {
            command.env(format!("TREFOIL_LISTEN_{listener}"), "127.0.0.1:0");
        }
        let log = home.path().join("log");
        let process = Process::start(&mut command, &log)?;
        let waited = Stopwatch::start();
        let run = loop {
            if let Ok(text) = std::fs::read_to_string(&run)
                && let Ok(run) = serde_json::from_str::<Value>(&text)
            {
                break run;
            }
            if !process.is_running() || waited.elapsed() > PATIENCE {
                bail!("trefoil does not start: {}", std::fs::read_to_string(&log)?);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let address = |name: &str| {
            let address = run[name].as_str().or_else(|| run["listen"][name].as_str());
            let address = address.with_context(|| format!("no {name} in {run}"))?;
            anyhow::Ok(format!("http://{}", address.trim_start_matches("http://")))
        };
        let (main, grpc, http) = (address("main")?, address("otlp_grpc")?, address("otlp_http")?);
        process.until_ready(&format!("{main}/-/ready")).await?;
        Ok(Trefoil { binary: binary.to_owned(), home, process, main, grpc, http })
    }

    /// Stops it, which writes everything, and returns all its processor seconds and its directory.
    pub(crate) async fn stop(self) -> anyhow::Result<(f64, Stopped)> {
        let cpu_seconds = self.process.stop().await?;
        Ok((cpu_seconds, Stopped { binary: self.binary, home: self.home }))
    }
}

/// A trefoil's directory after its end.
#[derive(Debug)]
pub(crate) struct Stopped {
    binary: PathBuf,
    home: TempDir,
}

impl Stopped {
    /// What its data weighs.
    pub(crate) fn bytes(&self) -> anyhow::Result<u64> {
        bytes_below(&self.home.path().join("data"))
    }

    /// Starts it again on the same data.
    pub(crate) async fn start(self) -> anyhow::Result<Trefoil> {
        Trefoil::start_in(&self.binary, self.home).await
    }
}

/// The bytes of all files below a directory.
pub(crate) fn bytes_below(directory: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { bytes_below(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}

/// Says so when the machine has other things to do: processor seconds bear it, latencies do not.
pub(crate) fn warn_if_busy() {
    if let Some(load) = load_average()
        && load > 0.7
    {
        println!("the machine is busy (load {load}): latencies will be too high");
    }
}

fn load_average() -> Option<f64> {
    let load = std::fs::read_to_string("/proc/loadavg").ok()?;
    load.split_whitespace().next()?.parse().ok()
}

/// The machine and the binary in one line.
pub(crate) fn machine(server: &Path) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("?");
    let model = model.trim_start_matches([' ', '\t', ':']);
    let profile = server.parent().and_then(Path::file_name).unwrap_or_default();
    let profile = profile.to_string_lossy();
    let load = load_average().unwrap_or_default();
    format!("{cores} cores of {model}; profile `{profile}`; load average at the end {load}")
}
