use std::sync::Arc;

use axum::body::Body;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt as _;
use model::Tenant;
use model::metric::{Exemplar, Labels, Matcher, Metadata, MetricType, NAME_LABEL};
use promql::memory::MemorySource;
use promql::parser::Options;
use promql::source::SeriesSource;
use tower::ServiceExt as _;

use super::outside::{
    Alert, Cardinality, CostLimits, Costs, DroppedTarget, Health, LabelCost, MetricCost, PairCost,
    Rule, RuleGroup, RuleKind, Selection, SeriesExemplars, StoreError, Target,
};
use super::*;

/// A store with some series, one sample a minute for 100 minutes, value 0, 1, 2, ….
struct Store {
    source: Arc<MemorySource>,
    series: Vec<Labels>,
}

fn store() -> Store {
    let series = vec![
        Labels::from_pairs(&[("__name__", "test_metric1"), ("foo", "bar")]),
        Labels::from_pairs(&[("__name__", "test_metric1"), ("foo", "boo")]),
        Labels::from_pairs(&[("__name__", "test_metric2"), ("foo", "boo"), ("http.status", "200")]),
    ];
    let mut source = MemorySource::new();
    for labels in &series {
        for minute in 0..100u32 {
            source.float(labels, i64::from(minute) * 60_000, f64::from(minute), 0);
        }
    }
    Store { source: Arc::new(source), series }
}

impl Store {
    fn matching<'a>(&'a self, selection: &'a Selection) -> impl Iterator<Item = &'a Labels> {
        let fits = |labels: &Labels, set: &[Matcher]| {
            set.iter().all(|matcher| matcher.matches(labels.get(&matcher.name).unwrap_or_default()))
        };
        let sets = &selection.matchers;
        self.series
            .iter()
            .filter(move |labels| sets.is_empty() || sets.iter().any(|set| fits(labels, set)))
    }
}

fn sorted(names: impl Iterator<Item = String>, limit: usize) -> Vec<String> {
    let names: std::collections::BTreeSet<String> = names.collect();
    names.into_iter().take(limit).collect()
}

impl Metrics for Store {
    fn source(&self, _tenant: &Tenant) -> Arc<dyn SeriesSource> {
        Arc::<MemorySource>::clone(&self.source)
    }

    fn series(&self, _tenant: &Tenant, selection: &Selection) -> Result<Vec<Labels>, StoreError> {
        Ok(self.matching(selection).take(selection.limit).cloned().collect())
    }

    fn label_names(
        &self,
        _tenant: &Tenant,
        selection: &Selection,
    ) -> Result<Vec<String>, StoreError> {
        let names = self
            .matching(selection)
            .flat_map(|labels| labels.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>());
        Ok(sorted(names, selection.limit))
    }

    fn label_values(
        &self,
        _tenant: &Tenant,
        label: &str,
        selection: &Selection,
    ) -> Result<Vec<String>, StoreError> {
        let values = self.matching(selection).filter_map(|labels| labels.get(label));
        Ok(sorted(values.map(str::to_owned), selection.limit))
    }

    fn metadata(&self, _tenant: &Tenant, metric: Option<&str>, limit: usize) -> Vec<Metadata> {
        ["test_metric1", "test_metric2"]
            .into_iter()
            .filter(|name| metric.is_none_or(|metric| metric == *name))
            .take(limit)
            .map(|name| Metadata {
                metric: name.to_owned(),
                kind: MetricType::Gauge,
                help: format!("help of {name}"),
                unit: String::new(),
            })
            .collect()
    }

    fn exemplars(
        &self,
        _tenant: &Tenant,
        selection: &Selection,
    ) -> Result<Vec<SeriesExemplars>, StoreError> {
        let exemplar = Exemplar {
            labels: Labels::from_pairs(&[("trace_id", "abc")]),
            value: 6.0,
            timestamp: 1_600_096_945_479,
        };
        let found = self.matching(selection).take(1);
        Ok(found
            .map(|labels| SeriesExemplars {
                labels: labels.clone(),
                exemplars: vec![exemplar.clone()],
            })
            .collect())
    }

