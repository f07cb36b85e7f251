//! Starting, stopping, refusing to start, and the command line.

use std::net::TcpListener;
use std::time::Duration;

use e2e::otlp::{log, logs_request, post_logs};
use e2e::program::{Output, run, run_trefoil};
use e2e::random::show;
use e2e::server::{Server, Setup, variable_of};
use serde_json::{Value, json};
use stdx::clock::Stopwatch;
use tempfile::TempDir;

#[tokio::test]
async fn on_an_empty_directory_it_is_ready_soon() {
    let start = Stopwatch::start();
    let server = Server::start().await;
    show(&format!("ready after {:?}; the aim is a second on an idle machine", start.elapsed()));
    for path in ["/-/healthy", "/-/ready"] {
        let answer = server.http().get(server.main() + path).send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{path}");
    }
    let metrics = server.http().get(server.main() + "/metrics").send().await.expect("an answer");
    let metrics = metrics.text().await.expect("a body");
    assert!(metrics.contains("# TYPE trefoil_"), "{metrics}");
    let status = server.get("/api/v1/status").await;
    assert_eq!(status["auth_required"], json!(false));
    assert_eq!(status["tenant"], json!("default"));
}

#[tokio::test]
async fn asked_to_stop_it_flushes_and_ends_well() {
    let mut server = Server::start().await;
    let request = logs_request("stop", vec![log("before the end", vec![])]);
    let reply = post_logs(server.http(), &server.main(), &request).await.expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text());
    let status = server.stop().await;
    assert_eq!(status.code(), Some(0), "{}", server.log());
    let tables = server.data_dir().join("tables/logs/_delta_log");
    let commits = std::fs::read_dir(&tables).expect("a table of logs").count();
    assert!(commits > 0, "nothing was committed to {}", tables.display());
    server.start_again().await;
    assert_eq!(*server.sql("SELECT body FROM logs").await.value(), "before the end");
}

#[tokio::test]
async fn a_second_process_on_the_same_data_is_refused() {
    let server = Server::start().await;
    let said = refused(Setup::new().command(server.data_dir())).await;
    assert!(said.contains(&server.data_dir().display().to_string()), "{said}");
    assert!(said.contains("lock") || said.contains("in use"), "{said}");
    assert_eq!(server.sql("SELECT 1").await.number(), 1);
}

#[tokio::test]
async fn a_taken_port_is_named_with_its_setting() {
    for listener in e2e::server::LISTENERS {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = taken.local_addr().expect("its address").to_string();
        let home = TempDir::new().expect("a temporary directory");
        let mut command = Setup::new().command(home.path());
        let said = refused({
            command.env(variable_of(listener), &address);
            command
        })
        .await;
        assert!(said.contains(&address) && said.contains(listener), "{said}");
    }
}

#[tokio::test]
async fn beyond_loopback_it_wants_keys() {
    let home = TempDir::new().expect("a temporary directory");
    let mut command = Setup::new().command(home.path());
    command.env(variable_of("listen.main"), "0.0.0.0:0");
    let said = refused(command).await;
    assert!(said.contains("listen.main") && said.contains("insecure"), "{said}");
}

/// What a start that must fail says.
async fn refused(mut command: tokio::process::Command) -> String {
    let output = run(&mut command, e2e::wait::PATIENCE).await;
    assert_eq!(output.code, Some(1), "{}", output.said());
    output.said()
}

/// Runs `trefoil check` on a configuration.
async fn check(configuration: &str) -> Output {
    let home = TempDir::new().expect("a temporary directory");
    let path = home.path().join("trefoil.yml");
    std::fs::write(&path, configuration).expect("a file");
    run_trefoil(&["check", &path.display().to_string()]).await
}

#[tokio::test]
async fn an_unknown_key_is_named_with_its_line_and_the_nearest() {
    let output = check("# a comment\nlisten:\n  mian: 127.0.0.1:3000\n").await;
    assert_eq!(output.code, Some(1), "{}", output.said());
    for word in ["trefoil.yml", "3", "mian", "main"] {
        assert!(output.said().contains(word), "no {word} in: {}", output.said());
    }
}

#[tokio::test]
async fn a_good_configuration_passes_the_check() {
    let output = check("listen:\n  main: 127.0.0.1:3000\n").await;
    assert_eq!(output.code, Some(0), "{}", output.said());
}

#[tokio::test]
async fn wrong_use_is_told_from_failure() {
    assert_eq!(run_trefoil(&["serve", "--no-such-flag"]).await.code, Some(2));
    assert_eq!(run_trefoil(&["no-such-command"]).await.code, Some(2));
    assert_eq!(run_trefoil(&["check", "/no/such/file.yml"]).await.code, Some(1));
    let help = run_trefoil(&["--help"]).await.success();
    for command in ["serve", "demo", "query", "check", "load"] {
        assert!(help.contains(command), "no {command} in: {help}");
    }
    assert!(run_trefoil(&["--version"]).await.success().contains(env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn the_query_command_prints_in_three_formats() {
    let server = Server::start().await;
    let request = logs_request("cli", vec![log("a \"quoted\", line", vec![])]);
    let reply = post_logs(server.http(), &server.main(), &request).await.expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text());
    let url = server.main();
    let ask = async |format: &str, sql: &str| {
        run_trefoil(&["query", "sql", sql, "--format", format, "--url", &url]).await
    };
    let sql = "SELECT service, body FROM logs";
    let table = ask("table", sql).await.success();
    assert!(table.contains("service") && table.contains("a \"quoted\", line"), "{table}");
    let csv = ask("csv", sql).await.success();
    assert_eq!(csv.trim_end(), "service,body\ncli,\"a \"\"quoted\"\", line\"");
    let json = ask("json", sql).await.success();
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert!(json.to_string().contains("a \\\"quoted\\\", line"), "{json}");
    let wrong = ask("table", "SELECT nothing FROM nowhere").await;
    assert_eq!(wrong.code, Some(1), "{}", wrong.said());
    assert!(wrong.stderr.contains("nowhere"), "{}", wrong.said());
}

#[tokio::test]
async fn its_own_log_is_text_or_json() {
    let text = Setup::new().set("log.format", "text").start().await;
    assert!(text.log().contains("INFO"), "{}", text.log());
    let json = Setup::new().set("log.format", "json").start().await;
    let log = json.log();
    let parsed = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let lines: Vec<Value> = parsed.collect();
    assert!(lines.iter().any(|line| line["level"] == "INFO"), "{log}");
}

#[tokio::test]
async fn an_idle_stop_is_quick() {
    let mut server = Server::start().await;
    let start = Stopwatch::start();
    assert!(server.stop().await.success());
    // No tight bound: a machine may be busy. It must not be a drain's whole time limit.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[tokio::test]
async fn the_configuration_page_is_what_the_binary_says() {
    let page = e2e::program::root().join("docs/configuration.md");
    let page = std::fs::read_to_string(&page).expect("docs/configuration.md");
    let said = run_trefoil(&["docs"]).await.success();
    assert_eq!(page, said, "`trefoil docs > docs/configuration.md` makes it new");
}
