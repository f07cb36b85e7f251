//! The same load at VictoriaLogs, Loki and Tempo, when the environment names their binaries.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::process::Command;

use crate::load::{self, Target};
use crate::measure::{Plan, Round, float, median};
use crate::process::{Process, bytes_below};
use crate::report::{Aim, Table};

/// Another product.
struct Rival {
    name: &'static str,
    /// The variable that names its binary.
    variable: &'static str,
    /// Whether it takes spans; else log lines.
    spans: bool,
    start: fn(&Path, &Path) -> anyhow::Result<Started>,
}

/// How it is started and reached.
struct Started {
    command: Command,
    ready: String,
    target: Target,
}

const RIVALS: [Rival; 3] = [
    Rival {
        name: "VictoriaLogs",
        variable: "VICTORIALOGS_BIN",
        spans: false,
        start: |binary, home| {
            let port = free_port()?;
            let mut command = Command::new(binary);
            command.arg(format!("-storageDataPath={}", home.join("data").display()));
            command.arg(format!("-httpListenAddr=127.0.0.1:{port}"));
            Ok(Started {
                command,
                ready: format!("http://127.0.0.1:{port}/health"),
                target: Target::Http(format!(
                    "http://127.0.0.1:{port}/insert/opentelemetry/v1/logs"
                )),
            })
        },
    },
    Rival {
        name: "Loki",
        variable: "LOKI_BIN",
        spans: false,
        start: |binary, home| {
            let (port, grpc) = (free_port()?, free_port()?);
            let config = LOKI
                .replace("HTTP_PORT", &port.to_string())
                .replace("GRPC_PORT", &grpc.to_string())
                .replace("HOME", &home.display().to_string());
            Ok(Started {
                command: with_config(binary, home, &config)?,
                ready: format!("http://127.0.0.1:{port}/ready"),
                target: Target::Http(format!("http://127.0.0.1:{port}/otlp/v1/logs")),
            })
        },
    },
    Rival {
        name: "Tempo",
        variable: "TEMPO_BIN",
        spans: true,
        start: |binary, home| {
            let (port, own_grpc, otlp) = (free_port()?, free_port()?, free_port()?);
            let config = TEMPO
                .replace("HTTP_PORT", &port.to_string())
                .replace("GRPC_PORT", &own_grpc.to_string())
                .replace("OTLP_PORT", &otlp.to_string())
                .replace("HOME", &home.display().to_string());
            Ok(Started {
                command: with_config(binary, home, &config)?,
                ready: format!("http://127.0.0.1:{port}/ready"),
                target: Target::Grpc(format!("http://127.0.0.1:{otlp}")),
            })
        },
    },
];

/// One process, files on the local disk, the write-ahead log on; limits out of the load's way.
const LOKI: &str = "\
auth_enabled: false
server: {http_listen_address: 127.0.0.1, http_listen_port: HTTP_PORT, grpc_listen_address: 127.0.0.1, grpc_listen_port: GRPC_PORT, log_level: warn}
common:
  instance_addr: 127.0.0.1
  path_prefix: HOME/data
  replication_factor: 1
  ring: {kvstore: {store: inmemory}}
  storage: {filesystem: {chunks_directory: HOME/data/chunks, rules_directory: HOME/data/rules}}
ingester: {wal: {enabled: true, flush_on_shutdown: true}}
limits_config: {ingestion_rate_mb: 1000, ingestion_burst_size_mb: 1000, per_stream_rate_limit: 1GB, per_stream_rate_limit_burst: 1GB, unordered_writes: true}
schema_config: {configs: [{from: 2024-01-01, store: tsdb, object_store: filesystem, schema: v13, index: {prefix: index_, period: 24h}}]}
";

const TEMPO: &str = "\
server: {http_listen_address: 127.0.0.1, http_listen_port: HTTP_PORT, grpc_listen_address: 127.0.0.1, grpc_listen_port: GRPC_PORT, log_level: warn}
distributor: {receivers: {otlp: {protocols: {grpc: {endpoint: '127.0.0.1:OTLP_PORT'}}}}}
storage: {trace: {backend: local, local: {path: HOME/data/blocks}, wal: {path: HOME/data/wal}}}
overrides: {ingestion_rate_limit_bytes: 1000000000, ingestion_burst_size_bytes: 1000000000, max_traces_per_user: 0}
";

