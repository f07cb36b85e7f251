//! `scrape_configs`: one job each.

use std::path::PathBuf;
use std::time::Duration;

use stdx::yaml::{Fields, Node, Problem};

use super::discovery::Discovery;
use super::global::{Global, JobLimits, read_scheme};
use super::http::HttpClient;
use super::{Context, duration};
use crate::relabel::{NameScheme, Rule, read_rules};

/// How targets may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Delimited protobuf messages.
    PrometheusProto,
    /// The text format.
    PrometheusText0_0_4,
    /// The text format with quoted names.
    PrometheusText1_0_0,
    /// `OpenMetrics`, early.
    OpenMetricsText0_0_1,
    /// `OpenMetrics`.
    OpenMetricsText1_0_0,
}

impl Protocol {
    /// Names, and media types as they stand in `Accept`.
    pub(crate) const ALL: [(&'static str, Protocol, &'static str); 5] = [
        (
            "OpenMetricsText0.0.1",
            Protocol::OpenMetricsText0_0_1,
            "application/openmetrics-text;version=0.0.1",
        ),
        (
            "OpenMetricsText1.0.0",
            Protocol::OpenMetricsText1_0_0,
            "application/openmetrics-text;version=1.0.0",
        ),
        (
            "PrometheusProto",
            Protocol::PrometheusProto,
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
        ),
        ("PrometheusText0.0.4", Protocol::PrometheusText0_0_4, "text/plain;version=0.0.4"),
        ("PrometheusText1.0.0", Protocol::PrometheusText1_0_0, "text/plain;version=1.0.0"),
    ];

    const DEFAULT: [Protocol; 4] = [
        Protocol::OpenMetricsText1_0_0,
        Protocol::OpenMetricsText0_0_1,
        Protocol::PrometheusText1_0_0,
        Protocol::PrometheusText0_0_4,
    ];

    fn read(node: &Node, before: &str) -> Result<Protocol, Problem> {
        let text = node.text()?;
        let known = Protocol::ALL.iter().find(|(name, ..)| *name == text);
        known.map(|(_, protocol, _)| *protocol).ok_or_else(|| {
            let names: Vec<&str> = Protocol::ALL.iter().map(|(name, ..)| *name).collect();
            node.problem(&format!(
                "{before}unknown scrape protocol {text}, supported: [{}]",
                names.join(" ")
            ))
        })
    }

    pub(super) fn read_list(
        fields: &mut Fields<'_>,
        owner: &str,
    ) -> Result<Option<Vec<Protocol>>, Problem> {
        let Some(node) = fields.node("scrape_protocols") else { return Ok(None) };
        let mut protocols = Vec::new();
        for item in node.list("[]config.ScrapeProtocol")? {
            let protocol = Protocol::read(item, "scrape_protocols: ")?;
            if protocols.contains(&protocol) {
                let all = node.texts()?.join(" ");
                return Err(item.problem(&format!(
                    "duplicated protocol in scrape_protocols, got [{all}]{owner}"
                )));
            }
            protocols.push(protocol);
        }
        if protocols.is_empty() {
            return Err(node.problem(&format!("scrape_protocols cannot be empty{owner}")));
        }
        Ok(Some(protocols))
    }
}

/// How targets are asked to write names that old clients cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escaping {
    /// As they are.
    AllowUtf8,
    /// Other characters become underscores.
    Underscores,
    /// Dots become `_dot_`.
    Dots,
    /// Everything can be told again.
    Values,
}

impl Escaping {
    /// As it stands in `Accept`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Escaping::AllowUtf8 => "allow-utf-8",
            Escaping::Underscores => "underscores",
            Escaping::Dots => "dots",
            Escaping::Values => "values",
        }
    }

    pub(super) fn read(fields: &mut Fields<'_>, owner: &str) -> Result<Option<Escaping>, Problem> {
        let Some(node) = fields.node("metric_name_escaping_scheme") else { return Ok(None) };
        let text = node.text()?;
        let all = [Escaping::AllowUtf8, Escaping::Underscores, Escaping::Dots, Escaping::Values];
        match all.into_iter().find(|escaping| escaping.as_str() == text) {
            Some(escaping) => Ok(Some(escaping)),
            None if text.is_empty() => Ok(None),
            None => Err(node.problem(&format!(
                "unknown {owner} name escaping method specified, must be one of 'allow-utf-8', \
                 'underscores', 'dots', or 'values', got {text:?}"
            ))),
        }
    }
}

