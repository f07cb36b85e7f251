//! What the five documents tell their readers to type works: their PromQL gives data from the
//! reference services, the pricing service's `prometheus.yml` loads, promtool speaks to the port.

use std::path::PathBuf;
use std::time::Duration;

use e2e::program::{command, debian, root, run_with_input, trefoil};
use e2e::prometheus::{data, now_ms};
use e2e::random::show;
use e2e::server::Setup;
use e2e::until;
use serde_json::Value;

use crate::demo::Demo;

const FRAUD: &str = "fraud-tracing-stack.md";
const INGEST: &str = "ingest-pipeline-observability.md";
const STACK: &str = "ml-observability-stack-v2.md";
const PLATFORM: &str = "ml-platform-tracing.md";
const PRICING: &str = "pricing-service-observability.md";

/// Each document's PromQL, as it is written there.
const QUERIES: &[(&str, &str)] = &[
    (INGEST, "rate(consumer_messages_processed_total[5m])"),
    (INGEST, "histogram_quantile(0.95, consumer_processing_duration_seconds_bucket)"),
    (INGEST, "consumer_errors_total"),
    (INGEST, "histogram_quantile(0.95, fastapi_request_duration_seconds_bucket)"),
    (INGEST, "rate(fastapi_error_total[5m])"),
    (INGEST, "consumer_lag"),
    (INGEST, "rate(consumer_errors_total[5m])"),
    (INGEST, "rate(fastapi_requests_total[5m])"),
    (INGEST, "rate(consumer_messages_processed_total[1m])"),
    (INGEST, "postgres_status"),
    (INGEST, "minio_status"),
    (INGEST, "consumer_messages_consumed_total"),
    (STACK, "rate(predictions_total[5m])"),
    (STACK, "histogram_quantile(0.95, sum(rate(prediction_latency_seconds_bucket[5m])) by (le))"),
    (STACK, "sum by (transaction_country) (rate(predictions_total[5m]))"),
    (STACK, "revenue_per_model_version"),
    (STACK, "up"),
    (PRICING, "pricing_requests_total"),
    (PRICING, "pricing_active_requests"),
    (PRICING, "pricing_errors_total"),
    (PRICING, "pricing_model_cache_hits_total"),
    (PRICING, "pricing_model_cache_misses_total"),
    (PRICING, "pricing_models_loaded"),
    (PRICING, "pricing_outcomes_ingested_total"),
    (PRICING, "pricing_outcomes_invalid_total"),
    (PRICING, "pricing_retraining_total"),
    (PRICING, "pricing_drift_detected_total"),
    (PRICING, "pricing_ab_assignments_total"),
    (PRICING, "pricing_ab_outcomes_total"),
    (PRICING, "pricing_competitor_fetches_total"),
    (PRICING, "pricing_competitor_staleness_seconds"),
    (PRICING, "pricing_service_info"),
    (PRICING, "pricing_uptime_seconds"),
    (PRICING, "pricing_api_latency_seconds_bucket"),
];

/// Metrics that the documents name without a query, asked for as their panels do. Histograms are
/// named there without their series' endings.
const NAMED: &[(&str, &str, &str)] = &[
    (
        INGEST,
        "consumer_clickhouse_insert_duration_seconds",
        "histogram_quantile(0.95, rate(consumer_clickhouse_insert_duration_seconds_bucket[5m]))",
    ),
    (
        PRICING,
        "pricing_score_latency_seconds",
        "histogram_quantile(0.95, sum by (le) (rate(pricing_score_latency_seconds_bucket[5m])))",
    ),
    (
        PRICING,
        "pricing_model_prediction_seconds",
        "histogram_quantile(0.95, sum by (le, model_type, property_id) \
         (rate(pricing_model_prediction_seconds_bucket[5m])))",
    ),
    (
        PRICING,
        "pricing_retraining_duration_seconds",
        "histogram_quantile(0.95, sum by (le) (pricing_retraining_duration_seconds_bucket))",
    ),
    (
        PRICING,
        "hits / (hits + misses)",
        "rate(pricing_model_cache_hits_total[5m]) / \
         (rate(pricing_model_cache_hits_total[5m]) + rate(pricing_model_cache_misses_total[5m]))",
    ),
];

