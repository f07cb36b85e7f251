//! The smaller sections: `alerting`, `storage`, `otlp`, and those that have no use here.

use std::time::Duration;

use stdx::yaml::{Fields, Node, Problem};

use super::discovery::Discovery;
use super::http::{HttpClient, Tls};
use super::{Context, duration, size};
use crate::otlp::metrics::Strategy;
use crate::relabel::{NameScheme, Rule, read_rules};

/// `alerting`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Alerting {
    /// Rules for the labels of alerts.
    pub relabel: Vec<Rule>,
    /// Where alerts go.
    pub alertmanagers: Vec<AlertmanagerTargets>,
}

/// One entry of `alertmanagers`.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertmanagerTargets {
    /// `http` or `https`.
    pub scheme: String,
    /// Before `/api/v2/alerts`.
    pub path_prefix: String,
    /// How long a request may take.
    pub timeout: Duration,
    /// How.
    pub client: HttpClient,
    /// Where they are.
    pub discovery: Vec<Discovery>,
    /// Rules for their labels.
    pub relabel: Vec<Rule>,
    /// Rules for alerts that go there.
    pub alert_relabel: Vec<Rule>,
}

impl Alerting {
    pub(super) fn read(
        fields: &mut Fields<'_>,
        context: &Context,
        notes: &mut Vec<String>,
    ) -> Result<Alerting, Problem> {
        let Some(node) = fields.node("alerting") else { return Ok(Alerting::default()) };
        let mut inner = Fields::of(node, "config.plain")?;
        let relabel = read_rules(
            &mut inner,
            "alert_relabel_configs",
            context.scheme,
            "empty or null alert relabeling rule",
        )?;
        let mut alertmanagers = Vec::new();
        for node in inner.list("alertmanagers", "config.AlertmanagerConfigs")? {
            alertmanagers.push(alertmanager(node, context, notes)?);
        }
        inner.finish()?;
        if !alertmanagers.is_empty() {
            let line = node.line;
            notes.push(format!(
                "alerting on line {line}: alerts are evaluated and shown, and not yet sent to \
                 Alertmanagers"
            ));
        }
        Ok(Alerting { relabel, alertmanagers })
    }
}

fn alertmanager(
    node: &Node,
    context: &Context,
    notes: &mut Vec<String>,
) -> Result<AlertmanagerTargets, Problem> {
    let mut fields = Fields::of(node, "config.AlertmanagerConfig")?;
    let relabel = read_rules(
        &mut fields,
        "relabel_configs",
        context.scheme,
        "empty or null Alertmanager target relabeling rule",
    )?;
    let targets = AlertmanagerTargets {
        scheme: fields.text("scheme")?.unwrap_or_else(|| "http".to_owned()),
        path_prefix: fields.text("path_prefix")?.unwrap_or_default(),
        timeout: duration(&mut fields, "timeout")?.unwrap_or(Duration::from_secs(10)),
        client: HttpClient::read_inline(&mut fields, context, true)?,
        discovery: Discovery::read_all(
            &mut fields,
            context,
            relabel.is_empty(),
            "alertmanagers",
            notes,
        )?,
        alert_relabel: read_rules(
            &mut fields,
            "alert_relabel_configs",
            context.scheme,
            "empty or null Alertmanager alert relabeling rule",
        )?,
        relabel,
    };
    if let Some(node) = fields.node("api_version") {
        let version = node.text()?;
        if version != "v2" {
            return Err(node.problem(&format!(
                "expected Alertmanager api version to be one of [v2] but got {version}"
            )));
        }
    }
    if fields.node("sigv4").is_some() {
        if targets.client.authentication.is_some() {
            return Err(node.problem(
                "at most one of basic_auth, authorization, oauth2, & sigv4 must be configured",
            ));
        }
        notes.push(format!("alertmanagers: sigv4 on line {} is read but not done", node.line));
    }
    fields.finish()?;
    Ok(targets)
}

