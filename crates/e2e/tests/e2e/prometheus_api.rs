//! What Prometheus's API says of the server itself, and how clients direct it.

use e2e::program::run_trefoil;
use e2e::prometheus::{data, get};
use e2e::server::{Server, Setup};
use e2e::until;
use serde_json::{Value, json};

const RULES: &str = "groups:\n- name: g\n  rules:\n  - record: r\n    expr: sort_by_label(up, \"job\")\n  \
                     - alert: A\n    expr: vector(1)\n    annotations: {link: '{{ $externalURL }}/graph'}\n";

const JOB: &str = "rule_files: [rules.yml]\nscrape_configs:\n- job_name: one\n  basic_auth: {username: u, \
                   password: hidden}\n  static_configs:\n  - targets: ['127.0.0.1:1']\n  relabel_configs:\n  \
                   - {source_labels: [a], regex: '(x{)', target_label: b}\n  - {action: drop, source_labels: [b], regex: gone}\n";

async fn server() -> (tempfile::TempDir, Server) {
    let home = tempfile::tempdir().expect("a directory");
    std::fs::write(home.path().join("rules.yml"), RULES).expect("a file");
    let config = home.path().join("prometheus.yml");
    std::fs::write(&config, JOB).expect("a file");
    let server = Setup::new()
        .set("prometheus.config", config.display())
        .set("prometheus.features", "promql-experimental-functions")
        .set("prometheus.external_url", "https://prometheus.test")
        .set("prometheus.lifecycle", "on");
    let server = server.start().await;
    (home, server)
}

async fn ask(server: &Server, path: &str, parameters: &[(&str, &str)]) -> Value {
    data(server.http(), &server.prometheus(), path, parameters).await.expect(path)
}

#[tokio::test]
async fn jobs_flags_and_blocks_are_told() {
    let (_home, server) = server().await;
    assert_eq!(ask(&server, "scrape_pools", &[]).await, json!({"scrapePools": ["one"]}));
    let yaml = ask(&server, "scrape_pools/config", &[("scrapePool", "one")]).await;
    let yaml = yaml["yaml"].as_str().expect("a text");
    assert!(yaml.contains("job_name: one") && !yaml.contains("hidden"), "{yaml}");
    let labels = [("scrapePool", "one"), ("labels", r#"{"a":"x{"}"#)];
    let steps = ask(&server, "targets/relabel_steps", &labels).await;
    assert_eq!(steps["steps"][1]["output"], json!({"a": "x{", "b": "x{"}), "{steps}");
    assert_eq!(steps["steps"][0]["rule"]["targetLabel"], "b", "{steps}");
    let flags = ask(&server, "status/flags", &[]).await;
    assert_eq!(flags["enable-feature"], "promql-experimental-functions", "{flags}");
    assert_eq!(flags["web.enable-lifecycle"], "true", "{flags}");
    assert_eq!(ask(&server, "status/tsdb/blocks", &[]).await, json!({"blocks": []}));
    let replay = ask(&server, "status/walreplay", &[]).await;
    assert_eq!(replay["max"], replay["current"], "{replay}");
    let features = ask(&server, "features", &[]).await;
    assert_eq!(features["promql_functions"]["sort_by_label"], true, "{features}");
    assert_eq!(features["promql"]["fill"], false, "{features}");
    until("the alert has its link", || async {
        let alerts = ask(&server, "alerts", &[]).await;
        let link = &alerts["alerts"][0]["annotations"]["link"];
        if link == "https://prometheus.test/graph" { Ok(()) } else { Err(alerts.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn experimental_rules_pass_where_they_are_switched_on() {
    let home = tempfile::tempdir().expect("a directory");
    let rules = home.path().join("rules.yml");
    std::fs::write(&rules, RULES).expect("a file");
    let rules = rules.display().to_string();
    let refused = run_trefoil(&["check", &rules]).await;
    assert!(refused.code != Some(0), "{}", refused.said());
    let feature = "--enable-feature=promql-experimental-functions";
    let checked = run_trefoil(&["check", feature, &rules]).await.success();
    assert!(checked.contains("2 rules found"), "{checked}");
    let test = home.path().join("test.yml");
    let text = "rule_files: [rules.yml]\ntests:\n- input_series:\n  - {series: 'up{job=\"a\"}', values: 1x5}\n  \
                promql_expr_test:\n  - {expr: r, eval_time: 1m, exp_samples: [{labels: 'r{job=\"a\"}', value: 1}]}\n";
    std::fs::write(&test, text).expect("a file");
    let test = test.display().to_string();
    let tested = run_trefoil(&["test", "rules", feature, &test]).await.success();
    assert!(tested.contains("SUCCESS"), "{tested}");
}

#[tokio::test]
async fn a_reload_that_cannot_be_done_changes_nothing_and_is_told() {
    let (home, server) = server().await;
    let config = home.path().join("prometheus.yml");
    let reload = async || {
        let url = format!("{}/-/reload", server.prometheus());
        server.http().post(url).send().await.expect("an answer").status().as_u16()
    };
    let other = JOB.replace("job_name: one", "job_name: other");
    let remote =
        "remote_write:\n- url: http://127.0.0.1:1/write\n  tls_config: {ca_file: nowhere.pem}\n";
    std::fs::write(&config, format!("{other}{remote}")).expect("a file");
    assert_eq!(reload().await, 500);
    assert_eq!(ask(&server, "scrape_pools", &[]).await, json!({"scrapePools": ["one"]}));
    let told = ask(&server, "notifications", &[]).await;
    assert_eq!(told[0]["text"], "Configuration reload has failed.", "{told}");
    let info = ask(&server, "status/runtimeinfo", &[]).await;
    assert_eq!(info["reloadConfigSuccess"], false, "{info}");
    std::fs::write(&config, other).expect("a file");
    assert_eq!(reload().await, 200);
    assert_eq!(ask(&server, "scrape_pools", &[]).await, json!({"scrapePools": ["other"]}));
    assert_eq!(ask(&server, "notifications", &[]).await, json!([]));
}

#[tokio::test]
async fn a_client_may_end_the_server_where_that_is_allowed() {
    let (_home, server) = server().await;
    let url = format!("{}/-/quit", server.prometheus());
    let answer = server.http().post(url).send().await.expect("an answer");
    assert_eq!(answer.text().await.expect("a text"), "Requesting termination... Goodbye!");
    until("the server has ended", || async {
        match get(server.http(), &server.prometheus(), "status/buildinfo", &[]).await {
            Ok(_) => Err("it answers".to_owned()),
            Err(_) => Ok(()),
        }
    })
    .await;
}