    fn cardinality(&self, _tenant: &Tenant, _limit: usize) -> Cardinality {
        let line = |name: &str, count| vec![(name.to_owned(), count)];
        Cardinality {
            series: 3,
            label_pairs: 5,
            chunks: 3,
            min_time: 0,
            max_time: 5_940_000,
            series_by_metric: line("test_metric1", 2),
            values_by_label: line(NAME_LABEL, 2),
            bytes_by_label: line(NAME_LABEL, 24),
            series_by_pair: line("foo=boo", 2),
        }
    }

    fn costs(
        &self,
        _tenant: &Tenant,
        selection: &Selection,
        limits: &CostLimits<'_>,
    ) -> Result<Costs, StoreError> {
        assert!(limits.bytes_max > 0 && !(limits.give_up)());
        let metric = "test_metric1".to_owned();
        let (label, value) = ("foo".to_owned(), "boo".to_owned());
        Ok(Costs {
            series: 7,
            one_in: if selection.matchers.is_empty() { 1 } else { 4 },
            complete: selection.start > 0,
            metrics: vec![MetricCost { metric, series: 4, ..MetricCost::default() }],
            labels: vec![LabelCost { label: label.clone(), values: 2, bytes: 24 }],
            pairs: vec![PairCost { label, value, series: 3 }],
            ..Costs::default()
        })
    }

    fn delete(&self, _tenant: &Tenant, _selection: &Selection) -> Result<(), StoreError> {
        Err(StoreError::Unavailable("read only".to_owned()))
    }
}

struct Scraper;

impl Targets for Scraper {
    fn active(&self) -> Vec<Target> {
        vec![Target {
            discovered_labels: Labels::from_pairs(&[("__address__", "example.com:8080")]),
            labels: Labels::from_pairs(&[("job", "test")]),
            pool: "test".to_owned(),
            url: "http://example.com:8080/metrics".to_owned(),
            last_error: String::new(),
            last_scrape: Some(1_500_000_000_000_000_000),
            last_scrape_seconds: 0.07,
            health: Health::Up,
            interval: "20s".to_owned(),
            timeout: "10s".to_owned(),
        }]
    }

    fn dropped(&self) -> Vec<DroppedTarget> {
        vec![DroppedTarget {
            discovered_labels: Labels::from_pairs(&[("__address__", "http://dropped:9115")]),
            pool: "blackbox".to_owned(),
        }]
    }

    fn pools(&self) -> Vec<String> {
        vec!["test".to_owned(), "blackbox".to_owned()]
    }
}

struct OneGroup;

impl Rules for OneGroup {
    fn groups(&self, _tenant: &Tenant) -> Vec<RuleGroup> {
        let rule = |name: &str, query: &str, kind| Rule {
            name: name.to_owned(),
            query: query.to_owned(),
            labels: Labels::empty(),
            health: "ok",
            last_error: String::new(),
            evaluation_seconds: 0.5,
            last_evaluation: None,
            kind,
        };
        let alert = Alert {
            labels: Labels::from_pairs(&[("alertname", "a")]),
            annotations: Labels::empty(),
            state: "firing",
            active_at: Some(0),
            keep_firing_since: None,
            value: 1.0,
        };
        let alerting = RuleKind::Alerting {
            state: "firing",
            hold_seconds: 600.0,
            keep_firing_seconds: 0.0,
            annotations: Labels::empty(),
            alerts: vec![alert],
        };
        let group = |name: &str, rules| RuleGroup {
            name: name.to_owned(),
            file: "/rules.yaml".to_owned(),
            rules,
            interval_seconds: 60.0,
            limit: 0,
            evaluation_seconds: 1.0,
            last_evaluation: Some(0),
        };
        vec![
            group("one", vec![rule("a", "up == 0", alerting)]),
            group("two", vec![rule("r", "vector(1)", RuleKind::Recording)]),
        ]
    }
}

