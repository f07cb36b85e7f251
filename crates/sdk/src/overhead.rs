//! What being observed costs: the same small service with and without, requests a second.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use http::Request;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tower::ServiceExt as _;
use tracing::instrument::WithSubscriber as _;

use crate::clock;
use crate::config::{Config, LogFormat, Protocol};
use crate::log::LogWriter;
use crate::metric::Registry;
use crate::server::{ServerOptions, add_tracing_middleware};
use crate::telemetry::{Error, Telemetry};

/// How to measure.
#[derive(Debug, Clone)]
pub struct OverheadOptions {
    /// Requests of each run; few, so that a run can pass without being interrupted.
    pub requests: usize,
    /// Runs of each kind, in turns. The best of each kind counts, since noise only slows down.
    pub rounds: usize,
    /// What the service itself does for each request, as time spent computing.
    pub work: Duration,
    /// The collector; one within the process that throws everything away where none is named.
    pub endpoint: Option<String>,
}

impl Default for OverheadOptions {
    fn default() -> OverheadOptions {
        let work = Duration::from_micros(100);
        OverheadOptions { requests: 20, rounds: 300, work, endpoint: None }
    }
}

/// What was measured, without sockets between client and service.
#[derive(Debug, Clone, Copy)]
pub struct Overhead {
    /// Requests a second of the bare service.
    pub requests_per_second_bare: f64,
    /// With a server span, two child spans and five attributes.
    pub requests_per_second_traced: f64,
    /// The same, counted, with exemplars.
    pub requests_per_second_counted: f64,
    /// With spans and two log lines, as JSON and over OTLP.
    pub requests_per_second_logged: f64,
    /// Time that tracing adds to a request.
    pub traced_us: f64,
    /// Time that counting adds to a traced request: its rate, errors and duration.
    pub counted_us: f64,
    /// Time that tracing and logging add to a request.
    pub logged_us: f64,
    /// Time that the exporter's own threads spend on the three spans and two lines of a request.
    pub export_us: f64,
    /// The service's own work for each request, for comparison.
    pub work_us: f64,
}

/// Measures. Uses no global state, so it can be called from anywhere; best in a release build.
pub async fn measure(options: &OverheadOptions) -> Result<Overhead, Error> {
    let stop = Arc::new(Notify::new());
    let (endpoint, sink) = match &options.endpoint {
        Some(endpoint) => (endpoint.clone(), None),
        None => {
            let (endpoint, sink) = sink(&stop).await.map_err(Error::Runtime)?;
            (endpoint, Some(sink))
        }
    };
    let measured = runs(options, endpoint);
    let measured = async {
        let measured = measured.await;
        stop.notify_one();
        measured
    };
    match sink {
        Some(sink) => futures::future::join(measured, sink).await.0,
        None => measured.await,
    }
}

/// A collector that throws everything away.
async fn sink(stop: &Arc<Notify>) -> std::io::Result<(String, impl Future<Output = ()> + use<>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    let router = Router::new().fallback(|body: Bytes| async move { drop(body) });
    let stop = Arc::clone(stop);
    let server =
        axum::serve(listener, router).with_graceful_shutdown(async move { stop.notified().await });
    Ok((endpoint, async { drop(server.await) }))
}

async fn runs(options: &OverheadOptions, endpoint: String) -> Result<Overhead, Error> {
    let config = Config::new("overhead")
        .endpoint(endpoint)
        .protocol(match options.endpoint {
            Some(_) => Protocol::Grpc,
            None => Protocol::HttpProtobuf,
        })
        .log_format(LogFormat::Json)
        .log_writer(LogWriter::Discard);
    let telemetry = Arc::new(Telemetry::new(config)?);
    let work = options.work;
    let bare = Router::new().route("/work", get(move || bare_work(work)));
    let observed = Router::new().route("/work", get(move || observed_work(work)));
    let server = |log_requests| ServerOptions { log_requests, ..ServerOptions::default() };
    let traced = add_tracing_middleware(observed.clone(), &server(false));
    let counting = ServerOptions { metrics: Some(Registry::new()), ..server(false) };
    let counted = add_tracing_middleware(observed.clone(), &counting);
    let logged = add_tracing_middleware(observed, &server(true));
    let none = tracing::Dispatch::none();
    let ours = telemetry.dispatch();
    let runs = [(bare, &none), (traced, ours), (counted, ours), (logged, ours)];
    let (mut best, mut export) = ([Duration::MAX; 4], Duration::MAX);
    for _ in 0..options.rounds.max(1) {
        let mut flushed = Duration::ZERO;
        for (best, (router, dispatch)) in best.iter_mut().zip(&runs) {
            let run = run(router.clone(), options.requests);
            *best = (*best).min(run.with_subscriber((*dispatch).clone()).await);
            flushed = flush(&telemetry).await;
        }
        // The last run of a round is that with log lines.
        export = export.min(flushed);
    }
    Ok(Overhead::new(best, export, options))
}

/// Sends what is waiting, off the runtime's workers since it blocks. Says how long it took.
async fn flush(telemetry: &Arc<Telemetry>) -> Duration {
    let telemetry = Arc::clone(telemetry);
    let started = clock::instant();
    drop(tokio::task::spawn_blocking(move || telemetry.flush()).await);
    started.elapsed()
}

impl Overhead {
    fn new(best: [Duration; 4], export: Duration, options: &OverheadOptions) -> Overhead {
        let [bare, traced, counted, logged] = best;
        let requests = f64::from(u32::try_from(options.requests.max(1)).unwrap_or(u32::MAX));
        let per_second = |elapsed: Duration| requests / elapsed.as_secs_f64().max(1e-9);
        let us = |elapsed: Duration| elapsed.as_secs_f64() / requests * 1e6;
        Overhead {
            requests_per_second_bare: per_second(bare),
            requests_per_second_traced: per_second(traced),
            requests_per_second_counted: per_second(counted),
            requests_per_second_logged: per_second(logged),
            traced_us: us(traced) - us(bare),
            counted_us: us(counted) - us(traced),
            logged_us: us(logged) - us(bare),
            export_us: us(export),
            work_us: us(options.work) * requests,
        }
    }
}

async fn run(router: Router, requests: usize) -> Duration {
    let started = clock::instant();
    for _ in 0..requests {
        let request = Request::get("/work").body(Body::empty()).expect("a path is a valid request");
        let Ok::<_, Infallible>(response) = router.clone().oneshot(request).await;
        assert!(response.status().is_success(), "the measured service answers");
    }
    started.elapsed()
}

async fn bare_work(work: Duration) -> &'static str {
    compute(work);
    "done"
}

async fn observed_work(work: Duration) -> &'static str {
    crate::trace_span("fetch_features", []).in_scope(|| {
        crate::set_attribute("features.count", 12_i64);
        crate::set_attribute("feature_store.hit", true);
    });
    crate::trace_span("model_inference", []).in_scope(|| {
        compute(work);
        crate::set_attribute("prediction.probability", 0.12);
        crate::set_attribute("prediction.risk_level", "low");
        crate::set_attribute("prediction.is_fraud", false);
    });
    "done"
}

/// Keeps the core busy for `work`.
fn compute(work: Duration) {
    let started = clock::instant();
    while started.elapsed() < work {
        std::hint::spin_loop();
    }
}