/// A job: how its targets are found and scraped.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// `job_name`.
    pub name: String,
    /// Labels of the page win over the target's.
    pub honor_labels: bool,
    /// Timestamps of the page count.
    pub honor_timestamps: bool,
    /// Series with timestamps of their own end as others do.
    pub track_timestamps_staleness: bool,
    /// Parameters of the URL.
    pub params: Vec<(String, Vec<String>)>,
    /// How often.
    pub scrape_interval: Duration,
    /// How long at most.
    pub scrape_timeout: Duration,
    /// What is accepted, the best first.
    pub protocols: Vec<Protocol>,
    /// What an answer is when it does not say.
    pub fallback_protocol: Option<Protocol>,
    /// Native histograms are taken.
    pub native_histograms: bool,
    /// Classic buckets are taken beside native ones.
    pub always_classic_histograms: bool,
    /// Classic histograms become native ones with custom buckets.
    pub convert_classic_histograms: bool,
    /// Where failures are logged to.
    pub scrape_failure_log_file: PathBuf,
    /// The path of the page.
    pub metrics_path: String,
    /// `http` or `https`.
    pub scheme: String,
    /// Compressed pages are asked for.
    pub enable_compression: bool,
    /// Bytes of an uncompressed page; 0 is no limit.
    pub body_bytes_limit: u64,
    /// Samples of a page, after relabelling; 0 is no limit.
    pub sample_limit: u64,
    /// Targets; 0 is no limit.
    pub target_limit: u64,
    /// Labels of a sample; 0 is no limit.
    pub label_limit: u64,
    /// Bytes of a label's name; 0 is no limit.
    pub label_name_length_limit: u64,
    /// Bytes of a label's value; 0 is no limit.
    pub label_value_length_limit: u64,
    /// Buckets of a native histogram; 0 is no limit.
    pub native_histogram_bucket_limit: u64,
    /// The least growth from bucket to bucket; 0 is any.
    pub native_histogram_min_bucket_factor: f64,
    /// How many dropped targets are remembered; 0 is all.
    pub keep_dropped_targets: u64,
    /// Which names are allowed.
    pub name_scheme: NameScheme,
    /// How other names are asked for.
    pub escaping: Escaping,
    /// `scrape_timeout_seconds` and others are written.
    pub extra_metrics: bool,
    /// How requests are made.
    pub http: HttpClient,
    /// Where targets come from.
    pub discovery: Vec<Discovery>,
    /// Rules for targets.
    pub relabel: Vec<Rule>,
    /// Rules for samples.
    pub metric_relabel: Vec<Rule>,
    /// As it stands in the file, without secrets.
    pub text: String,
}

impl Job {
    pub(super) fn read(
        node: &Node,
        context: &Context,
        global: &Global,
        notes: &mut Vec<String>,
    ) -> Result<Job, Problem> {
        let mut fields = Fields::of(node, "config.ScrapeConfig")?;
        let name = fields.text("job_name")?.unwrap_or_default();
        if name.is_empty() {
            return Err(node.problem("job_name is empty"));
        }
        let own_scheme = read_scheme(&mut fields)?;
        let name_scheme = own_scheme.unwrap_or(global.name_scheme);
        let context = &Context { scheme: name_scheme, ..context.clone() };
        let (scrape_interval, scrape_timeout) = times(&mut fields, &name, global)?;
        let native_histograms =
            fields.flag("scrape_native_histograms")?.unwrap_or(global.native_histograms);
        let owner = format!(" for scrape config with job name {name:?}");
        let protocols = Protocol::read_list(&mut fields, &owner)?
            .or_else(|| global.protocols.clone())
            .unwrap_or_else(|| default_protocols(native_histograms));
        let limits = JobLimits::read(&mut fields, global.limits)?;
        let relabel = read_rules(
            &mut fields,
            "relabel_configs",
            name_scheme,
            "empty or null target relabeling rule in scrape config",
        )?;
        let discovery = Discovery::read_all(
            &mut fields,
            context,
            relabel.is_empty(),
            &format!("job {name:?}"),
            notes,
        )?;
        let job = Job {
            honor_labels: fields.flag("honor_labels")?.unwrap_or(false),
            honor_timestamps: fields.flag("honor_timestamps")?.unwrap_or(true),
            track_timestamps_staleness: fields.flag("track_timestamps_staleness")?.unwrap_or(false),
            params: params(&mut fields)?,
            scrape_interval,
            scrape_timeout,
            protocols,
            fallback_protocol: fallback(&mut fields, &name)?,
            native_histograms,
            always_classic_histograms: fields
                .flag("always_scrape_classic_histograms")?
                .unwrap_or(global.always_classic_histograms),
            convert_classic_histograms: fields
                .flag("convert_classic_histograms_to_nhcb")?
                .unwrap_or(global.convert_classic_histograms),
            scrape_failure_log_file: match fields.text("scrape_failure_log_file")? {
                Some(path) => context.path(&path),
                None => global.scrape_failure_log_file.clone(),
            },
            metrics_path: fields.text("metrics_path")?.unwrap_or_else(|| "/metrics".to_owned()),
            scheme: fields.text("scheme")?.unwrap_or_else(|| "http".to_owned()),
            enable_compression: fields.flag("enable_compression")?.unwrap_or(true),
            body_bytes_limit: limits.body_bytes,
            sample_limit: limits.samples,
            target_limit: limits.targets,
            label_limit: limits.labels,
            label_name_length_limit: limits.label_name_bytes,
            label_value_length_limit: limits.label_value_bytes,
            keep_dropped_targets: limits.dropped_targets,
            native_histogram_bucket_limit: fields
                .count("native_histogram_bucket_limit")?
                .unwrap_or(0),
            native_histogram_min_bucket_factor: fields
                .number("native_histogram_min_bucket_factor")?
                .unwrap_or(0.0),
            name_scheme,
            escaping: escaping(&mut fields, own_scheme, global)?,
            extra_metrics: fields.flag("extra_scrape_metrics")?.unwrap_or(global.extra_metrics),
            metric_relabel: read_rules(
                &mut fields,
                "metric_relabel_configs",
                name_scheme,
                "empty or null metric relabeling rule in scrape config",
            )?,
            http: HttpClient::read_inline(&mut fields, context, true)?,
            discovery,
            relabel,
            name,
            text: stdx::yaml::print(node, &super::is_secret),
        };
        fields.finish()?;
        Ok(job)
    }
}