/// `storage`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Storage {
    /// How late samples may come.
    pub out_of_order_window: Option<Duration>,
    /// How long samples are kept.
    pub retention_time: Option<Duration>,
    /// How many bytes of blocks are kept.
    pub retention_bytes: Option<u64>,
    /// How many exemplars are kept.
    pub exemplars_max: Option<i64>,
}

impl Storage {
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Storage, Problem> {
        let mut storage = Storage::default();
        let Some(node) = fields.node("storage") else { return Ok(storage) };
        let mut inner = Fields::of(node, "config.StorageConfig")?;
        if let Some(node) = inner.node("tsdb") {
            let mut tsdb = Fields::of(node, "config.plain")?;
            storage.out_of_order_window = duration(&mut tsdb, "out_of_order_time_window")?;
            let _threshold = tsdb.number("stale_series_compaction_threshold")?;
            if let Some(node) = tsdb.node("retention") {
                let mut retention = Fields::of(node, "config.TSDBRetentionConfig")?;
                storage.retention_time = duration(&mut retention, "time")?;
                storage.retention_bytes = size::read(&mut retention, "size")?;
                let _percentage = retention.number("percentage")?;
                retention.finish()?;
            }
            for key in ["chunk_encoding", "xor2_encoding"] {
                tsdb.ignore(key);
            }
            tsdb.finish()?;
        }
        if let Some(node) = inner.node("exemplars") {
            let mut exemplars = Fields::of(node, "config.ExemplarsConfig")?;
            storage.exemplars_max = exemplars.integer("max_exemplars")?;
            exemplars.finish()?;
        }
        inner.finish()?;
        Ok(storage)
    }
}

/// `otlp`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Otlp {
    /// Names.
    pub translation_strategy: Strategy,
    /// All attributes of the resource become labels.
    pub promote_all_resource_attributes: bool,
    /// These attributes of the resource become labels.
    pub promote_resource_attributes: Vec<String>,
    /// These do not.
    pub ignore_resource_attributes: Vec<String>,
    /// `target_info` has those that `job` and `instance` are made from.
    pub keep_identifying_resource_attributes: bool,
    /// Classic histograms become native ones.
    pub convert_histograms_to_nhcb: bool,
    /// Name, version and attributes of the scope become labels.
    pub promote_scope_metadata: bool,
    /// `_x` becomes `key_x`.
    pub label_name_underscore_sanitization: bool,
    /// `a__b` stays.
    pub label_name_preserve_multiple_underscores: bool,
}

impl Default for Otlp {
    fn default() -> Otlp {
        Otlp {
            translation_strategy: Strategy::default(),
            promote_all_resource_attributes: false,
            promote_resource_attributes: Vec::new(),
            ignore_resource_attributes: Vec::new(),
            keep_identifying_resource_attributes: false,
            convert_histograms_to_nhcb: false,
            promote_scope_metadata: false,
            label_name_underscore_sanitization: true,
            label_name_preserve_multiple_underscores: true,
        }
    }
}

impl Otlp {
    pub(super) fn read(fields: &mut Fields<'_>, scheme: NameScheme) -> Result<Otlp, Problem> {
        let or = Otlp::default();
        let Some(node) = fields.node("otlp") else { return Ok(or) };
        let mut inner = Fields::of(node, "config.plain")?;
        let mut flag =
            |key: &str, or: bool| -> Result<bool, Problem> { Ok(inner.flag(key)?.unwrap_or(or)) };
        let mut otlp = Otlp {
            promote_all_resource_attributes: flag("promote_all_resource_attributes", false)?,
            keep_identifying_resource_attributes: flag(
                "keep_identifying_resource_attributes",
                false,
            )?,
            convert_histograms_to_nhcb: flag("convert_histograms_to_nhcb", false)?,
            promote_scope_metadata: flag("promote_scope_metadata", false)?,
            label_name_underscore_sanitization: flag("label_name_underscore_sanitization", true)?,
            label_name_preserve_multiple_underscores: flag(
                "label_name_preserve_multiple_underscores",
                true,
            )?,
            ..or
        };
        otlp.translation_strategy = strategy(&mut inner, scheme)?;
        otlp.promote_resource_attributes =
            attributes(&mut inner, "promote_resource_attributes", "promoted")?;
        otlp.ignore_resource_attributes =
            attributes(&mut inner, "ignore_resource_attributes", "ignored")?;
        inner.finish()?;
        if otlp.promote_all_resource_attributes && !otlp.promote_resource_attributes.is_empty() {
            return Err(node.problem(
                "'promote_all_resource_attributes' and 'promote_resource_attributes' cannot be \
                 configured simultaneously",
            ));
        }
        if !otlp.promote_all_resource_attributes && !otlp.ignore_resource_attributes.is_empty() {
            return Err(node.problem(
                "'ignore_resource_attributes' cannot be configured unless \
                 'promote_all_resource_attributes' is true",
            ));
        }
        Ok(otlp)
    }
}

