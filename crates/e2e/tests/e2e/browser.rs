//! The pages in a real browser: `web/e2e` drives them, with living data and with none.

use std::time::Duration;

use e2e::Server;
use e2e::program::{command, root, run};
use e2e::random::show;
use e2e::sql::ask;
use e2e::until;

use crate::demo::Demo;

#[tokio::test]
async fn the_pages_work_in_a_browser() {
    let web = root().join("web");
    let script = web.join("e2e/run.mjs");
    assert!(script.try_exists().unwrap_or(false), "{} is not there", script.display());
    let demo = Demo::start().await;
    let empty = Server::start().await;
    let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
    until("traces of all services", || async {
        let asked = ask(&http, &demo.main, "SELECT DISTINCT service FROM spans").await;
        match asked.map_err(|error| format!("{error:#}"))?.rows.len() {
            5.. => Ok(()),
            services => Err(format!("{services} services")),
        }
    })
    .await;
    let mut browser = command("node");
    browser
        .arg(script)
        .current_dir(&web)
        .env("BASE_URL", &demo.main)
        .env("BASE_URL_EMPTY", empty.main());
    let output = run(&mut browser, Duration::from_secs(270)).await;
    show(&output.said());
    assert_eq!(output.code, Some(0), "the browser's tests failed; see above");
}
