//! `promtool check config`: the same verdicts in the same words.

use std::path::{Path, PathBuf};

use super::discovery::{Discovery, Group};
use super::http::HttpClient;
use super::{Config, Environment, Job, glob};
use crate::discovery::read_file;
use crate::scrape::of_group;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// For standard output.
    pub lines: Vec<String>,
    /// For standard error; not empty when the file is not good.
    pub failures: Vec<String>,
    /// The rule files that have to be checked too.
    pub rule_files: Vec<PathBuf>,
}

/// Checks a configuration and the files that it names, but for rule files.
#[must_use]
pub fn check(path: &Path, environment: Environment<'_>) -> Verdict {
    let name = path.display();
    let mut verdict = Verdict { lines: vec![format!("Checking {name}")], ..Verdict::default() };
    match check_all(path, environment, &mut verdict.lines) {
        Err(error) => verdict.failures.push(format!("  FAILED: {error}")),
        Ok(rule_files) => {
            if !rule_files.is_empty() {
                let count = rule_files.len();
                verdict.lines.push(format!("  SUCCESS: {count} rule files found"));
            }
            let success = format!(" SUCCESS: {name} is valid prometheus config file syntax");
            verdict.lines.push(success);
            verdict.rule_files = rule_files;
        }
    }
    verdict
}

fn check_all(
    path: &Path,
    environment: Environment<'_>,
    lines: &mut Vec<String>,
) -> Result<Vec<PathBuf>, String> {
    let config = Config::load(path, environment).map_err(|error| error.to_string())?;
    for note in &config.notes {
        lines.push(format!("  NOTE: {note}"));
    }
    let mut rule_files = Vec::new();
    for pattern in &config.rule_files {
        let found = glob(pattern);
        let text = pattern.display().to_string();
        if found.is_empty() && !text.contains('*') {
            return Err(format!("{text:?} does not point to an existing file"));
        }
        rule_files.extend(found);
    }
    for job in &config.jobs {
        check_files(&job.http)?;
        let place = format!("scrape job {:?}", job.name);
        for way in &job.discovery {
            check_discovery(way, &place, lines, &|groups| check_targets(job, groups))?;
        }
    }
    for targets in &config.alerting.alertmanagers {
        check_files(&targets.client)?;
        let as_job = alertmanager_job(targets);
        for way in &targets.discovery {
            check_discovery(way, "alertmanager config", lines, &|groups| {
                as_job.as_ref().map_or(Ok(()), |job| check_targets(job, groups))
            })?;
        }
    }
    Ok(rule_files)
}

/// Alertmanagers are found and relabelled as the targets of a job are.
fn alertmanager_job(targets: &super::AlertmanagerTargets) -> Option<Job> {
    let text = "scrape_configs: [{job_name: alertmanagers}]";
    let mut job = Config::parse(text, Path::new(""), &|_| None).ok()?.jobs.pop()?;
    job.relabel.clone_from(&targets.relabel);
    job.scheme.clone_from(&targets.scheme);
    Some(job)
}

fn check_files(client: &HttpClient) -> Result<(), String> {
    for (what, path) in client.files() {
        if let Err(error) = std::fs::metadata(path) {
            return Err(format!(
                "error checking {what} {:?}: stat {}: {error}",
                path.display().to_string(),
                path.display()
            ));
        }
    }
    Ok(())
}

fn check_discovery(
    way: &Discovery,
    place: &str,
    lines: &mut Vec<String>,
    check_targets: &dyn Fn(&[Group]) -> Result<(), String>,
) -> Result<(), String> {
    match way {
        Discovery::Static(groups) => check_targets(groups),
        Discovery::Kubernetes(kubernetes) => check_files(&kubernetes.client),
        Discovery::Http { client, .. } => check_files(client),
        Discovery::Dns { .. } => Ok(()),
        Discovery::File { files, .. } => {
            for pattern in files {
                let found = glob(pattern);
                if found.is_empty() {
                    lines.push(format!(
                        "  WARNING: file {:?} for file_sd in {place} does not exist",
                        pattern.display().to_string()
                    ));
                }
                for path in found {
                    let groups = read_file(&path).map_err(|error| {
                        format!("checking SD file {:?}: {error}", path.display().to_string())
                    })?;
                    check_targets(&groups)?;
                }
            }
            Ok(())
        }
    }
}

fn check_targets(job: &Job, groups: &[Group]) -> Result<(), String> {
    for group in groups {
        let (_, errors) = of_group(job, group);
        if let Some(error) = errors.into_iter().next() {
            return Err(error);
        }
    }
    Ok(())
}