fn default_protocols(native_histograms: bool) -> Vec<Protocol> {
    let mut protocols = Protocol::DEFAULT.to_vec();
    if native_histograms {
        protocols.insert(0, Protocol::PrometheusProto);
    }
    protocols
}

fn times(
    fields: &mut Fields<'_>,
    name: &str,
    global: &Global,
) -> Result<(Duration, Duration), Problem> {
    let set = |duration: Option<Duration>| duration.filter(|duration| !duration.is_zero());
    let interval = set(duration(fields, "scrape_interval")?).unwrap_or(global.scrape_interval);
    let timeout = set(duration(fields, "scrape_timeout")?);
    if timeout.is_some_and(|timeout| timeout > interval) {
        return Err(fields.node.problem(&format!(
            "scrape timeout greater than scrape interval for scrape config with job name {name:?}"
        )));
    }
    Ok((interval, timeout.unwrap_or(global.scrape_timeout.min(interval))))
}

fn fallback(fields: &mut Fields<'_>, name: &str) -> Result<Option<Protocol>, Problem> {
    let before =
        format!("invalid fallback_scrape_protocol for scrape config with job name {name:?}: ");
    let node = fields.node("fallback_scrape_protocol");
    node.map(|node| Protocol::read(node, &before)).transpose()
}

fn escaping(
    fields: &mut Fields<'_>,
    own_scheme: Option<NameScheme>,
    global: &Global,
) -> Result<Escaping, Problem> {
    let of_scheme = |scheme| match scheme {
        NameScheme::Legacy => Escaping::Underscores,
        NameScheme::Utf8 => Escaping::AllowUtf8,
    };
    let inherited = match own_scheme {
        Some(scheme) => of_scheme(scheme),
        None => global.escaping.unwrap_or(of_scheme(global.name_scheme)),
    };
    let escaping = Escaping::read(fields, "scrape config")?.unwrap_or(inherited);
    let scheme = own_scheme.unwrap_or(global.name_scheme);
    if escaping == Escaping::AllowUtf8 && scheme != NameScheme::Utf8 {
        return Err(fields
            .node
            .problem("utf8 metric names requested but validation scheme is not set to UTF8"));
    }
    Ok(escaping)
}

fn params(fields: &mut Fields<'_>) -> Result<Vec<(String, Vec<String>)>, Problem> {
    let Some(node) = fields.node("params") else { return Ok(Vec::new()) };
    node.entries("map[string][]string")?
        .iter()
        .map(|entry| {
            // Go's library takes a single value for a list of one.
            let values = match entry.value.text() {
                Ok(text) => vec![text],
                Err(_) => entry.value.texts()?,
            };
            Ok((entry.key.clone(), values))
        })
        .collect()
}