fn strategy(fields: &mut Fields<'_>, scheme: NameScheme) -> Result<Strategy, Problem> {
    let Some(node) = fields.node("translation_strategy") else {
        return Ok(Strategy::default());
    };
    let text = node.text()?;
    let strategy = if text.is_empty() { Some(Strategy::default()) } else { Strategy::parse(&text) };
    let Some(strategy) = strategy else {
        return Err(node.problem(&format!("unsupported OTLP translation strategy {text:?}")));
    };
    let plain = matches!(strategy, Strategy::NoUtf8EscapingWithSuffixes | Strategy::NoTranslation);
    if plain && scheme == NameScheme::Legacy {
        return Err(node.problem(&format!(
            "OTLP translation strategy {text:?} is not allowed when UTF8 is disabled"
        )));
    }
    Ok(strategy)
}

fn attributes(fields: &mut Fields<'_>, key: &str, adjective: &str) -> Result<Vec<String>, Problem> {
    let Some(node) = fields.node(key) else { return Ok(Vec::new()) };
    let mut names: Vec<String> = Vec::new();
    for name in node.texts()? {
        let name = name.trim().to_owned();
        if name.is_empty() {
            return Err(node
                .problem(&format!("invalid '{key}': empty {adjective} OTel resource attribute")));
        }
        if names.contains(&name) {
            return Err(node.problem(&format!(
                "invalid '{key}': duplicated {adjective} OTel resource attribute {name:?}"
            )));
        }
        names.push(name);
    }
    Ok(names)
}

/// `runtime` and `tracing`: checked, then noted.
pub(super) fn read_unused(
    fields: &mut Fields<'_>,
    context: &Context,
    notes: &mut Vec<String>,
) -> Result<(), Problem> {
    if let Some(node) = fields.node("runtime") {
        let mut inner = Fields::of(node, "config.RuntimeConfig")?;
        let _gogc = inner.integer("gogc")?;
        inner.finish()?;
        notes.push("runtime: there is no Go runtime to tune".to_owned());
    }
    if let Some(node) = fields.node("tracing") {
        let mut inner = Fields::of(node, "config.plain")?;
        let kind = inner.text("client_type")?;
        if kind.as_ref().is_some_and(|kind| kind != "http" && kind != "grpc") {
            return Err(node.problem(&format!(
                "expected tracing client type to be to be http or grpc, but got {}",
                kind.unwrap_or_default()
            )));
        }
        if inner.text("endpoint")?.unwrap_or_default().is_empty() {
            return Err(node.problem("tracing endpoint must be set"));
        }
        let _fraction = inner.number("sampling_fraction")?;
        let _insecure = inner.flag("insecure")?;
        let _tls = Tls::read(inner.node("tls_config"), context)?;
        let _headers = inner.text_map("headers")?;
        let compression = inner.text("compression")?.unwrap_or_default();
        if !matches!(compression.as_str(), "" | "gzip") {
            return Err(node.problem(&format!(
                "invalid compression type {compression} provided, valid options: gzip"
            )));
        }
        let _timeout = duration(&mut inner, "timeout")?;
        inner.finish()?;
        notes.push("tracing: this program's own traces have settings of their own".to_owned());
    }
    Ok(())
}
