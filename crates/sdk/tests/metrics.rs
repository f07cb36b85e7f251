//! Metrics as a scraper sees them, with the traces that they lead to.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use tower::ServiceExt as _;
use tracing::instrument::WithSubscriber as _;
use trefoil_sdk::metric::Format;
use trefoil_sdk::{
    Config, ErrorReport, Exporter, HttpClient, LogWriter, MemoryExporter, Registry, Sampling,
    ServerOptions, Telemetry, add_tracing_middleware, metrics_route,
};

fn telemetry(sampling: Sampling) -> (MemoryExporter, Telemetry) {
    let memory = MemoryExporter::default();
    let config = Config::new("my-service")
        .exporter(Exporter::Memory(memory.clone()))
        .sampling(sampling)
        .log_writer(LogWriter::Discard);
    (memory, Telemetry::new(config).unwrap())
}

async fn invalid() -> Response {
    let mut response = (StatusCode::UNPROCESSABLE_ENTITY, "no").into_response();
    let report = ErrorReport { kind: "ValueError", message: "no".into() };
    response.extensions_mut().insert(report);
    response
}

fn service(registry: &Registry) -> Router {
    let router = Router::new()
        .route("/models/{id}", get(|| async { "model" }))
        .route("/predict", post(invalid));
    let options = ServerOptions { metrics: Some(registry.clone()), ..ServerOptions::default() };
    add_tracing_middleware(router, &options).route("/metrics", metrics_route(registry))
}

async fn ask(router: &Router, method: &str, path: &str, accept: &str) -> (String, String) {
    let request = Request::builder().method(method).uri(path).header("accept", accept);
    let request = request.body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (kind, String::from_utf8(body.to_vec()).unwrap())
}

const OPENMETRICS: &str = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5";

#[tokio::test]
async fn requests_are_counted_by_route_with_the_trace_as_exemplar() {
    let (memory, telemetry) = telemetry(Sampling::AlwaysOn);
    let registry = Registry::new();
    let router = service(&registry);
    let (kind, text) = async {
        for (method, path) in [("GET", "/models/7"), ("GET", "/models/8"), ("POST", "/predict")] {
            ask(&router, method, path, "*/*").await;
        }
        let unknown = Request::get("/nowhere").body(Body::empty()).unwrap();
        router.clone().oneshot(unknown).await.unwrap();
        ask(&router, "GET", "/metrics", OPENMETRICS).await
    }
    .with_subscriber(telemetry.dispatch().clone())
    .await;
    assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"), "{kind}");
    let name = "http_server_request_duration_seconds";
    for line in [
        format!("# UNIT {name} seconds"),
        format!(
            "{name}_count{{http_request_method=\"GET\",http_route=\"/models/{{id}}\",\
             http_response_status_code=\"200\"}} 2"
        ),
        format!(
            "{name}_count{{http_request_method=\"POST\",http_route=\"/predict\",\
             http_response_status_code=\"422\"}} 1"
        ),
        format!(
            "{name}_count{{http_request_method=\"GET\",http_route=\"\",\
             http_response_status_code=\"404\"}} 1"
        ),
        "http_server_active_requests{http_request_method=\"GET\"} 0".to_owned(),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(text.contains("error_type=\"ValueError\"} 1 # {trace_id="), "{text}");
    assert!(!text.contains("http_route=\"/metrics\""), "scrapes are not counted");
    assert!(text.ends_with("# EOF\n"));
    // Each exemplar is a trace that is there.
    let traces: Vec<String> =
        memory.spans().iter().map(|span| span.span_context.trace_id().to_string()).collect();
    let exemplars: Vec<&str> =
        text.split("trace_id=\"").skip(1).filter_map(|rest| rest.get(..32)).collect();
    assert!(exemplars.len() >= 3, "{text}");
    assert!(exemplars.iter().all(|id| traces.iter().any(|trace| trace == id)));
}

#[tokio::test]
async fn a_trace_that_is_not_kept_is_no_exemplar_and_text_has_none_at_all() {
    let (_, unsampled) = telemetry(Sampling::AlwaysOff);
    let registry = Registry::new();
    let router = service(&registry);
    let scrape = async {
        ask(&router, "GET", "/models/7", "*/*").await;
        ask(&router, "GET", "/metrics", OPENMETRICS).await.1
    };
    let text = scrape.with_subscriber(unsampled.dispatch().clone()).await;
    assert!(text.contains("_count{") && !text.contains("trace_id"), "{text}");
    let (kind, text) = ask(&router, "GET", "/metrics", "text/plain;version=0.0.4").await;
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    assert!(!text.contains("# EOF"));
}

#[tokio::test]
async fn calls_are_counted_with_what_became_of_them() {
    let (_, telemetry) = telemetry(Sampling::AlwaysOn);
    let registry = Registry::new();
    let client = HttpClient::default().with_metrics(&registry);
    let call = client.get("http://127.0.0.1:1/users/7").send();
    assert!(call.with_subscriber(telemetry.dispatch().clone()).await.is_err());
    let text = registry.text(Format::OpenMetrics);
    let line = "http_client_request_duration_seconds_count{http_request_method=\"GET\",\
                server_address=\"127.0.0.1\",server_port=\"1\",http_response_status_code=\"\",\
                error_type=\"ConnectionError\"} 1";
    assert!(text.lines().any(|found| found == line), "{text}");
    assert!(text.contains("trace_id="), "{text}");
}
