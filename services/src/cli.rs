//! `trefoil service …`: the services' commands, for the binary to take up.

use std::net::SocketAddr;

use clap::{Args, Subcommand, ValueEnum};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::{fraud_api, pipeline, preprocessing, pricing, serve};

/// A service to run.
#[derive(Debug, Clone, Subcommand)]
pub enum ServiceCommand {
    /// The fraud-detection API.
    FraudApi(FraudApiArgs),
    /// The preprocessing service that the fraud API calls.
    Preprocessing(PreprocessingArgs),
    /// The pricing service, which learns.
    Pricing(PricingArgs),
    /// The API of the ingest pipeline.
    IngestApi(IngestApiArgs),
    /// The consumer of the ingest pipeline.
    Consumer(ConsumerArgs),
}

/// Arguments of `trefoil service fraud-api`.
#[derive(Debug, Clone, Args)]
pub struct FraudApiArgs {
    /// Address to listen on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8000")]
    pub listen: SocketAddr,
    /// The service itself.
    #[command(flatten)]
    pub config: fraud_api::Config,
    /// Its telemetry.
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
}

/// Arguments of `trefoil service preprocessing`.
#[derive(Debug, Clone, Args)]
pub struct PreprocessingArgs {
    /// Address to listen on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8031")]
    pub listen: SocketAddr,
    /// The service itself.
    #[command(flatten)]
    pub config: preprocessing::Config,
    /// Its telemetry.
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
}

/// Arguments of `trefoil service pricing`.
#[derive(Debug, Clone, Args)]
pub struct PricingArgs {
    /// Address to listen on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8010")]
    pub listen: SocketAddr,
    /// The service itself.
    #[command(flatten)]
    pub config: pricing::Config,
    /// Its telemetry.
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
}

/// Arguments of `trefoil service ingest-api`.
#[derive(Debug, Clone, Args)]
pub struct IngestApiArgs {
    /// Address to listen on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8020")]
    pub listen: SocketAddr,
    /// The service itself.
    #[command(flatten)]
    pub config: pipeline::api::Config,
    /// Its telemetry.
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
}

/// Arguments of `trefoil service consumer`.
#[derive(Debug, Clone, Args)]
pub struct ConsumerArgs {
    /// Address to listen on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8001")]
    pub listen: SocketAddr,
    /// The service itself.
    #[command(flatten)]
    pub config: pipeline::consumer::Config,
    /// Its telemetry.
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
}

/// Where telemetry goes and what it looks like. What is not given comes from the environment, see
/// [`sdk::Config::from_env`].
#[derive(Debug, Clone, Default, Args)]
pub struct TelemetryArgs {
    /// Collector that traces and logs go to [default: http://127.0.0.1:4317].
    #[arg(long, value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// How it is spoken to.
    #[arg(long, value_name = "PROTOCOL")]
    pub otlp_protocol: Option<OtlpProtocol>,
    /// Shape of the log lines on standard output.
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// Keep log lines off standard output; they still go to the collector.
    #[arg(long)]
    pub quiet: bool,
    /// Deployment environment.
    #[arg(long, value_name = "NAME")]
    pub environment: Option<String>,
    /// Share of traces that are kept, 0 to 1.
    #[arg(long, value_name = "SHARE")]
    pub sampling_ratio: Option<f64>,
}

/// The wire of OTLP.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum OtlpProtocol {
    /// gRPC.
    Grpc,
    /// Protobuf over HTTP.
    #[value(name = "http/protobuf")]
    HttpProtobuf,
}

/// The shape of log lines.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

impl TelemetryArgs {
    /// The SDK's configuration for a service of this name.
    #[must_use]
    pub fn sdk_config(&self, service_name: &str) -> sdk::Config {
        let mut config = sdk::Config::from_env().default_service_name(service_name);
        if config.version.is_empty() {
            config.version = env!("CARGO_PKG_VERSION").to_owned();
        }
        if config.environment.is_empty() {
            config.environment = "development".to_owned();
        }
        if let Some(endpoint) = &self.otlp_endpoint {
            config.endpoint.clone_from(endpoint);
        }
        match self.otlp_protocol {
            Some(OtlpProtocol::Grpc) => config.protocol = sdk::Protocol::Grpc,
            Some(OtlpProtocol::HttpProtobuf) => config.protocol = sdk::Protocol::HttpProtobuf,
            None => {}
        }
        match self.log_format {
            Some(LogFormat::Text) => config.log_format = sdk::LogFormat::Text,
            Some(LogFormat::Json) => config.log_format = sdk::LogFormat::Json,
            None => {}
        }
        if self.quiet {
            config.log_writer = sdk::LogWriter::Discard;
        }
        if let Some(environment) = &self.environment {
            config.environment.clone_from(environment);
        }
        if let Some(share) = self.sampling_ratio {
            config.sampling = sdk::Sampling::ParentBased(share);
        }
        config
    }
}

impl ServiceCommand {
    /// Sets up the process's telemetry and runs the service until `shutdown`. The process must not
    /// have a global tracing subscriber yet.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        match self {
            ServiceCommand::FraudApi(FraudApiArgs { listen, config, telemetry }) => {
                let start =
                    Start::new(listen, fraud_api::SERVICE_NAME, &telemetry, &config.common.metrics);
                start.run(|listener| fraud_api::run(config, listener, shutdown)).await
            }
            ServiceCommand::Preprocessing(PreprocessingArgs { listen, config, telemetry }) => {
                let name = preprocessing::SERVICE_NAME;
                let start = Start::new(listen, name, &telemetry, &config.common.metrics);
                start.run(|listener| preprocessing::run(config, listener, shutdown)).await
            }
            ServiceCommand::Pricing(PricingArgs { listen, config, telemetry }) => {
                let start =
                    Start::new(listen, pricing::SERVICE_NAME, &telemetry, &config.common.metrics);
                start.run(|listener| pricing::run(config, listener, shutdown)).await
            }
            ServiceCommand::IngestApi(IngestApiArgs { listen, config, telemetry }) => {
                let name = pipeline::api::SERVICE_NAME;
                let start = Start::new(listen, name, &telemetry, &config.common.metrics);
                start.run(|listener| pipeline::api::run(config, listener, shutdown)).await
            }
            ServiceCommand::Consumer(ConsumerArgs { listen, config, telemetry }) => {
                let name = pipeline::consumer::SERVICE_NAME;
                let start = Start::new(listen, name, &telemetry, &config.common.metrics);
                start.run(|listener| pipeline::consumer::run(config, listener, shutdown)).await
            }
        }
    }
}

/// A service that is about to run in a process of its own.
struct Start {
    listen: SocketAddr,
    name: &'static str,
    config: sdk::Config,
}

impl Start {
    fn new(
        listen: SocketAddr,
        name: &'static str,
        telemetry: &TelemetryArgs,
        metrics: &sdk::Registry,
    ) -> Start {
        let mut config = telemetry.sdk_config(name);
        config.metrics = metrics.clone();
        Start { listen, name, config }
    }

    async fn run<F>(self, service: impl FnOnce(TcpListener) -> F) -> Result<(), Error>
    where
        F: Future<Output = Result<(), Error>>,
    {
        let listener = serve::listen(self.listen).await?;
        let guard = sdk::init(self.config)?;
        tracing::info!("{} listens on {}", self.name, self.listen);
        let served = service(listener).await;
        stop(guard).await;
        served
    }
}

/// Sends the last telemetry, which blocks, off the runtime's workers.
async fn stop(guard: sdk::Guard) {
    drop(tokio::task::spawn_blocking(move || guard.shutdown()).await);
}
