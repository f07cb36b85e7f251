//! The products: how each is started, written to, asked and measured.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use serde_json::Value;
use stdx::clock::Clock;
use tempfile::TempDir;
use tokio::process::Command;
use tsdb::Tsdb;
use tsdb::block::{Blocks, Cache};
use tsdb::compact::merge_all;
use tsdb::store::{BlockStore, LocalStore};

use crate::process::{Process, bytes_below};
use crate::rivals::free_port;

/// A product.
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    /// The variable that names its binary.
    pub(crate) variable: &'static str,
    /// Where Debian's package has it.
    usual: &'static str,
    pub(crate) ours: bool,
    command: fn(&Path, &Path, u16) -> anyhow::Result<Command>,
    ready: &'static str,
    /// How its blocks are made to hold all that was written.
    pack: Pack,
}

/// How everything gets into its blocks, merged as far as the product would merge it in time.
enum Pack {
    /// `POST /api/v1/admin/tsdb/snapshot`; in the snapshot the head is cut and blocks are merged.
    MergedSnapshot,
    /// `POST /api/v1/admin/tsdb/snapshot`; the directory of that name is measured.
    Snapshot,
    /// VictoriaMetrics merges all parts; its data directory is measured.
    ForceMerge,
}

pub(crate) static CONTESTANTS: [Contestant; 3] = [
    Contestant {
        name: "Trefoil",
        variable: "TREFOIL_BIN",
        usual: "",
        ours: true,
        command: |binary, home, port| {
            let mut command = Command::new(binary);
            command.arg("serve").arg("--data-dir").arg(home.join("data"));
            for listener in ["MAIN", "OTLP_GRPC", "OTLP_HTTP"] {
                command.env(format!("TREFOIL_LISTEN_{listener}"), "127.0.0.1:0");
            }
            command.env("TREFOIL_LISTEN_PROMETHEUS", format!("127.0.0.1:{port}"));
            command.env("TREFOIL_MEMORY_LIMIT", "8GiB");
            Ok(command)
        },
        ready: "/-/ready",
        pack: Pack::MergedSnapshot,
    },
    Contestant {
        name: "Prometheus",
        variable: "PROMETHEUS_BIN",
        usual: "/usr/bin/prometheus",
        ours: false,
        command: |binary, home, port| {
            let config = home.join("prometheus.yml");
            std::fs::write(&config, "global: {scrape_interval: 1h}\n")?;
            let mut command = Command::new(binary);
            command.arg(format!("--config.file={}", config.display()));
            command.arg(format!("--storage.tsdb.path={}", home.join("data").display()));
            command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
            command.args(["--web.enable-remote-write-receiver", "--web.enable-admin-api"]);
            Ok(command)
        },
        ready: "/-/ready",
        pack: Pack::Snapshot,
    },
    Contestant {
        name: "VictoriaMetrics",
        variable: "VICTORIAMETRICS_BIN",
        usual: "/usr/bin/victoria-metrics",
        ours: false,
        command: |binary, home, port| {
            let mut command = Command::new(binary);
            command.arg(format!("-storageDataPath={}", home.join("data").display()));
            command.arg(format!("-httpListenAddr=127.0.0.1:{port}"));
            command.arg("-search.disableCache=true");
            Ok(command)
        },
        ready: "/health",
        pack: Pack::ForceMerge,
    },
];

impl Contestant {
    /// Its binary, if one is named or, where that counts too, `installed`.
    pub(crate) fn binary(&self, ours: &Path, installed: bool) -> Option<PathBuf> {
        if self.ours {
            return Some(ours.to_owned());
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "the environment says where the binaries are"
        )]
        let named = std::env::var(self.variable).ok().map(PathBuf::from);
        named.or_else(|| {
            Some(PathBuf::from(self.usual)).filter(|usual| installed && usual.is_file())
        })
    }
}

/// One that runs.
pub(crate) struct Running {
    pub(crate) contestant: &'static Contestant,
    binary: PathBuf,
    home: TempDir,
    process: Process,
    http: reqwest::Client,
    pub(crate) url: String,
}

impl Running {
    /// Starts it on an empty directory.
    pub(crate) async fn start(
        contestant: &'static Contestant,
        binary: &Path,
    ) -> anyhow::Result<Running> {
        let home = TempDir::with_prefix("trefoil-bench-metrics-")?;
        Killed { contestant, binary: binary.to_owned(), home }.start().await
    }