/// What has no data yet, and whose it is to give: each is computed by the server from logged
/// predictions and labels, which there are none of before monitors run in it.
const LATER: &[(&str, &str, &str)] = &[
    (STACK, "feature_psi", "drift of features, by monitors that run in the server"),
    (STACK, "model_performance{metric=\"precision\"}", "needs labels that come in as events"),
    (STACK, "false_positive_cost", "needs labels that come in as events"),
];

#[tokio::test]
async fn the_documents_queries_give_data_from_the_reference_services() {
    let demo = Demo::start().await;
    let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
    let named = NAMED.iter().map(|(document, _, query)| (*document, *query));
    let queries: Vec<(&str, &str)> = QUERIES.iter().copied().chain(named).collect();
    for base in [demo.prometheus.clone(), format!("{}/prometheus", demo.main)] {
        for (document, query) in &queries {
            until(&format!("{document}: {query} at {base}"), || async {
                let answer = data(&http, &base, "query", &[("query", query)]).await;
                let answer = answer.map_err(|error| format!("{error:#}"))?;
                if has_number(&answer) { Ok(()) } else { Err(answer.to_string()) }
            })
            .await;
        }
    }
    for (document, query, why) in LATER {
        let answer = data(&http, &demo.prometheus, "query", &[("query", query)]).await;
        let answer = answer.expect("an answer");
        assert!(!has_number(&answer), "{query} has data: it belongs into QUERIES");
        show(&format!("{document}: {query} has no data yet: {why}"));
    }
    the_pricing_documents_configuration_loads(&demo, &http).await;
    promtool_is_content(&demo, &http).await;
}

fn has_number(answer: &Value) -> bool {
    let series = answer["result"].as_array().map(Vec::as_slice).unwrap_or_default();
    series.iter().any(|series| series["value"][1].as_str().is_some_and(|value| value != "NaN"))
}

/// `prometheus.yml` of the document, with the addresses of this machine.
const PROMETHEUS_YML: &str = "\
global:
  scrape_interval: 15s
  evaluation_interval: 15s

alerting:
  alertmanagers:
    - static_configs:
        - targets: ['alertmanager:9093']

rule_files:
  - '/etc/prometheus/alerts.yml'

scrape_configs:
  - job_name: 'pricing-service'
    static_configs:
      - targets: ['host.docker.internal:8000']
    metrics_path: '/metrics'
";

/// Two of the alerts in the document's table.
const ALERTS_YML: &str = "\
groups:
  - name: pricing
    rules:
      - alert: CriticalScoreLatency
        expr: histogram_quantile(0.95, sum by (le) (rate(pricing_score_latency_seconds_bucket[5m]))) > 0.08
        for: 5m
        labels: {severity: critical}
      - alert: NoModelsLoaded
        expr: pricing_models_loaded == 0
        for: 5m
        labels: {severity: critical}
";

async fn the_pricing_documents_configuration_loads(demo: &Demo, http: &reqwest::Client) {
    let targets = data(http, &demo.prometheus, "targets", &[]).await.expect("targets");
    let all = targets["activeTargets"].as_array().expect("a list");
    let pricing = all.iter().find(|target| target["labels"]["job"] == "pricing-service");
    let pricing = pricing.expect("the pricing service")["labels"]["instance"].clone();
    let home = tempfile::TempDir::with_prefix("trefoil-seeds-").expect("a temporary directory");
    let (config, alerts) = (home.path().join("prometheus.yml"), home.path().join("alerts.yml"));
    let text = PROMETHEUS_YML
        .replace("alertmanager:9093", "127.0.0.1:9093")
        .replace("/etc/prometheus/alerts.yml", &alerts.display().to_string())
        .replace("host.docker.internal:8000", pricing.as_str().expect("an address"));
    std::fs::write(&config, text).expect("a file");
    std::fs::write(&alerts, ALERTS_YML).expect("a file");

    let mut check = command(trefoil());
    let said = run_with_input(check.arg("check").arg(&config), "", Duration::from_secs(30)).await;
    let said = said.success();
    assert!(said.contains("SUCCESS"), "{said}");

    let server = Setup::new().set("prometheus.config", config.display()).start().await;
    for query in ["up{job=\"pricing-service\"} == 1", "pricing_service_info"] {
        until(query, || async {
            let answer = data(http, &server.prometheus(), "query", &[("query", query)]).await;
            let answer = answer.map_err(|error| format!("{error:#}"))?;
            if has_number(&answer) { Ok(()) } else { Err(answer.to_string()) }
        })
        .await;
    }
    let rules = data(http, &server.prometheus(), "rules", &[]).await.expect("rules");
    assert_eq!(rules["groups"][0]["rules"][0]["name"], "CriticalScoreLatency", "{rules}");
}

