//! `prometheus.yml` as Prometheus 3 reads it.
//!
//! Every documented key is known; one that is not, and a value that does not fit, is an error with
//! file and line and, where it has one, Prometheus's own wording. Relative paths are taken from the
//! file's directory. What is read but not done here is in [`Config::notes`], so that it can be said.

pub mod check;
pub mod discovery;
mod global;
pub mod http;
mod job;
mod remote;
mod sections;
mod size;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use stdx::yaml::{Fields, Node, Problem};

pub use self::global::Global;
pub use self::job::{Escaping, Job, Protocol};
pub use self::remote::{MetadataSettings, QueueSettings, RemoteRead, RemoteWrite, WriteMessage};
pub use self::sections::{Alerting, AlertmanagerTargets, Otlp, Storage};
use crate::relabel::NameScheme;
pub use stdx::glob::glob;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("open {}: {error}", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// Something in it is wrong.
    #[error("parsing YAML file {}: {problem}", path.display())]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// What and where.
        problem: Problem,
    },
}

/// A whole configuration: what is said under `global` is already in the jobs.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `global`.
    pub global: Global,
    /// `rule_files`: patterns, with the directory.
    pub rule_files: Vec<PathBuf>,
    /// `scrape_config_files`: patterns, with the directory. Their jobs are in [`Config::jobs`].
    pub scrape_config_files: Vec<PathBuf>,
    /// `scrape_configs`, and those of the other files.
    pub jobs: Vec<Job>,
    /// `alerting`.
    pub alerting: Alerting,
    /// `remote_write`.
    pub remote_write: Vec<RemoteWrite>,
    /// `remote_read`.
    pub remote_read: Vec<RemoteRead>,
    /// `storage`.
    pub storage: Storage,
    /// `otlp`.
    pub otlp: Otlp,
    /// What the file asks for and this program does not do, one sentence each.
    pub notes: Vec<String>,
    /// The file's text, as `/api/v1/status/config` shows it, without secrets.
    pub text: String,
}

/// What readers of sections need to know.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    directory: PathBuf,
    scheme: NameScheme,
}

impl Context {
    pub(crate) fn new(directory: &Path, scheme: NameScheme) -> Context {
        Context { directory: directory.to_owned(), scheme }
    }

    /// A path as seen from the file; nothing stays nothing.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        if path.is_empty() { PathBuf::new() } else { self.directory.join(path) }
    }
}

/// Where values of environment variables come from, for `external_labels`.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

impl Config {
    /// Reads a file and those that it names under `scrape_config_files`.
    pub fn load(path: &Path, environment: Environment<'_>) -> Result<Config, ConfigError> {
        let text = read(path)?;
        let directory = path.parent().unwrap_or(Path::new(""));
        let mut config = Config::parse(&text, directory, environment)
            .map_err(|problem| ConfigError::Invalid { path: path.to_owned(), problem })?;
        let mut names: HashMap<String, String> = config
            .jobs
            .iter()
            .map(|job| (job.name.clone(), "main config file".to_owned()))
            .collect();
        for pattern in config.scrape_config_files.clone() {
            for path in glob(&pattern) {
                config.add_jobs(&path, &mut names)?;
            }
        }
        Ok(config)
    }

    /// Reads a text; relative paths in it are seen from `directory`.
    pub fn parse(
        text: &str,
        directory: &Path,
        environment: Environment<'_>,
    ) -> Result<Config, Problem> {
        let root = stdx::yaml::parse(text)?.unwrap_or(EMPTY);
        let mut fields = Fields::of(&root, "config.plain")?;
        let mut context = Context { directory: directory.to_owned(), scheme: NameScheme::Utf8 };
        let global = Global::read(fields.node("global"), &context, environment)?;
        context.scheme = global.name_scheme;
        let mut notes = Vec::new();
        let rule_files = patterns(&mut fields, "rule_files", "rule file", &context)?;
        let scrape_config_files =
            patterns(&mut fields, "scrape_config_files", "scrape config file", &context)?;
        let jobs = read_jobs(&mut fields, &context, &global, &mut notes)?;
        let config = Config {
            rule_files,
            scrape_config_files,
            jobs,
            alerting: Alerting::read(&mut fields, &context, &mut notes)?,
            remote_write: remote::read_writes(&mut fields, &context, &mut notes)?,
            remote_read: remote::read_reads(&mut fields, &context, &mut notes)?,
            storage: Storage::read(&mut fields)?,
            otlp: Otlp::read(&mut fields, global.name_scheme)?,
            notes: Vec::new(),
            text: stdx::yaml::print(&root, &is_secret),
            global,
        };
        sections::read_unused(&mut fields, &context, &mut notes)?;
        fields.finish()?;
        Ok(Config { notes, ..config })
    }

