//! `trefoil service …`: the services' commands, for the binary to take up.

use std::net::SocketAddr;

use clap::{Args, Subcommand, ValueEnum};
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::{fraud_api, preprocessing, serve};

/// A service to run.
#[derive(Debug, Clone, Subcommand)]
pub enum ServiceCommand {
    /// The fraud-detection API.
    FraudApi(FraudApiArgs),
    /// The preprocessing service that the fraud API calls.
    Preprocessing(PreprocessingArgs),
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
                let listener = serve::listen(listen).await?;
                let guard = init(&telemetry, fraud_api::SERVICE_NAME, &config.metrics)?;
                tracing::info!("{} listens on {listen}", fraud_api::SERVICE_NAME);
                let served = fraud_api::run(config, listener, shutdown).await;
                stop(guard).await;
                served
            }
            ServiceCommand::Preprocessing(PreprocessingArgs { listen, config, telemetry }) => {
                let listener = serve::listen(listen).await?;
                let guard = init(&telemetry, preprocessing::SERVICE_NAME, &config.metrics)?;
                tracing::info!("{} listens on {listen}", preprocessing::SERVICE_NAME);
                let served = preprocessing::run(config, listener, shutdown).await;
                stop(guard).await;
                served
            }
        }
    }
}

fn init(
    telemetry: &TelemetryArgs,
    service_name: &str,
    metrics: &sdk::Registry,
) -> Result<sdk::Guard, Error> {
    let mut config = telemetry.sdk_config(service_name);
    config.metrics = metrics.clone();
    Ok(sdk::init(config)?)
}

/// Sends the last telemetry, which blocks, off the runtime's workers.
async fn stop(guard: sdk::Guard) {
    drop(tokio::task::spawn_blocking(move || guard.shutdown()).await);
}
