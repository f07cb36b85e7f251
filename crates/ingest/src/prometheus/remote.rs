//! `remote_write` and `remote_read`.

use std::time::Duration;

use stdx::yaml::{Fields, Node, Problem};

use super::http::HttpClient;
use super::{Context, duration};
use crate::relabel::{Rule, read_rules};

/// The message that samples are sent in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteMessage {
    /// `prometheus.WriteRequest`.
    V1,
    /// `io.prometheus.write.v2.Request`.
    V2,
}

/// One entry of `remote_write`.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteWrite {
    /// Its name; made from the URL when it has none.
    pub name: String,
    /// Where to.
    pub url: String,
    /// How long a request may take.
    pub timeout: Duration,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Rules for the series.
    pub relabel: Vec<Rule>,
    /// Exemplars are sent.
    pub send_exemplars: bool,
    /// Native histograms are sent.
    pub send_native_histograms: bool,
    /// In which message.
    pub message: WriteMessage,
    /// How.
    pub client: HttpClient,
    /// The queue.
    pub queue: QueueSettings,
    /// What is said about metrics.
    pub metadata: MetadataSettings,
}

/// `queue_config`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSettings {
    /// Samples of one shard in memory.
    pub capacity: u64,
    /// The most requests at a time.
    pub max_shards: u64,
    /// The least requests at a time.
    pub min_shards: u64,
    /// Samples of a request.
    pub max_samples_per_send: u64,
    /// How long samples wait for others.
    pub batch_send_deadline: Duration,
    /// The first pause after a failure.
    pub min_backoff: Duration,
    /// The longest pause.
    pub max_backoff: Duration,
    /// 429 is tried again.
    pub retry_on_rate_limit: bool,
    /// Older samples are dropped; 0 is never.
    pub sample_age_limit: Duration,
}

/// `metadata_config`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataSettings {
    /// Metadata are sent.
    pub send: bool,
    /// How often.
    pub send_interval: Duration,
    /// How many in a request.
    pub max_samples_per_send: u64,
}

/// One entry of `remote_read`.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteRead {
    /// Its name.
    pub name: String,
    /// From where.
    pub url: String,
    /// How long a request may take.
    pub timeout: Duration,
    /// Bytes of a frame.
    pub chunked_read_limit: u64,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// It is asked for times that are stored here, too.
    pub read_recent: bool,
    /// Labels that a selector has to have.
    pub required_matchers: Vec<(String, String)>,
    /// External labels are added to selectors.
    pub filter_external_labels: bool,
    /// How.
    pub client: HttpClient,
}

pub(super) fn read_writes(
    fields: &mut Fields<'_>,
    context: &Context,
    notes: &mut Vec<String>,
) -> Result<Vec<RemoteWrite>, Problem> {
    let mut all: Vec<RemoteWrite> = Vec::new();
    for node in fields.list("remote_write", "[]*config.RemoteWriteConfig")? {
        if node.is_null() {
            return Err(node.problem("empty or null remote write config section"));
        }
        let one = read_write(node, context, notes)?;
        if !one.name.is_empty() && all.iter().any(|other| other.name == one.name) {
            return Err(node.problem(&format!(
                "found multiple remote write configs with job name {:?}",
                one.name
            )));
        }
        all.push(one);
    }
    Ok(all)
}

fn url(fields: &mut Fields<'_>, section: &str) -> Result<String, Problem> {
    let Some(node) = fields.node("url") else {
        return Err(fields.node.problem(&format!("url for {section} is empty")));
    };
    let url = node.text()?;
    match reqwest::Url::parse(&url) {
        Ok(_) => Ok(url),
        Err(error) => Err(node.problem(&format!("parse {url:?}: {error}"))),
    }
}

fn read_write(
    node: &Node,
    context: &Context,
    notes: &mut Vec<String>,
) -> Result<RemoteWrite, Problem> {
    let mut fields = Fields::of(node, "config.plain")?;
    let write = RemoteWrite {
        url: url(&mut fields, "remote_write")?,
        name: fields.text("name")?.unwrap_or_default(),
        timeout: duration(&mut fields, "remote_timeout")?.unwrap_or(Duration::from_secs(30)),
        headers: headers(&mut fields)?,
        relabel: read_rules(
            &mut fields,
            "write_relabel_configs",
            context.scheme,
            "empty or null relabeling rule in remote write config",
        )?,
        send_exemplars: fields.flag("send_exemplars")?.unwrap_or(false),
        send_native_histograms: fields.flag("send_native_histograms")?.unwrap_or(false),
        message: message(&mut fields)?,
        client: HttpClient::read_inline(&mut fields, context, false)?,
        queue: QueueSettings::read(fields.node("queue_config"))?,
        metadata: MetadataSettings::read(fields.node("metadata_config"))?,
    };
    let _round_robin = fields.flag("round_robin_dns")?;
    let mut signers = Vec::new();
    for key in ["sigv4", "azuread", "google_iam"] {
        if fields.node(key).is_some() {
            signers.push(key);
            notes.push(format!(
                "remote_write to {}: {key} on line {} is read but not done",
                write.url, node.line
            ));
        }
    }
    if signers.len() + usize::from(write.client.authentication.is_some()) > 1 {
        return Err(node.problem(
            "at most one of basic_auth, authorization, oauth2, sigv4, azuread or google_iam must \
             be configured",
        ));
    }
    fields.finish()?;
    Ok(write)
}

