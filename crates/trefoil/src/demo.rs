//! `trefoil demo`: the server, the reference services and traffic on them, in one process tree
//! that ends as one. Everything in it is real but the transactions: the services are processes of
//! their own that send their telemetry over OTLP, and Redis, where it is installed, is Redis.

mod child;
mod redis;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use services::load::LoadOptions;
use services::{FRAUD_API_PORT, PREPROCESSING_PORT};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::command::print;
use crate::config;
use crate::serve::{Listeners, Server, Taken};
use crate::stop;
use child::Child;
use redis::Redis;

/// Arguments of `trefoil demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Configuration file of the server.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory of the data; over the setting data_dir.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Requests a second that are sent to the fraud-detection API.
    #[arg(long, value_name = "N", default_value_t = 20.0)]
    requests_per_second: f64,
}

/// Runs it all until it is told to stop.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut raw = config::load(args.config.as_deref())?;
    if let Some(path) = &args.data_dir {
        raw.set("data_dir", "--data-dir", &path.display().to_string());
    }
    raw.set_default("telemetry.traces", "demo", "self");
    let mut config = raw.parse()?;
    let data_dir = config.data_dir.clone();
    let key = raw.first_key();
    let shutdown = stop::on_signal()?;

    let listeners = Listeners::bind(&config.listen, Taken::MoveAside).await?;
    let mut said = listeners.moved.clone();
    let addresses = Addresses::choose(&listeners, &mut said).await?;
    if config.metrics.prometheus.is_none() {
        config.metrics.prometheus = Some(addresses.write_config(&data_dir, key.as_deref())?);
    }
    let server = Server::start(config, listeners, CancellationToken::new()).await?;
    let collector = server.endpoints().otlp_grpc.clone();
    let collector = collector.context("the demo needs listen.otlp_grpc, which is off")?;
    let otlp = Otlp { endpoint: format!("http://{collector}"), key };
    let system = System::start(&otlp, &data_dir, addresses).await?;
    print(&greeting(&server, &system, &said));

    let traffic = LoadOptions {
        target: format!("http://{}", system.addresses.fraud_api),
        requests_per_second: args.requests_per_second,
        ..LoadOptions::default()
    };
    let outcome = tokio::select! {
        outcome = services::load::run(traffic, shutdown.clone()) => {
            outcome.map(drop).context("the traffic stopped")
        }
        name = system.first_to_end() => Err(anyhow::anyhow!("{name} ended by itself")),
    };
    print("stopping\n");
    system.stop().await;
    server.stop().await?;
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Where the services send their telemetry.
struct Otlp {
    endpoint: String,
    key: Option<String>,
}

/// Where the parts listen.
struct Addresses {
    main: SocketAddr,
    fraud_api: SocketAddr,
    preprocessing_api: SocketAddr,
}

impl Addresses {
    async fn choose(listeners: &Listeners, said: &mut Vec<String>) -> anyhow::Result<Addresses> {
        Ok(Addresses {
            main: listeners.main.local_addr()?,
            preprocessing_api: free_port(PREPROCESSING_PORT, "preprocessing-service", said).await?,
            fraud_api: free_port(FRAUD_API_PORT, "fraud-detection-api", said).await?,
        })
    }

    /// Writes the `prometheus.yml` by which the server scrapes the services and itself.
    fn write_config(&self, data_dir: &Path, key: Option<&str>) -> anyhow::Result<PathBuf> {
        let own = key.map_or_else(String::new, |key| {
            format!("    authorization: {{credentials: {}}}\n", serde_json::Value::from(key))
        });
        let config = format!(
            "# Written by `trefoil demo` at each start.\n\
             global:\n  scrape_interval: 5s\n  evaluation_interval: 5s\n\
             scrape_configs:\n  - job_name: fraud-detection-api\n    \
             static_configs: [{{targets: ['{}']}}]\n  \
             - job_name: preprocessing-service\n    static_configs: [{{targets: ['{}']}}]\n  \
             - job_name: trefoil\n{own}    static_configs: [{{targets: ['{}']}}]\n",
            self.fraud_api, self.preprocessing_api, self.main
        );
        std::fs::create_dir_all(data_dir)?;
        let path = data_dir.join("demo-prometheus.yml");
        std::fs::write(&path, config)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

/// What runs beside the server.
struct System {
    redis: Redis,
    preprocessing: Child,
    fraud: Child,
    addresses: Addresses,
}

impl System {
    async fn start(otlp: &Otlp, data_dir: &Path, addresses: Addresses) -> anyhow::Result<System> {
        let redis = Redis::find().await;
        let Addresses { fraud_api, preprocessing_api, .. } = addresses;
        let preprocessing =
            service(otlp, &["preprocessing", "--listen", &preprocessing_api.to_string()])?;
        let url = format!("http://{preprocessing_api}");
        let listen = fraud_api.to_string();
        let model_dir = data_dir.join("fraud-api").display().to_string();
        let mut arguments = vec!["fraud-api", "--listen", &listen, "--preprocessing-url", &url];
        arguments.extend(["--model-dir", &model_dir]);
        if let Some(url) = redis.url() {
            arguments.extend(["--redis-url", url]);
        }
        let fraud = service(otlp, &arguments)?;
        Ok(System { redis, preprocessing, fraud, addresses })
    }

    /// The name of the first service that ends without being asked to.
    async fn first_to_end(&self) -> &'static str {
        tokio::select! {
            () = self.fraud.ended() => "fraud-detection-api",
            () = self.preprocessing.ended() => "preprocessing-service",
        }
    }

    async fn stop(self) {
        tokio::join!(self.fraud.stop(), self.preprocessing.stop());
        self.redis.stop().await;
    }
}

fn service(otlp: &Otlp, arguments: &[&str]) -> anyhow::Result<Child> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let mut command = tokio::process::Command::new(program);
    command.args(["service", "--until-stdin-closes"]).args(arguments);
    command.args(["--quiet", "--otlp-endpoint", &otlp.endpoint, "--environment", "demo"]);
    if let Some(key) = &otlp.key {
        command.env("OTEL_EXPORTER_OTLP_HEADERS", format!("authorization=Bearer%20{key}"));
    }
    Child::start(command)
}

/// The usual port, or a free one when it is taken.
async fn free_port(port: u16, name: &str, said: &mut Vec<String>) -> anyhow::Result<SocketAddr> {
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    if TcpListener::bind(usual).await.is_ok() {
        return Ok(usual);
    }
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr()?;
    said.push(format!("{usual} ({name}) is taken, using {free}"));
    Ok(free)
}

fn greeting(server: &Server, system: &System, said: &[String]) -> String {
    let said: String = said.iter().map(|line| format!("  note: {line}\n")).collect();
    format!(
        "{}  fraud-detection-api:   http://{}/docs\n  preprocessing-service: http://{}/docs\n  \
         feature store:         {}\n{said}Open {} in a browser. Ctrl-C ends everything; the data \
         stays.\n",
        server.greeting(),
        system.addresses.fraud_api,
        system.addresses.preprocessing_api,
        system.redis.describe(),
        server.endpoints().main,
    )
}
