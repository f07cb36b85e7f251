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
use services::{CONSUMER_PORT, FRAUD_API_PORT, INGEST_API_PORT, PREPROCESSING_PORT, PRICING_PORT};
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
    if config.prometheus.config.is_none() {
        config.prometheus.config = Some(addresses.write_config(&data_dir, key.as_deref())?);
    }
    let server = Server::start(config, listeners, shutdown.clone()).await?;
    let collector = server.endpoints().otlp_grpc.clone();
    let collector = collector.context("the demo needs listen.otlp_grpc, which is off")?;
    let otlp = Otlp { endpoint: format!("http://{collector}"), key };
    let system = System::start(&otlp, &data_dir, addresses).await?;
    print(&greeting(&server, &system, &said));

    let outcome = tokio::select! {
        outcome = traffic(&system.addresses, args.requests_per_second, &shutdown) => {
            outcome.context("the traffic stopped")
        }
        name = system.first_to_end() => Err(anyhow::anyhow!("{name} ended by itself")),
    };
    print("stopping\n");
    system.stop().await;
    server.stop().await?;
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Sends traffic to all services until `shutdown`: to the pricing service and the ingest pipeline
/// a fifth each of what the fraud API gets.
async fn traffic(
    addresses: &Addresses,
    requests_per_second: f64,
    shutdown: &CancellationToken,
) -> Result<(), services::Error> {
    let transactions = LoadOptions {
        target: format!("http://{}", addresses.fraud_api),
        requests_per_second,
        ..LoadOptions::default()
    };
    let pricing = format!("http://{}", addresses.pricing);
    let ingest_api = format!("http://{}", addresses.ingest_api);
    let fifth = requests_per_second / 5.0;
    tokio::try_join!(
        services::load::run(transactions, shutdown.clone()),
        services::load::run_guests(&pricing, fifth, shutdown.clone()),
        services::load::run_events(&ingest_api, fifth, shutdown.clone()),
    )?;
    Ok(())
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
    pricing: SocketAddr,
    ingest_api: SocketAddr,
    consumer: SocketAddr,
    /// The services' ports, held until they take them, so that no other demo does.
    held: Vec<TcpListener>,
}

impl Addresses {
    async fn choose(listeners: &Listeners, said: &mut Vec<String>) -> anyhow::Result<Addresses> {
        let mut held = Vec::new();
        let mut choose = async |port, name| {
            let listener = free_port(port, name, said).await?;
            let address = listener.local_addr()?;
            held.push(listener);
            anyhow::Ok(address)
        };
        Ok(Addresses {
            main: listeners.main.local_addr()?,
            preprocessing_api: choose(PREPROCESSING_PORT, "preprocessing-service").await?,
            fraud_api: choose(FRAUD_API_PORT, "fraud-detection-api").await?,
            pricing: choose(PRICING_PORT, "pricing-service").await?,
            ingest_api: choose(INGEST_API_PORT, "wotr-api").await?,
            consumer: choose(CONSUMER_PORT, "wotr-consumer").await?,
            held,
        })
    }

    /// The services that are scraped.
    fn jobs(&self) -> [(&'static str, SocketAddr); 5] {
        [
            ("fraud-detection-api", self.fraud_api),
            ("preprocessing-service", self.preprocessing_api),
            ("pricing-service", self.pricing),
            ("wotr-api", self.ingest_api),
            ("wotr-consumer", self.consumer),
        ]
    }

    /// Writes the `prometheus.yml` by which the server scrapes the services and itself.
    fn write_config(&self, data_dir: &Path, key: Option<&str>) -> anyhow::Result<PathBuf> {
        let own = key.map_or_else(String::new, |key| {
            format!("    authorization: {{credentials: {}}}\n", serde_json::Value::from(key))
        });
        let mut config = "# Written by `trefoil demo` at each start.\n\
                          global:\n  scrape_interval: 5s\n  evaluation_interval: 5s\n\
                          scrape_configs:\n"
            .to_owned();
        for (job, address) in self.jobs() {
            config.push_str(&scrape_config(job, "", address));
        }
        config.push_str(&scrape_config("trefoil", &own, self.main));
        std::fs::create_dir_all(data_dir)?;
        let path = data_dir.join("demo-prometheus.yml");
        std::fs::write(&path, config)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

fn scrape_config(job: &str, more: &str, address: SocketAddr) -> String {
    format!("  - job_name: {job}\n{more}    static_configs: [{{targets: ['{address}']}}]\n")
}

/// What runs beside the server.
struct System {
    redis: Redis,
    services: Vec<(&'static str, Child)>,
    addresses: Addresses,
}

impl System {
    async fn start(
        otlp: &Otlp,
        data_dir: &Path,
        mut addresses: Addresses,
    ) -> anyhow::Result<System> {
        let redis = Redis::find().await;
        let model_dir = data_dir.join("fraud-api").display().to_string();
        let preprocessing_url = format!("http://{}", addresses.preprocessing_api);
        let ingest_url = format!("http://{}", addresses.ingest_api);
        let mut fraud = vec!["fraud-api", "--preprocessing-url", &preprocessing_url];
        fraud.extend(["--model-dir", &model_dir]);
        if let Some(url) = redis.url() {
            fraud.extend(["--redis-url", url]);
        }
        let commands = [
            fraud,
            vec!["preprocessing"],
            vec!["pricing"],
            vec!["ingest-api"],
            vec!["consumer", "--api-url", &ingest_url],
        ];
        let mut services = Vec::new();
        addresses.held.clear();
        for ((name, address), mut command) in addresses.jobs().into_iter().zip(commands) {
            let listen = address.to_string();
            command.extend(["--listen", &listen]);
            services.push((name, service(otlp, &command)?));
        }
        Ok(System { redis, services, addresses })
    }

    /// The name of the first service that ends without being asked to.
    async fn first_to_end(&self) -> &'static str {
        let ends = self.services.iter().map(|(name, child)| {
            Box::pin(async {
                child.ended().await;
                *name
            })
        });
        futures::future::select_all(ends).await.0
    }

    async fn stop(self) {
        let stopping = self.services.into_iter().map(|(_, child)| child.stop());
        futures::future::join_all(stopping).await;
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
async fn free_port(port: u16, name: &str, said: &mut Vec<String>) -> anyhow::Result<TcpListener> {
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    if let Ok(listener) = TcpListener::bind(usual).await {
        return Ok(listener);
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    said.push(format!("{usual} ({name}) is taken, using {}", listener.local_addr()?));
    Ok(listener)
}

fn greeting(server: &Server, system: &System, said: &[String]) -> String {
    let said: String = said.iter().map(|line| format!("  note: {line}\n")).collect();
    let Addresses { fraud_api, preprocessing_api, pricing, ingest_api, consumer, .. } =
        &system.addresses;
    format!(
        "{}  fraud-detection-api:   http://{fraud_api}/docs\n  \
         preprocessing-service: http://{preprocessing_api}/docs\n  \
         feature store:         {}\n  \
         pricing-service:       http://{pricing}/metrics\n  \
         wotr-api, -consumer:   http://{ingest_api}/metrics, http://{consumer}/metrics\n{said}\
         Open {} in a browser. Ctrl-C ends everything; the data stays.\n",
        server.greeting(),
        system.redis.describe(),
        server.endpoints().main,
    )
}