fn message(fields: &mut Fields<'_>) -> Result<WriteMessage, Problem> {
    let Some(node) = fields.node("protobuf_message") else { return Ok(WriteMessage::V1) };
    match node.text()?.as_str() {
        "prometheus.WriteRequest" => Ok(WriteMessage::V1),
        "io.prometheus.write.v2.Request" => Ok(WriteMessage::V2),
        other => Err(node.problem(&format!(
            "invalid protobuf_message value: unknown type for remote write protobuf message \
             {other}, supported: prometheus.WriteRequest, io.prometheus.write.v2.Request"
        ))),
    }
}

/// Headers that the user may set.
fn headers(fields: &mut Fields<'_>) -> Result<Vec<(String, String)>, Problem> {
    const RESERVED: [&str; 15] = [
        "host",
        "content-encoding",
        "content-length",
        "content-type",
        "user-agent",
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "www-authenticate",
        "accept-encoding",
        "x-prometheus-remote-write-version",
        "x-prometheus-remote-read-version",
        "x-amz-date",
        "x-amz-security-token",
    ];
    let Some(node) = fields.node("headers") else { return Ok(Vec::new()) };
    let headers = node.text_map()?;
    for (name, _) in &headers {
        let lower = name.to_lowercase();
        if lower == "authorization" {
            return Err(node.problem(
                "authorization header must be changed via the basic_auth, authorization, oauth2, \
                 sigv4, azuread or google_iam parameter",
            ));
        }
        if RESERVED.contains(&lower.as_str()) {
            return Err(
                node.problem(&format!("{name} is a reserved header. It must not be changed"))
            );
        }
    }
    Ok(headers)
}

impl Default for QueueSettings {
    fn default() -> QueueSettings {
        QueueSettings {
            capacity: 10_000,
            max_shards: 50,
            min_shards: 1,
            max_samples_per_send: 2_000,
            batch_send_deadline: Duration::from_secs(5),
            min_backoff: Duration::from_millis(30),
            max_backoff: Duration::from_secs(5),
            retry_on_rate_limit: false,
            sample_age_limit: Duration::ZERO,
        }
    }
}

impl QueueSettings {
    fn read(node: Option<&Node>) -> Result<QueueSettings, Problem> {
        let or = QueueSettings::default();
        let Some(node) = node else { return Ok(or) };
        let mut fields = Fields::of(node, "config.QueueConfig")?;
        let at_least_one = |count: Option<u64>, or: u64| count.unwrap_or(or).max(1);
        let queue = QueueSettings {
            capacity: at_least_one(fields.count("capacity")?, or.capacity),
            max_shards: at_least_one(fields.count("max_shards")?, or.max_shards),
            min_shards: at_least_one(fields.count("min_shards")?, or.min_shards),
            max_samples_per_send: at_least_one(
                fields.count("max_samples_per_send")?,
                or.max_samples_per_send,
            ),
            batch_send_deadline: duration(&mut fields, "batch_send_deadline")?
                .unwrap_or(or.batch_send_deadline),
            min_backoff: duration(&mut fields, "min_backoff")?.unwrap_or(or.min_backoff),
            max_backoff: duration(&mut fields, "max_backoff")?.unwrap_or(or.max_backoff),
            retry_on_rate_limit: fields.flag("retry_on_http_429")?.unwrap_or(false),
            sample_age_limit: duration(&mut fields, "sample_age_limit")?.unwrap_or_default(),
        };
        fields.finish()?;
        Ok(queue)
    }
}

impl Default for MetadataSettings {
    fn default() -> MetadataSettings {
        MetadataSettings {
            send: true,
            send_interval: Duration::from_secs(60),
            max_samples_per_send: 2_000,
        }
    }
}

impl MetadataSettings {
    fn read(node: Option<&Node>) -> Result<MetadataSettings, Problem> {
        let or = MetadataSettings::default();
        let Some(node) = node else { return Ok(or) };
        let mut fields = Fields::of(node, "config.MetadataConfig")?;
        let metadata = MetadataSettings {
            send: fields.flag("send")?.unwrap_or(or.send),
            send_interval: duration(&mut fields, "send_interval")?.unwrap_or(or.send_interval),
            max_samples_per_send: fields
                .count("max_samples_per_send")?
                .unwrap_or(or.max_samples_per_send),
        };
        fields.finish()?;
        Ok(metadata)
    }
}

pub(super) fn read_reads(
    fields: &mut Fields<'_>,
    context: &Context,
    notes: &mut Vec<String>,
) -> Result<Vec<RemoteRead>, Problem> {
    let mut all: Vec<RemoteRead> = Vec::new();
    for node in fields.list("remote_read", "[]*config.RemoteReadConfig")? {
        if node.is_null() {
            return Err(node.problem("empty or null remote read config section"));
        }
        let mut inner = Fields::of(node, "config.plain")?;
        let read = RemoteRead {
            url: url(&mut inner, "remote_read")?,
            name: inner.text("name")?.unwrap_or_default(),
            timeout: duration(&mut inner, "remote_timeout")?.unwrap_or(Duration::from_secs(60)),
            chunked_read_limit: inner.count("chunked_read_limit")?.unwrap_or(50_000_000),
            headers: headers(&mut inner)?,
            read_recent: inner.flag("read_recent")?.unwrap_or(false),
            required_matchers: inner.text_map("required_matchers")?,
            filter_external_labels: inner.flag("filter_external_labels")?.unwrap_or(true),
            client: HttpClient::read_inline(&mut inner, context, true)?,
        };
        inner.finish()?;
        if !read.name.is_empty() && all.iter().any(|other| other.name == read.name) {
            return Err(node.problem(&format!(
                "found multiple remote read configs with job name {:?}",
                read.name
            )));
        }
        notes.push(format!(
            "remote_read: {} on line {} is not asked: queries ask this store alone",
            read.url, node.line
        ));
        all.push(read);
    }
    Ok(all)
}
