use std::time::Duration;

use super::*;

fn parse(text: &str) -> Result<Config, String> {
    let environment = |name: &str| (name == "HOST").then(|| "h1".to_owned());
    Config::parse(text, Path::new("/etc/p"), &environment).map_err(|problem| problem.to_string())
}

#[test]
fn the_files_of_the_documents_load() {
    let pricing = "
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
    let config = parse(pricing).expect("loads");
    assert_eq!(config.jobs[0].scrape_interval, Duration::from_secs(15));
    assert_eq!(config.jobs[0].scrape_timeout, Duration::from_secs(10));
    assert_eq!(config.global.evaluation_interval, Duration::from_secs(15));
    assert_eq!(config.rule_files, [PathBuf::from("/etc/prometheus/alerts.yml")]);
    assert_eq!(config.alerting.alertmanagers.len(), 1);
    assert_eq!(parse("").expect("loads").jobs, []);
}

#[test]
fn everything_that_is_documented_is_known() {
    let text = include_str!("tests/full.yml");
    let config = parse(text).expect("loads");
    assert_eq!(
        config.global.external_labels.to_string(),
        r#"{dollar="$x", host="h1", monitor="codelab"}"#
    );
    let names: Vec<&str> = config.jobs.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["prometheus", "service-x", "kubernetes", "elsewhere"]);
    let job = &config.jobs[1];
    assert_eq!(job.protocols, [Protocol::PrometheusText0_0_4]);
    assert_eq!((job.body_bytes_limit, job.sample_limit, job.label_limit), (10 << 20, 1000, 35));
    assert_eq!(config.remote_write.len(), 2);
    assert_eq!(config.remote_write[0].relabel.len(), 1);
    assert_eq!(config.storage.out_of_order_window, Some(Duration::from_secs(1800)));
    assert_eq!(config.otlp.promote_resource_attributes, ["k8s.cluster.name"]);
    assert_eq!(config.notes.len(), 5, "{:?}", config.notes);
    for note in [
        "remote_read: http://remote1/read on line 127 is not asked: queries ask this store alone",
        "alerting on line 151: alerts are evaluated and shown, and not yet sent to Alertmanagers",
    ] {
        assert!(config.notes.iter().any(|found| found == note), "{:?}", config.notes);
    }
    assert!(!config.text.contains("mysecret"), "{}", config.text);
}

