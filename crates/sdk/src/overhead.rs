//! What being observed costs: the same small service with and without, requests a second.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use tower::ServiceExt as _;
use tracing::instrument::WithSubscriber as _;

use crate::clock;
use crate::config::{Config, LogFormat};
use crate::log::LogWriter;
use crate::server::{ServerOptions, add_tracing_middleware};
use crate::telemetry::{Error, Telemetry};

/// How to measure.
#[derive(Debug, Clone)]
pub struct OverheadOptions {
    /// Requests of each of the runs.
    pub requests: usize,
    /// Rounds; the best of each side counts, since noise only ever slows down.
    pub rounds: usize,
    /// What the service itself does for each request, as time spent computing.
    pub work: Duration,
    /// The collector; telemetry is dropped by the exporter when none listens there.
    pub endpoint: String,
}

impl Default for OverheadOptions {
    fn default() -> OverheadOptions {
        OverheadOptions {
            requests: 5_000,
            rounds: 3,
            work: Duration::from_micros(500),
            endpoint: Config::default().endpoint,
        }
    }
}

/// What was measured, on one core and without sockets.
#[derive(Debug, Clone, Copy)]
pub struct Overhead {
    /// Requests a second of the bare service.
    pub requests_per_second_bare: f64,
    /// With a server span, two child spans and five attributes.
    pub requests_per_second_traced: f64,
    /// The same and two log lines, as JSON and over OTLP.
    pub requests_per_second_logged: f64,
    /// Time that tracing adds to a request.
    pub traced_us: f64,
    /// Time that tracing and logging add to a request.
    pub logged_us: f64,
    /// The service's own work for each request, for comparison.
    pub work_us: f64,
}

/// Measures. Uses no global state, so it can be called from anywhere; best in a release build.
pub async fn measure(options: &OverheadOptions) -> Result<Overhead, Error> {
    let config = Config::new("overhead")
        .endpoint(options.endpoint.clone())
        .log_format(LogFormat::Json)
        .log_writer(LogWriter::Discard);
    let telemetry = Telemetry::new(config)?;
    let work = options.work;
    let bare = Router::new().route("/work", get(move || bare_work(work)));
    let observed = Router::new().route("/work", get(move || observed_work(work)));
    let server = |log_requests| ServerOptions { log_requests, ..ServerOptions::default() };
    let traced = add_tracing_middleware(observed.clone(), &server(false));
    let logged = add_tracing_middleware(observed, &server(true));
    let none = tracing::Dispatch::none();
    let runs = [(bare, &none), (traced, telemetry.dispatch()), (logged, telemetry.dispatch())];
    let mut best = [Duration::MAX; 3];
    for _ in 0..options.rounds.max(1) {
        for (best, (router, dispatch)) in best.iter_mut().zip(&runs) {
            let run = run(router.clone(), options.requests);
            *best = (*best).min(run.with_subscriber((*dispatch).clone()).await);
            telemetry.flush();
        }
    }
    Ok(Overhead::new(best, options))
}

impl Overhead {
    fn new([bare, traced, logged]: [Duration; 3], options: &OverheadOptions) -> Overhead {
        let requests = f64::from(u32::try_from(options.requests.max(1)).unwrap_or(u32::MAX));
        let per_second = |elapsed: Duration| requests / elapsed.as_secs_f64().max(1e-9);
        let added_us =
            |elapsed: Duration| (elapsed.as_secs_f64() - bare.as_secs_f64()) / requests * 1e6;
        Overhead {
            requests_per_second_bare: per_second(bare),
            requests_per_second_traced: per_second(traced),
            requests_per_second_logged: per_second(logged),
            traced_us: added_us(traced),
            logged_us: added_us(logged),
            work_us: options.work.as_secs_f64() * 1e6,
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