fn with_config(binary: &Path, home: &Path, config: &str) -> anyhow::Result<Command> {
    let path = home.join("config.yaml");
    std::fs::write(&path, config)?;
    let mut command = Command::new(binary);
    command.arg(format!("-config.file={}", path.display()));
    Ok(command)
}

pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Measures those that there are.
pub(crate) async fn measure(plan: Plan, table: &mut Table) -> anyhow::Result<()> {
    for rival in RIVALS {
        #[expect(
            clippy::disallowed_methods,
            reason = "the environment says where the binaries are"
        )]
        let binary = std::env::var(rival.variable).ok().map(PathBuf::from);
        let Some(binary) = binary else {
            println!("{}: not measured; {} names no binary", rival.name, rival.variable);
            continue;
        };
        // What was measured so far is worth more than this one.
        match all_rounds(&rival, &binary, plan).await {
            Ok(rounds) => report(&rival, &rounds, table),
            Err(error) => println!("{}: not measured: {error:#}", rival.name),
        }
    }
    Ok(())
}

async fn all_rounds(rival: &Rival, binary: &Path, plan: Plan) -> anyhow::Result<Vec<Round>> {
    let mut rounds = Vec::new();
    for _ in 0..plan.rounds {
        let round = once(rival, binary, plan).await?;
        println!("{}: {}, {:.1} CPU-s", rival.name, round.sent, round.cpu_written);
        rounds.push(round);
    }
    Ok(rounds)
}

async fn once(rival: &Rival, binary: &Path, plan: Plan) -> anyhow::Result<Round> {
    let home = TempDir::with_prefix("trefoil-bench-rival-")?;
    let mut started = (rival.start)(binary, home.path())?;
    let process = Process::start(&mut started.command, &home.path().join("log"))?;
    process.until_ready(&started.ready).await?;
    let before = process.cpu_seconds()?;
    let sent = match rival.spans {
        true => load::spans(&started.target, plan.spans).await?,
        false => load::logs(&started.target, plan.logs).await?,
    };
    let cpu_acknowledged = process.cpu_seconds()? - before;
    let peak_mib = process.memory_mib("VmHWM")?;
    let cpu_written = process.stop().await? - before;
    let bytes = bytes_below(&home.path().join("data"))?;
    Ok(Round { sent, cpu_acknowledged, cpu_written, peak_mib, bytes })
}

fn report(rival: &Rival, rounds: &[Round], table: &mut Table) {
    let name = rival.name;
    let rows = median(rounds.iter().map(|r| float(r.sent.rows) / r.cpu_written).collect());
    let bytes = median(rounds.iter().map(|r| float(r.bytes) / float(r.sent.rows)).collect());
    let peak = median(rounds.iter().map(|r| r.peak_mib).collect());
    let (speed, ours, unit, way) = if rival.spans {
        (rows, "spans a CPU-second", "B/span", "OTLP/gRPC")
    } else {
        (rows * 390.0 / 1e6, "log MB a CPU-second", "B/line", "OTLP/HTTP")
    };
    table.row(&format!("{name}: {ours}"), speed, "", Aim::None);
    table.row(&format!("{name}: disk"), bytes, unit, Aim::None);
    table.row(&format!("{name}: peak memory"), peak, "MiB", Aim::None);
    let ratios = [
        ("speed", table.find(&format!("{ours}, {way}"), "").map(|our| our / speed)),
        ("disk", table.find(&format!("disk, {way}"), unit).map(|our| our / bytes)),
        ("peak memory", table.find("peak memory under ingest", "MiB").map(|our| our / peak)),
    ];
    for (figure, ratio) in ratios {
        if let Some(ratio) = ratio {
            table.row(&format!("Trefoil ÷ {name}: {figure}"), ratio, "×", Aim::None);
        }
    }
}
