//! `global`: what jobs and rules have when they say nothing.

use std::path::PathBuf;
use std::time::Duration;

use model::metric::{Labels, LabelsBuilder};
use stdx::yaml::{Fields, Node, Problem};

use super::job::{Escaping, Protocol};
use super::{Context, Environment, duration, size};
use crate::relabel::NameScheme;

/// `global`.
#[derive(Debug, Clone, PartialEq)]
pub struct Global {
    /// How often targets are scraped.
    pub scrape_interval: Duration,
    /// How long a scrape may take.
    pub scrape_timeout: Duration,
    /// How often rules are evaluated.
    pub evaluation_interval: Duration,
    /// How far before the time of evaluation rules look.
    pub rule_query_offset: Duration,
    /// Added to what leaves this program, and known to templates.
    pub external_labels: Labels,
    /// Which names are allowed.
    pub name_scheme: NameScheme,
    /// Where queries are logged to.
    pub query_log_file: PathBuf,
    pub(super) limits: JobLimits,
    pub(super) scrape_failure_log_file: PathBuf,
    pub(super) protocols: Option<Vec<Protocol>>,
    pub(super) escaping: Option<Escaping>,
    pub(super) native_histograms: bool,
    pub(super) convert_classic_histograms: bool,
    pub(super) always_classic_histograms: bool,
    pub(super) extra_metrics: bool,
}

/// The limits of a job; 0 is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct JobLimits {
    pub(super) body_bytes: u64,
    pub(super) samples: u64,
    pub(super) targets: u64,
    pub(super) labels: u64,
    pub(super) label_name_bytes: u64,
    pub(super) label_value_bytes: u64,
    pub(super) dropped_targets: u64,
}

impl JobLimits {
    pub(super) fn read(fields: &mut Fields<'_>, or: JobLimits) -> Result<JobLimits, Problem> {
        let mut count = |key: &str, or: u64| -> Result<u64, Problem> {
            Ok(fields.count(key)?.filter(|&count| count > 0).unwrap_or(or))
        };
        let limits = JobLimits {
            samples: count("sample_limit", or.samples)?,
            targets: count("target_limit", or.targets)?,
            labels: count("label_limit", or.labels)?,
            label_name_bytes: count("label_name_length_limit", or.label_name_bytes)?,
            label_value_bytes: count("label_value_length_limit", or.label_value_bytes)?,
            dropped_targets: count("keep_dropped_targets", or.dropped_targets)?,
            body_bytes: 0,
        };
        let body = size::read(fields, "body_size_limit")?.filter(|&bytes| bytes > 0);
        Ok(JobLimits { body_bytes: body.unwrap_or(or.body_bytes), ..limits })
    }
}

impl Default for Global {
    fn default() -> Global {
        Global {
            scrape_interval: Duration::from_secs(60),
            scrape_timeout: Duration::from_secs(10),
            evaluation_interval: Duration::from_secs(60),
            rule_query_offset: Duration::ZERO,
            external_labels: Labels::empty(),
            name_scheme: NameScheme::Utf8,
            query_log_file: PathBuf::new(),
            limits: JobLimits::default(),
            scrape_failure_log_file: PathBuf::new(),
            protocols: None,
            escaping: None,
            native_histograms: false,
            convert_classic_histograms: false,
            always_classic_histograms: false,
            extra_metrics: false,
        }
    }
}

impl Global {
    pub(super) fn read(
        node: Option<&Node>,
        context: &Context,
        environment: Environment<'_>,
    ) -> Result<Global, Problem> {
        let or = Global::default();
        let Some(node) = node else { return Ok(or) };
        let mut fields = Fields::of(node, "config.plain")?;
        let name_scheme = read_scheme(&mut fields)?.unwrap_or_default();
        let set = |duration: Option<Duration>| duration.filter(|duration| !duration.is_zero());
        let scrape_interval =
            set(duration(&mut fields, "scrape_interval")?).unwrap_or(or.scrape_interval);
        let timeout = set(duration(&mut fields, "scrape_timeout")?);
        if timeout.is_some_and(|timeout| timeout > scrape_interval) {
            return Err(node.problem("global scrape timeout greater than scrape interval"));
        }
        let global = Global {
            scrape_interval,
            scrape_timeout: timeout.unwrap_or(or.scrape_timeout.min(scrape_interval)),
            evaluation_interval: set(duration(&mut fields, "evaluation_interval")?)
                .unwrap_or(or.evaluation_interval),
            rule_query_offset: duration(&mut fields, "rule_query_offset")?.unwrap_or_default(),
            external_labels: external_labels(&mut fields, name_scheme, environment)?,
            name_scheme,
            query_log_file: context.path(&fields.text("query_log_file")?.unwrap_or_default()),
            limits: JobLimits::read(&mut fields, or.limits)?,
            scrape_failure_log_file: context
                .path(&fields.text("scrape_failure_log_file")?.unwrap_or_default()),
            protocols: Protocol::read_list(&mut fields, " for global config")?,
            escaping: Escaping::read(&mut fields, "global")?,
            native_histograms: fields.flag("scrape_native_histograms")?.unwrap_or(false),
            convert_classic_histograms: fields
                .flag("convert_classic_histograms_to_nhcb")?
                .unwrap_or(false),
            always_classic_histograms: fields
                .flag("always_scrape_classic_histograms")?
                .unwrap_or(false),
            extra_metrics: fields.flag("extra_scrape_metrics")?.unwrap_or(false),
        };
        fields.finish()?;
        Ok(global)
    }
}

pub(super) fn read_scheme(fields: &mut Fields<'_>) -> Result<Option<NameScheme>, Problem> {
    let Some(node) = fields.node("metric_name_validation_scheme") else { return Ok(None) };
    match node.text()?.as_str() {
        "" => Ok(None),
        "utf8" => Ok(Some(NameScheme::Utf8)),
        "legacy" => Ok(Some(NameScheme::Legacy)),
        other => Err(node.problem(&format!("unrecognized ValidationScheme: {other:?}"))),
    }
}

fn external_labels(
    fields: &mut Fields<'_>,
    scheme: NameScheme,
    environment: Environment<'_>,
) -> Result<Labels, Problem> {
    let Some(node) = fields.node("external_labels") else { return Ok(Labels::empty()) };
    let mut labels = LabelsBuilder::default();
    for entry in node.entries("map[string]string")? {
        if !scheme.allows_label(&entry.key) {
            return Err(entry.value.problem(&format!("{:?} is not a valid label name", entry.key)));
        }
        labels.set(&entry.key, &expand(&entry.value.text()?, environment));
    }
    Ok(labels.build())
}

/// `$NAME` and `${NAME}` become what the environment says, `$$` a dollar sign.
fn expand(text: &str, environment: Environment<'_>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let (name, after) = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some(pair) => pair,
            None => {
                let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
                after.split_at(after.find(|c| !word(c)).unwrap_or(after.len()))
            }
        };
        out.push_str(&environment(name).unwrap_or_default());
        rest = after;
    }
    out.push_str(rest);
    out
}
