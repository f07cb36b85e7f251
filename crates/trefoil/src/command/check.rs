//! `trefoil check FILE…`

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use promql::features::Features;

use crate::command::features::Enabled;
use crate::command::{print, say_error};
use crate::config;
use crate::wiring::rule_tests::MemoryStage;

/// Arguments of `trefoil check`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Configuration files of the server, `prometheus.yml` files or files of rules; which one it
    /// is is seen by the file's keys.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    features: Enabled,
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Server,
    Prometheus,
    Rules,
}

/// Says of each file whether it is good, and what is wrong where.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    let features = args.features.features()?;
    for path in &args.files {
        let good = check(path, features).unwrap_or_else(|error| {
            say_error(&error);
            false
        });
        if !good {
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

fn check(path: &Path, features: Features) -> anyhow::Result<bool> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    match kind_of(&text) {
        Kind::Server => {
            config::load_file(path)?.parse()?;
            print(&format!("{}: good\n", path.display()));
            Ok(true)
        }
        Kind::Prometheus => Ok(prometheus(path, features)),
        Kind::Rules => Ok(rules(path, features)),
    }
}

/// As `promtool check config` says it.
fn prometheus(path: &Path, features: Features) -> bool {
    #[expect(clippy::disallowed_methods, reason = "external_labels may name variables")]
    let environment = |name: &str| std::env::var(name).ok();
    let verdict = ingest::prometheus::check::check(path, &environment);
    print(&(verdict.lines.join("\n") + "\n"));
    for failure in &verdict.failures {
        say_error(&anyhow::anyhow!("{}", failure.trim_start()));
    }
    let mut good = verdict.failures.is_empty();
    for path in &verdict.rule_files {
        good &= rules(path, features);
    }
    good
}

/// As `promtool check rules` says it.
fn rules(path: &Path, features: Features) -> bool {
    let language = MemoryStage::new(features, Duration::from_mins(1));
    let strictness = alert::rule_file::Strictness::default();
    let (lines, failures) = alert::rule_file::check_file(path, &language, strictness);
    print(&(lines.join("\n") + "\n"));
    if !failures.is_empty() {
        say_error(&anyhow::anyhow!("{}", failures.join("\n")));
    }
    failures.is_empty()
}

/// By the first key that only one of them has; a file without any is the server's.
fn kind_of(text: &str) -> Kind {
    const PROMETHEUS: [&str; 9] = [
        "global",
        "scrape_configs",
        "scrape_config_files",
        "rule_files",
        "alerting",
        "remote_write",
        "remote_read",
        "otlp",
        "runtime",
    ];
    let has = |keys: &[&str]| {
        let mut found = text.lines().filter_map(|line| line.split_once(':')).map(|(key, _)| key);
        found.any(|key| keys.contains(&key))
    };
    if has(&PROMETHEUS) {
        Kind::Prometheus
    } else if has(&["groups"]) {
        Kind::Rules
    } else {
        Kind::Server
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart() {
        for (text, expect) in [
            ("listen:\n  main: 127.0.0.1:3000\n", Kind::Server),
            ("", Kind::Server),
            ("# jobs\nglobal:\n  scrape_interval: 1s\n", Kind::Prometheus),
            ("scrape_configs: []\n", Kind::Prometheus),
            ("groups:\n- name: g\n", Kind::Rules),
        ] {
            assert_eq!(kind_of(text), expect, "{text}");
        }
    }
}