#[test]
fn mistakes_are_told_with_their_line_in_prometheus_words() {
    let job = |more: &str| format!("scrape_configs:\n- job_name: j\n{more}");
    let cases: Vec<(String, &str)> = vec![
        ("not-prometheus:".into(), "line 1: field not-prometheus not found in type config.plain"),
        ("global: {scrape_interval: 5}".into(), "line 1: not a valid duration string: \"5\""),
        (
            "global: {scrape_timeout: 5m}".into(),
            "line 1: global scrape timeout greater than scrape interval",
        ),
        ("global: {external_labels: {\"\": x}}".into(), "line 1: \"\" is not a valid label name"),
        ("rule_files: ['a/*/b']".into(), "line 1: invalid rule file path \"a/*/b\""),
        ("scrape_configs:\n- ".into(), "line 2: empty or null scrape config section"),
        ("scrape_configs:\n- scheme: http".into(), "line 2: job_name is empty"),
        (
            "scrape_configs:\n- job_name: a\n- job_name: a".into(),
            "line 3: found multiple scrape configs with job name \"a\"",
        ),
        (
            job("  scrape_timeout: 2m"),
            "scrape timeout greater than scrape interval for scrape config with job name \"j\"",
        ),
        (
            job("  basic_auth: {username: a}\n  bearer_token: b"),
            "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured",
        ),
        (
            job("  bearer_token: a\n  bearer_token_file: b"),
            "at most one of bearer_token & bearer_token_file must be configured",
        ),
        (
            job("  authorization: {type: Basic}"),
            "authorization type cannot be set to \"basic\", use \"basic_auth\" instead",
        ),
        (
            job("  tls_config: {cert_file: x}"),
            "exactly one of key or key_file must be configured when a client certificate is configured",
        ),
        (
            job("  static_configs: [{targets: ['http://bad']}]"),
            "\"http://bad\" is not a valid hostname",
        ),
        (job("  static_configs: [{targets: [a], x: y}]"), "field x not found in type struct"),
        (job("  sample_limit: -1"), "cannot unmarshal !!int `-1` into uint"),
        (job("  honor_labels: maybe"), "cannot unmarshal !!str `maybe` into bool"),
        (
            job("  scrape_protocols: [bla]"),
            "scrape_protocols: unknown scrape protocol bla, supported: [OpenMetricsText0.0.1 OpenMetricsText1.0.0 PrometheusProto PrometheusText0.0.4 PrometheusText1.0.0]",
        ),
        (
            job("  file_sd_configs: [{files: [a.txt]}]"),
            "path name \"a.txt\" is not valid for file discovery",
        ),
        (
            job("  dns_sd_configs: [{names: [a], type: A}]"),
            "a port is required in DNS-SD configs for all record types except SRV",
        ),
        (job("  http_sd_configs: [{url: 'ftp://x'}]"), "URL scheme must be 'http' or 'https'"),
        (
            job("  kubernetes_sd_configs: [{role: vacation}]"),
            "unknown Kubernetes SD role \"vacation\"",
        ),
        (
            job(
                "  metric_name_escaping_scheme: allow-utf-8\n  metric_name_validation_scheme: legacy",
            ),
            "utf8 metric names requested but validation scheme is not set to UTF8",
        ),
        (job("  relabel_configs:\n  - "), "empty or null target relabeling rule in scrape config"),
        ("remote_write:\n- name: a".into(), "url for remote_write is empty"),
        (
            "remote_write:\n- url: http://x\n  headers: {Host: x}".into(),
            "Host is a reserved header. It must not be changed",
        ),
        (
            "alerting: {alertmanagers: [{api_version: v1}]}".into(),
            "expected Alertmanager api version to be one of [v2] but got v1",
        ),
        ("tracing: {}".into(), "tracing endpoint must be set"),
        (
            "otlp: {promote_resource_attributes: [a, a]}".into(),
            "invalid 'promote_resource_attributes': duplicated promoted OTel resource attribute \"a\"",
        ),
    ];
    for (text, expect) in cases {
        match parse(&text) {
            Err(problem) => assert!(
                !expect.is_empty() && problem.contains(expect),
                "{text}\n{problem}\n{expect}"
            ),
            Ok(_) => assert!(expect.is_empty() || text.starts_with("tracing"), "{text} is taken"),
        }
    }
}

/// What promtool says about its own test files.
#[test]
fn promtool_verdicts() {
    let directory =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/promtool");
    if !directory.try_exists().unwrap_or(false) {
        eprintln!("left out: {} is not there", directory.display());
        return;
    }
    for (file, failure) in [
        ("prometheus-config.good.yml", None),
        ("prometheus-config.bad.yml", Some("field not-prometheus not found in type config.plain")),
        ("prometheus-config.lint.yml", None),
        ("prometheus-config.lint.too_long_scrape_interval.yml", None),
        ("prometheus-aws-sd-empty-region.good.yml", None),
        ("authorization_credentials_file.good.yml", None),
        (
            "authorization_credentials_file.bad.yml",
            Some(
                "error checking authorization credentials or bearer token file \"/random/file/which/does/not/exist.yml\"",
            ),
        ),
        ("config_with_rule_files.yml", Some("does not point to an existing file")),
        ("config_with_service_discovery_files.yml", None),
        ("config_with_tls_files.yml", Some("error checking client cert file")),
        ("url_in_scrape_targetgroup_with_relabel_config.good.yml", None),
        (
            "url_in_scrape_targetgroup_with_relabel_config.bad.yml",
            Some("instance 0 in group 0: \"http://bad\" is not a valid hostname"),
        ),
        ("url_in_alert_targetgroup_with_relabel_config.good.yml", None),
        (
            "url_in_alert_targetgroup_with_relabel_config.bad.yml",
            Some("\"http://bad\" is not a valid hostname"),
        ),
    ] {
        let verdict = check::check(&directory.join(file), &|_| None);
        match failure {
            None => assert_eq!(verdict.failures, Vec::<String>::new(), "{file}"),
            Some(text) => {
                assert!(verdict.failures.concat().contains(text), "{file}: {:?}", verdict.failures);
            }
        }
    }
    let read = |file: &str| crate::discovery::read_file(&directory.join(file));
    for file in ["good-sd-file.json", "good-sd-file.yaml", "good-sd-file.yml"] {
        assert!(read(file).is_ok_and(|groups| !groups.is_empty()), "{file}");
    }
    for file in ["bad-sd-file-format.yml", "bad-sd-file-extension.nonexistent"] {
        assert!(read(file).is_err(), "{file}");
    }
}