    fn add_jobs(
        &mut self,
        path: &Path,
        names: &mut HashMap<String, String>,
    ) -> Result<(), ConfigError> {
        let text = read(path)?;
        let context = Context {
            directory: path.parent().unwrap_or(Path::new("")).to_owned(),
            scheme: self.global.name_scheme,
        };
        let mut notes = Vec::new();
        let jobs = (|| {
            let root = stdx::yaml::parse(&text)?.unwrap_or(EMPTY);
            let mut fields = Fields::of(&root, "config.ScrapeConfigs")?;
            let jobs = read_jobs(&mut fields, &context, &self.global, &mut notes)?;
            fields.finish()?;
            for job in &jobs {
                if let Some(first) = names.get(&job.name) {
                    return Err(root.problem(&format!(
                        "found multiple scrape configs with job name {:?}, first found in {first}",
                        job.name
                    )));
                }
            }
            Ok(jobs)
        })()
        .map_err(|problem| ConfigError::Invalid { path: path.to_owned(), problem })?;
        names.extend(jobs.iter().map(|job| (job.name.clone(), format!("{:?}", path.display()))));
        self.jobs.extend(jobs);
        self.notes.extend(notes);
        Ok(())
    }
}

/// What stands for a file with nothing in it.
const EMPTY: Node = Node { line: 1, column: 1, value: stdx::yaml::Value::Null };

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path)
        .map_err(|error| ConfigError::Open { path: path.to_owned(), error })
}

fn read_jobs(
    fields: &mut Fields<'_>,
    context: &Context,
    global: &Global,
    notes: &mut Vec<String>,
) -> Result<Vec<Job>, Problem> {
    let mut jobs: Vec<Job> = Vec::new();
    for node in fields.list("scrape_configs", "[]*config.ScrapeConfig")? {
        if node.is_null() {
            return Err(node.problem("empty or null scrape config section"));
        }
        let job = Job::read(node, context, global, notes)?;
        if jobs.iter().any(|other| other.name == job.name) {
            return Err(node
                .problem(&format!("found multiple scrape configs with job name {:?}", job.name)));
        }
        jobs.push(job);
    }
    Ok(jobs)
}

/// Paths whose last part may have wildcards.
fn patterns(
    fields: &mut Fields<'_>,
    key: &str,
    what: &str,
    context: &Context,
) -> Result<Vec<PathBuf>, Problem> {
    let Some(node) = fields.node(key) else { return Ok(Vec::new()) };
    let mut paths = Vec::new();
    for item in node.list("[]string")? {
        let text = item.text()?;
        let after_star = text.split_once('*').map_or("", |(_, after)| after);
        if after_star.contains('/') {
            return Err(item.problem(&format!("invalid {what} path {text:?}")));
        }
        paths.push(context.path(&text));
    }
    Ok(paths)
}

/// A duration, in Prometheus's way of writing.
pub(crate) fn duration(
    fields: &mut Fields<'_>,
    key: &str,
) -> Result<Option<std::time::Duration>, Problem> {
    let Some(node) = fields.node(key) else { return Ok(None) };
    let text = node.text()?;
    model::duration::parse(&text).map(Some).map_err(|error| node.problem(&error.to_string()))
}

/// Whether what stands under a key is secret.
fn is_secret(key: &str) -> bool {
    const SECRETS: [&str; 12] = [
        "password",
        "bearer_token",
        "credentials",
        "client_secret",
        "client_certificate_key",
        "secret_key",
        "application_secret",
        "consumer_key",
        "token",
        "key",
        "secrets",
        "proxy_connect_header",
    ];
    SECRETS.contains(&key)
}

#[cfg(test)]
mod tests;