    pub(crate) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        self.process.cpu_seconds()
    }

    pub(crate) fn anonymous_mib(&self) -> anyhow::Result<f64> {
        self.process.memory_mib("RssAnon")
    }

    /// Sends one body; one that is refused for now is sent again.
    pub(crate) async fn write(&self, body: Vec<u8>) -> anyhow::Result<()> {
        for _ in 0..600 {
            let request = self
                .http
                .post(format!("{}/api/v1/write", self.url))
                .header("content-encoding", "snappy")
                .header("content-type", "application/x-protobuf")
                .header("x-prometheus-remote-write-version", "0.1.0")
                .body(body.clone());
            let answer = request.send().await?;
            match answer.status().as_u16() {
                200 | 204 => return Ok(()),
                429 | 503 => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
                _ => bail!("{}: {}", answer.status(), answer.text().await?),
            }
        }
        bail!("refused for too long")
    }

    /// Asks; fails when the answer is no success or has no data.
    pub(crate) async fn ask(&self, path: &str, form: &[(&str, String)]) -> anyhow::Result<Value> {
        let url = reqwest::Url::parse_with_params(
            &format!("{}{path}", self.url),
            form.iter().map(|(name, value)| (*name, value.as_str())),
        )?;
        let answer = self.http.get(url).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if !status.is_success() {
            bail!("{path} {form:?}: {status}: {text}");
        }
        Ok(serde_json::from_str(&text)?)
    }

    /// The bytes of blocks that hold all that was written.
    pub(crate) async fn block_bytes(&self) -> anyhow::Result<u64> {
        match self.contestant.pack {
            Pack::Snapshot => bytes_below(&self.snapshot().await?),
            Pack::MergedSnapshot => {
                let directory = self.snapshot().await?;
                let merged = tokio::task::spawn_blocking(move || merged_bytes(&directory));
                merged.await?
            }
            Pack::ForceMerge => {
                for path in ["/internal/force_flush", "/internal/force_merge"] {
                    self.http.get(format!("{}{path}", self.url)).send().await?;
                }
                // It merges in the background: wait until it has nothing to do.
                let mut before = -1.0;
                while self.cpu_seconds()? - before > 0.1 {
                    before = self.cpu_seconds()?;
                    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
                }
                bytes_below(&self.home.path().join("data"))
            }
        }
    }

    /// Makes a snapshot; the directory that has it.
    async fn snapshot(&self) -> anyhow::Result<PathBuf> {
        let url = format!("{}/api/v1/admin/tsdb/snapshot", self.url);
        let answer = self.http.post(url).send().await?;
        let text = answer.text().await?;
        let answer: Value = serde_json::from_str(&text).context(text)?;
        let name = answer["data"]["name"].as_str().context("a snapshot's name")?;
        find(self.home.path(), name)?.context("the snapshot")
    }

    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.process.stop().await.map(drop)
    }

    /// `kill -9`.
    pub(crate) async fn kill(self) -> anyhow::Result<Killed> {
        self.process.kill().await?;
        Ok(Killed { contestant: self.contestant, binary: self.binary, home: self.home })
    }
}

/// Cuts what a snapshot has in its head and merges its blocks, as the server does in time; the
/// bytes of the blocks.
fn merged_bytes(snapshot: &Path) -> anyhow::Result<u64> {
    let blocks = snapshot.join("blocks");
    let store: Arc<dyn BlockStore> = Arc::new(LocalStore::open(&blocks)?);
    let tsdb = Tsdb::open(tsdb::Options::new(snapshot), Arc::clone(&store), Clock::system())?;
    tsdb.flush()?;
    drop(tsdb);
    let scratch = snapshot.join("scratch");
    merge_all(&Blocks::open(store, "metrics/default", &scratch, Cache::new(64 << 20))?)?;
    bytes_below(&blocks)
}

fn find(below: &Path, name: &str) -> anyhow::Result<Option<PathBuf>> {
    for entry in std::fs::read_dir(below)? {
        let path = entry?.path();
        if !path.is_dir() {
            continue;
        }
        if path.file_name().is_some_and(|found| found == name) {
            return Ok(Some(path));
        }
        if let Some(found) = find(&path, name)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// One that was killed, or never ran, with its directory.
pub(crate) struct Killed {
    contestant: &'static Contestant,
    binary: PathBuf,
    home: TempDir,
}

impl Killed {
    /// Starts it on its directory and waits until it is ready.
    pub(crate) async fn start(self) -> anyhow::Result<Running> {
        let Killed { contestant, binary, home } = self;
        let port = free_port()?;
        let mut command = (contestant.command)(&binary, home.path(), port)?;
        let log = home.path().join("log");
        let process = Process::start(&mut command, &log)?;
        let url = format!("http://127.0.0.1:{port}");
        let ready = process.until_ready(&format!("{url}{}", contestant.ready)).await;
        ready.with_context(|| std::fs::read_to_string(&log).unwrap_or_default())?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Running { contestant, binary, home, process, http, url })
    }
}