fn api() -> Prometheus {
    // 100 minutes after 1970.
    let clock = Clock::manual(6_000_000_000_000);
    let mut api = Prometheus::new(Arc::new(store()), clock);
    api.targets = Arc::new(Scraper);
    api.rules = Arc::new(OneGroup);
    api.language = Options { experimental_functions: true, ..Options::default() };
    api
}

async fn send(request: Request<Body>) -> (StatusCode, String) {
    let response = router(api()).oneshot(request).await.expect("an answer");
    let status = response.status();
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    (status, String::from_utf8(body.to_vec()).expect("text"))
}

async fn get_path(path: &str) -> (u16, String) {
    let (status, body) = send(Request::get(path).body(Body::empty()).expect("a request")).await;
    (status.as_u16(), body)
}

/// The answer to a GET has this status and body.
async fn check(path: &str, status: u16, body: &str) {
    assert_eq!(get_path(path).await, (status, body.to_owned()), "{path}");
}

/// The answer to a GET is a success with this data.
async fn data(path: &str, data: &str) {
    check(path, 200, &format!(r#"{{"status":"success","data":{data}}}"#)).await;
}

async fn error(path: &str, status: u16, kind: &str, message: &str) {
    let message = serde_json::to_string(message).expect("text");
    let body = format!(r#"{{"status":"error","errorType":"{kind}","error":{message}}}"#);
    check(path, status, &body).await;
}

#[tokio::test]
async fn instant_queries() {
    data("/api/v1/query?query=2&time=123.4", r#"{"resultType":"scalar","result":[123.400,"2"]}"#)
        .await;
    data(
        "/api/v1/query?query=0.333&time=1970-01-01T00:02:03Z",
        r#"{"resultType":"scalar","result":[123,"0.333"]}"#,
    )
    .await;
    data("/api/v1/query?query=%22a%22", r#"{"resultType":"string","result":[6000,"a"]}"#).await;
    data("/api/v1/query?query=nothing", r#"{"resultType":"vector","result":[]}"#).await;
    data(
        "/api/v1/query?query=test_metric1%7Bfoo=%22bar%22%7D&time=120",
        r#"{"resultType":"vector","result":[{"metric":{"__name__":"test_metric1","foo":"bar"},"value":[120,"2"]}]}"#,
    )
    .await;
    data(
        "/api/v1/query?query=test_metric2%5B2m%5D&time=120",
        r#"{"resultType":"matrix","result":[{"metric":{"__name__":"test_metric2","foo":"boo","http.status":"200"},"values":[[60,"1"],[120,"2"]]}]}"#,
    )
    .await;
    let (status, body) = get_path("/api/v1/query?query=test_metric1&time=0&limit=1").await;
    assert_eq!(status, 200);
    assert!(body.ends_with(r#"]},"warnings":["results truncated due to limit"]}"#), "{body}");
    let (_, body) = get_path("/api/v1/query?query=test_metric1&time=60&stats=true").await;
    assert!(body.contains(r#""stats":{"timings":{"evalTotalTime":"#), "{body}");
    assert!(body.contains(r#""samples":{"totalQueryableSamples":2,"#), "{body}");
}

#[tokio::test]
async fn statistics_of_each_step() {
    let query = "query=sum(test_metric1)&start=60&end=120.5&step=30.25";
    let (_, body) = get_path(&format!("/api/v1/query_range?{query}&stats=all")).await;
    let samples = r#""samples":{"totalQueryableSamplesPerStep":[[60,2],[90.25,2],[120.5,2]],"totalQueryableSamples":6,"#;
    assert!(body.contains(samples), "{body}");
}

#[tokio::test]
async fn pages_of_other_origins_may_ask_as_in_prometheus() {
    let ask = |pattern: &str, method: &str, origin: Option<&str>| {
        let api = Prometheus { cors: CorsOrigin::parse(pattern).expect("a pattern"), ..api() };
        let mut request = Request::builder().method(method).uri("/api/v1/status/buildinfo");
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        async move {
            let request = request.body(Body::empty()).expect("a request");
            let response = router(api).oneshot(request).await.expect("an answer");
            let header = |name| {
                let value = response.headers().get(name);
                value.map(|value| value.to_str().expect("text").to_owned())
            };
            let vary = response.headers().get_all("vary").iter().any(|value| value == "Origin");
            let allowed =
                [header("access-control-allow-origin"), header("access-control-allow-methods")];
            (response.status().as_u16(), vary, allowed)
        }
    };
    let text = |text: &str| Some(text.to_owned());
    let methods = text("GET, POST, OPTIONS");
    for (pattern, method, origin, status, allowed) in [
        (".*", "GET", None, 200, [None, None]),
        (".*", "GET", Some("http://a.test"), 200, [text("*"), methods.clone()]),
        (".*", "OPTIONS", Some("http://a.test"), 204, [text("*"), methods.clone()]),
        (
            "https?://a.test",
            "GET",
            Some("http://a.test"),
            200,
            [text("http://a.test"), methods.clone()],
        ),
        ("https?://a.test", "GET", Some("http://a.test.b"), 200, [None, methods.clone()]),
    ] {
        let seen = ask(pattern, method, origin).await;
        assert_eq!(seen, (status, true, allowed), "{pattern} {method} {origin:?}");
    }
}

#[tokio::test]
async fn range_queries() {
    data(
        "/api/v1/query_range?query=time()&start=0&end=2&step=1",
        r#"{"resultType":"matrix","result":[{"metric":{},"values":[[0,"0"],[1,"1"],[2,"2"]]}]}"#,
    )
    .await;
    data(
        "/api/v1/query_range?query=sum(test_metric1)&start=60&end=120&step=1m",
        r#"{"resultType":"matrix","result":[{"metric":{},"values":[[60,"2"],[120,"4"]]}]}"#,
    )
    .await;
    for (query, name, message) in [
        ("end=2&step=1", "start", "cannot parse \"\" to a valid timestamp"),
        ("start=0&step=1", "end", "cannot parse \"\" to a valid timestamp"),
        ("start=0&end=2", "step", "cannot parse \"\" to a valid duration"),
        ("start=2&end=1&step=1", "end", "end timestamp must not be before start time"),
        (
            "start=1&end=2&step=0",
            "step",
            "zero or negative query resolution step widths are not accepted. Try a positive integer",
        ),
        (
            "start=0&end=1&step=1&query=test_metric1[1m]",
            "query",
            "invalid expression type \"range vector\" for range query, must be Scalar or instant Vector",
        ),
    ] {
        let path = format!("/api/v1/query_range?{query}&query=time()");
        let path = path.replace('[', "%5B").replace(']', "%5D");
        error(&path, 400, "bad_data", &format!("invalid parameter \"{name}\": {message}")).await;
    }
    error(
        "/api/v1/query_range?query=time()&start=0&end=11001&step=1",
        400,
        "bad_data",
        "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
    )
    .await;
}

#[tokio::test]
async fn mistakes_in_queries() {
    error(
        "/api/v1/query?query=invalid%5B%5D%5Bquery",
        400,
        "bad_data",
        "invalid parameter \"query\": 1:9: parse error: unexpected \"]\" in subquery or range selector, expected number, duration, step(), or range()",
    )
    .await;
    error(
        "/api/v1/query?query=",
        400,
        "bad_data",
        "invalid parameter \"query\": 1:1: parse error: no expression found in input",
    )
    .await;
    error(
        "/api/v1/query?query=1&time=x",
        400,
        "bad_data",
        "invalid parameter \"time\": invalid time value for 'time': cannot parse \"x\" to a valid timestamp",
    )
    .await;
    error(
        "/api/v1/query?query=1&timeout=x",
        400,
        "bad_data",
        "invalid parameter \"timeout\": cannot parse \"x\" to a valid duration",
    )
    .await;
    let (status, body) =
        get_path("/api/v1/query?query=test_metric1%20%2B%20ignoring(foo)%20test_metric1").await;
    assert_eq!(status, 422, "{body}");
    assert!(body.starts_with(r#"{"status":"error","errorType":"execution","error":"#), "{body}");
    let (status, body) = get_path("/api/v1/query?query=test_metric1&timeout=0").await;
    assert_eq!(status, 503, "{body}");
    assert!(body.contains(r#""errorType":"timeout""#), "{body}");
}

#[tokio::test]
async fn forms_are_read_before_addresses() {
    let request = Request::post("/api/v1/query?query=1&time=5")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from("query=2%2B2"))
        .expect("a request");
    let (status, body) = send(request).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body, r#"{"status":"success","data":{"resultType":"scalar","result":[5,"4"]}}"#);
}

#[tokio::test]
async fn queries_as_text_and_tree() {
    data("/api/v1/format_query?query=foo%2Fbar", r#""foo / bar""#).await;
    data("/api/v1/parse_query?query=1", r#"{"type":"numberLiteral","val":"1"}"#).await;
}

#[tokio::test]
async fn what_there_is() {
    data(
        "/api/v1/series?match[]=test_metric2",
        r#"[{"__name__":"test_metric2","foo":"boo","http.status":"200"}]"#,
    )
    .await;
    error("/api/v1/series", 400, "bad_data", "no match[] parameter provided").await;
    data("/api/v1/labels", r#"["__name__","foo","http.status"]"#).await;
    data("/api/v1/labels?match[]=test_metric1", r#"["__name__","foo"]"#).await;
    data("/api/v1/label/foo/values", r#"["bar","boo"]"#).await;
    data("/api/v1/label/U__http_2e_status/values", r#"["200"]"#).await;
    data("/api/v1/label/nothing/values", "[]").await;
    check(
        "/api/v1/label/foo/values?limit=1",
        200,
        r#"{"status":"success","data":["bar"],"warnings":["results truncated due to limit"]}"#,
    )
    .await;
    data(
        "/api/v1/metadata?metric=test_metric1",
        r#"{"test_metric1":[{"type":"gauge","help":"help of test_metric1","unit":""}]}"#,
    )
    .await;
    data(
        "/api/v1/query_exemplars?query=test_metric1",
        r#"[{"seriesLabels":{"__name__":"test_metric1","foo":"bar"},"exemplars":[{"labels":{"trace_id":"abc"},"value":"6","timestamp":1600096945.479}]}]"#,
    )
    .await;
    check("/api/v1/query_exemplars?query=1", 200, r#"{"status":"success"}"#).await;
    data(
        "/api/v1/metrics/cardinality?start=1",
        r#"{"series":7,"head_series":0,"head_bytes":0,"samples":0,"block_bytes":0,"label_names":0,"label_pairs":0,"one_in":1,"complete":true,"metrics":[{"metric":"test_metric1","series":4,"bytes":0,"samples":0,"block_bytes":0}],"labels":[{"label":"foo","values":2,"bytes":24}],"pairs":[{"label":"foo","value":"boo","series":3}]}"#,
    )
    .await;
    let told = ("there was no time to count all blocks", "estimated from one of 4 series");
    let (_, body) = get_path("/api/v1/metrics/cardinality?start=0&match[]=x").await;
    assert!(body.contains(told.0) && body.contains(told.1), "{body}");
    error(
        "/api/v1/metrics/cardinality?start=2&end=1",
        400,
        "bad_data",
        "end timestamp must not be before start time",
    )
    .await;
    let (_, body) = get_path("/api/v1/status/tsdb?start=1").await;
    assert!(body.contains(r#""numSeries":3"#), "{body}");
    let listed = r#""seriesCountByMetricName":[{"name":"test_metric1","value":4}]"#;
    assert!(body.contains(listed), "{body}");
    assert!(body.contains(r#"[{"name":"foo=boo","value":3}]"#), "{body}");
}

#[tokio::test]
async fn searches() {
    check(
        "/api/v1/search/metric_names?search[]=metric&include_metadata=true&limit=1",
        200,
        "{\"results\":[{\"name\":\"test_metric1\",\"type\":\"gauge\",\"help\":\"help of test_metric1\"}]}\n{\"status\":\"success\",\"has_more\":true}\n",
    )
    .await;
    check(
        "/api/v1/search/label_values?label=foo&sort_by=alpha&sort_dir=dsc&batch_size=1",
        200,
        "{\"results\":[{\"name\":\"boo\"}]}\n{\"results\":[{\"name\":\"bar\"}]}\n{\"status\":\"success\",\"has_more\":false}\n",
    )
    .await;
    check(
        "/api/v1/search/label_names?search[]=zzz",
        200,
        "{\"results\":[]}\n{\"status\":\"success\",\"has_more\":false}\n",
    )
    .await;
    for (query, message) in [
        ("label_values?", "missing required parameter \"label\""),
        ("label_names?sort_dir=asc", "sort_dir is only valid when sort_by is set"),
        ("label_names?sort_by=score", "sort_by=score requires search[] to be set"),
        ("label_names?fuzz_threshold=101", "invalid fuzz_threshold \"101\": must be 0-100"),
        (
            "label_names?fuzz_alg=x",
            "unsupported fuzz_alg \"x\": must be one of [subsequence jarowinkler]",
        ),
        ("label_names?limit=-1", "invalid limit \"-1\": must be non-negative integer"),
        (
            "metric_names?sort_by=x",
            "invalid sort_by \"x\" for metric_names: must be \"alpha\" or \"score\"",
        ),
    ] {
        error(&format!("/api/v1/search/{query}"), 400, "bad_data", message).await;
    }
}

#[tokio::test]
async fn scraping() {
    let active = r#"{"discoveredLabels":{"__address__":"example.com:8080"},"labels":{"job":"test"},"scrapePool":"test","scrapeUrl":"http://example.com:8080/metrics","globalUrl":"http://example.com:8080/metrics","lastError":"","lastScrape":"2017-07-14T02:40:00Z","lastScrapeDuration":0.07,"health":"up","scrapeInterval":"20s","scrapeTimeout":"10s"}"#;
    let dropped =
        r#"{"discoveredLabels":{"__address__":"http://dropped:9115"},"scrapePool":"blackbox"}"#;
    data(
        "/api/v1/targets",
        &format!(
            r#"{{"activeTargets":[{active}],"droppedTargets":[{dropped}],"droppedTargetCounts":{{"blackbox":1}}}}"#
        ),
    )
    .await;
    data(
        "/api/v1/targets?state=active",
        &format!(
            r#"{{"activeTargets":[{active}],"droppedTargets":[],"droppedTargetCounts":null}}"#
        ),
    )
    .await;
    data("/api/v1/scrape_pools", r#"{"scrapePools":["blackbox","test"]}"#).await;
    data("/api/v1/targets/metadata", "[]").await;
    error("/api/v1/targets/metadata?limit=x", 400, "bad_data", "limit must be a number").await;
    data("/api/v1/alertmanagers", r#"{"activeAlertmanagers":[],"droppedAlertmanagers":[]}"#).await;
}

#[tokio::test]
async fn rules_and_alerts() {
    let alert = r#"{"labels":{"alertname":"a"},"annotations":{},"state":"firing","activeAt":"1970-01-01T00:00:00Z","value":"1e+00"}"#;
    let one = |alerts: &str| {
        format!(
            r#"{{"name":"one","file":"/rules.yaml","rules":[{{"state":"firing","name":"a","query":"up == 0","duration":600.0,"keepFiringFor":0.0,"labels":{{}},"annotations":{{}},"alerts":[{alerts}],"health":"ok","evaluationTime":0.5,"lastEvaluation":"0001-01-01T00:00:00Z","type":"alerting"}}],"interval":60.0,"limit":0,"evaluationTime":1.0,"lastEvaluation":"1970-01-01T00:00:00Z"}}"#
        )
    };
    let two = r#"{"name":"two","file":"/rules.yaml","rules":[{"name":"r","query":"vector(1)","health":"ok","evaluationTime":0.5,"lastEvaluation":"0001-01-01T00:00:00Z","type":"recording"}],"interval":60.0,"limit":0,"evaluationTime":1.0,"lastEvaluation":"1970-01-01T00:00:00Z"}"#;
    data("/api/v1/alerts", &format!(r#"{{"alerts":[{alert}]}}"#)).await;
    data("/api/v1/rules", &format!(r#"{{"groups":[{},{two}]}}"#, one(alert))).await;
    data(
        "/api/v1/rules?rule_name[]=a&exclude_alerts=true",
        &format!(r#"{{"groups":[{}]}}"#, one("")),
    )
    .await;
    data("/api/v1/rules?rule_group[]=two", &format!(r#"{{"groups":[{two}]}}"#)).await;
    let (_, body) = get_path("/api/v1/rules?group_limit=1").await;
    let parsed: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    let token = parsed["data"]["groupNextToken"].as_str().expect("a token").to_owned();
    data(
        &format!("/api/v1/rules?group_limit=1&group_next_token={token}"),
        &format!(r#"{{"groups":[{two}]}}"#),
    )
    .await;
    error(
        "/api/v1/rules?type=x",
        400,
        "bad_data",
        "invalid parameter \"type\": not supported value \"x\"",
    )
    .await;
}

#[tokio::test]
async fn the_server() {
    check("/-/healthy", 200, "Prometheus Server is Healthy.\n").await;
    check("/-/ready", 200, "Prometheus Server is Ready.\n").await;
    data("/api/v1/status/config", r#"{"yaml":""}"#).await;
    data("/api/v1/status/flags", "{}").await;
    data("/api/v1/status/walreplay", r#"{"min":0,"max":0,"current":0}"#).await;
    data("/api/v1/status/tsdb/blocks", r#"{"blocks":[]}"#).await;
    data(
        "/api/v1/status/tsdb",
        r#"{"headStats":{"numSeries":3,"numLabelPairs":5,"chunkCount":3,"minTime":0,"maxTime":5940000},"seriesCountByMetricName":[{"name":"test_metric1","value":2}],"labelValueCountByLabelName":[{"name":"__name__","value":2}],"memoryInBytesByLabelName":[{"name":"__name__","value":24}],"seriesCountByLabelValuePair":[{"name":"foo=boo","value":2}]}"#,
    )
    .await;
    error("/api/v1/status/tsdb?limit=0", 400, "bad_data", "limit must be a positive number").await;
    data("/api/v1/notifications", "[]").await;
    let (status, body) = get_path("/api/v1/status/buildinfo").await;
    assert_eq!(status, 200);
    assert!(body.contains(r#""version":"3."#) && !body.contains("features"), "{body}");
    let (status, body) = get_path("/api/v1/features").await;
    assert_eq!(status, 200);
    assert!(body.contains(r#""rate":true"#), "{body}");
    let (status, body) = get_path("/api/v1/openapi.yaml").await;
    assert_eq!(status, 200);
    assert!(body.contains("/api/v1/query_range:"), "{body}");
    error("/api/v1/nothing", 404, "not_found", "there is nothing at /nothing").await;
}

#[tokio::test]
async fn administration_has_to_be_allowed() {
    let post = |path: &str| Request::post(path).body(Body::empty()).expect("a request");
    let (status, body) = send(post("/api/v1/admin/tsdb/clean_tombstones")).await;
    assert_eq!(status.as_u16(), 503);
    assert!(body.contains("admin APIs disabled"), "{body}");
    let (status, body) = send(post("/-/reload")).await;
    assert_eq!((status.as_u16(), body.as_str()), (403, "Lifecycle API is not enabled."));
    let allowed = Prometheus { admin: true, ..api() };
    let response = router(allowed)
        .oneshot(post("/api/v1/admin/tsdb/clean_tombstones"))
        .await
        .expect("an answer");
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn federation() {
    let (status, body) = get_path("/federate?match[]=test_metric1").await;
    assert_eq!(status, 200);
    assert_eq!(
        body,
        "# TYPE test_metric1 untyped\n\
         test_metric1{foo=\"bar\",instance=\"\"} 99 5940000\n\
         test_metric1{foo=\"boo\",instance=\"\"} 99 5940000\n"
    );
    let (status, _) = get_path("/federate?match[]=a%5B").await;
    assert_eq!(status, 400);
}