/// promtool asks the port whatever it can ask, and finds no fault with the services' pages.
async fn promtool_is_content(demo: &Demo, http: &reqwest::Client) {
    let Some(promtool) = debian("promtool") else {
        show("left out: promtool is not installed");
        return;
    };
    let said = async |arguments: &[&str], input: &str| {
        let mut promtool = command(&promtool);
        run_with_input(promtool.args(arguments), input, Duration::from_secs(30)).await
    };
    let base = demo.prometheus.as_str();
    let query = "sum by (job) (rate(pricing_requests_total[5m]))";
    let instant = said(&["query", "instant", base, query], "").await.success();
    assert!(instant.contains("{job=\"pricing-service\"} =>"), "{instant}");
    let now = now_ms() / 1_000;
    let (start, end) = (format!("--start={}", now - 60), format!("--end={now}"));
    let arguments = ["query", "range", &start, &end, "--step=5s", base, "up"];
    let range = said(&arguments, "").await.success();
    assert!(range.contains("job=\"wotr-consumer\""), "{range}");
    let series = said(&["query", "series", "--match=consumer_lag", base], "").await.success();
    assert!(series.contains("wotr-consumer"), "{series}");
    let labels = said(&["query", "labels", base, "job"], "").await.success();
    assert!(labels.contains("fraud-detection-api") && labels.contains("wotr-api"), "{labels}");

    let targets = data(http, base, "targets", &[]).await.expect("targets");
    for target in targets["activeTargets"].as_array().expect("a list") {
        let url = target["scrapeUrl"].as_str().expect("an address");
        let page = http.get(url).send().await.expect("an answer").text().await.expect("a page");
        let lint = said(&["check", "metrics"], &page).await;
        assert_eq!(lint.code, Some(0), "{url}: {}", lint.said());
    }
}

/// The lists above are the documents', whole: each is found where it is said to stand, and no
/// line with PromQL is left out.
#[test]
fn the_queries_are_the_documents_own() {
    let seeds: PathBuf = root().join("../shared/seeds");
    if !seeds.is_dir() {
        show("left out: ../shared/seeds is not there");
        return;
    }
    let read = |document: &str| std::fs::read_to_string(seeds.join(document)).expect("a document");
    let named = NAMED.iter().map(|(document, name, _)| (*document, *name));
    let later = LATER.iter().map(|(document, query, _)| (*document, *query));
    let all: Vec<(&str, &str)> = QUERIES.iter().copied().chain(named).chain(later).collect();
    for (document, query) in &all {
        assert!(read(document).contains(query), "{document} does not say {query}");
    }
    for document in [FRAUD, INGEST, STACK, PLATFORM, PRICING] {
        for line in read(document).lines() {
            let asks = ["rate(", "histogram_quantile(", "sum by"].iter().any(|f| line.contains(f));
            let known = all.iter().any(|(of, query)| of == &document && line.contains(query));
            assert!(!asks || known, "{document}: {line}");
        }
    }
    let catalogue = read(PRICING);
    // One word that begins so is a label.
    let names = catalogue
        .split('`')
        .filter(|word| word.starts_with("pricing_") && *word != "pricing_method");
    for name in names.filter(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')) {
        let known = all.iter().any(|(_, query)| query.starts_with(name));
        assert!(known, "{name} is in no list");
    }
    assert!(catalogue.contains(PROMETHEUS_YML), "the document's prometheus.yml is another");
}
