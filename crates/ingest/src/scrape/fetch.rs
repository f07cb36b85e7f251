//! Fetching one page.

use std::io::Read as _;
use std::time::Duration;

use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use reqwest::Method;
use stdx::memory::{Budget, Reservation};

use super::target::Target;
use crate::exposition::Format;
use crate::outgoing::{Outgoing, describe};
use crate::prometheus::{Escaping, Job, Protocol};

/// A page as it came.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) body: Vec<u8>,
    pub(super) format: Format,
    /// Covers the body.
    #[expect(dead_code, reason = "held, not read")]
    pub(super) memory: Reservation,
}

/// Why there is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoPage {
    TooLarge,
    Other(String),
}

impl NoPage {
    pub(super) fn text(&self) -> String {
        match self {
            NoPage::TooLarge => "body size limit exceeded".to_owned(),
            NoPage::Other(text) => text.clone(),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn other(error: impl ToString) -> NoPage {
    NoPage::Other(error.to_string())
}

/// What a job accepts, the best first.
pub(super) fn accept(protocols: &[Protocol], escaping: Escaping) -> String {
    let mut weight = Protocol::ALL.len() + 1;
    let mut text = String::new();
    for protocol in protocols {
        let media = Protocol::ALL
            .iter()
            .find(|(_, other, _)| other == protocol)
            .map_or("", |(.., media)| media);
        text.push_str(media);
        // Older versions of the text formats know no escaping.
        if matches!(protocol, Protocol::PrometheusText1_0_0 | Protocol::OpenMetricsText1_0_0) {
            text.push_str(";escaping=");
            text.push_str(escaping.as_str());
        }
        text.push_str(&format!(";q=0.{weight},"));
        weight -= 1;
    }
    text.push_str(&format!("*/*;q=0.{weight}"));
    text
}

fn format_of(protocol: Protocol) -> Format {
    match protocol {
        Protocol::PrometheusProto => Format::Protobuf,
        Protocol::PrometheusText0_0_4 | Protocol::PrometheusText1_0_0 => Format::Text,
        Protocol::OpenMetricsText0_0_1 | Protocol::OpenMetricsText1_0_0 => Format::OpenMetrics,
    }
}

/// Fetches the target's page.
pub(super) async fn fetch(
    outgoing: &Outgoing,
    job: &Job,
    target: &Target,
    body_bytes_max: usize,
    budget: &Budget,
) -> Result<Page, NoPage> {
    let limit = match usize::try_from(job.body_bytes_limit).unwrap_or(usize::MAX) {
        0 => body_bytes_max,
        limit => limit.min(body_bytes_max),
    };
    let encoding = if job.enable_compression { "gzip" } else { "identity" };
    let seconds = target.timeout.as_secs_f64();
    let request = outgoing
        .request(Method::GET, target.url.clone(), target.timeout)
        .await
        .map_err(other)?
        .header(ACCEPT, accept(&job.protocols, job.escaping))
        .header(ACCEPT_ENCODING, encoding)
        .header("X-Prometheus-Scrape-Timeout-Seconds", format!("{seconds}"));
    let answer = request
        .send()
        .await
        .map_err(|error| other(format!("Get {:?}: {}", target.url.as_str(), describe(&error))))?;
    if answer.status() != http::StatusCode::OK {
        return Err(other(format!("server returned HTTP status {}", answer.status())));
    }
    let header = |name: http::HeaderName| {
        let value = answer.headers().get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or("").to_owned()
    };
    let fallback = job.fallback_protocol.map(format_of);
    let format = Format::of_content_type(&header(CONTENT_TYPE), fallback).map_err(other)?;
    let gzip = header(CONTENT_ENCODING).eq_ignore_ascii_case("gzip");
    let (body, mut memory) = read(answer, limit, budget).await?;
    if !gzip {
        return Ok(Page { body, format, memory });
    }
    let body = decompress(&body, limit)?;
    memory.resize(body.len()).map_err(other)?;
    Ok(Page { body, format, memory })
}

async fn read(
    mut answer: reqwest::Response,
    limit: usize,
    budget: &Budget,
) -> Result<(Vec<u8>, Reservation), NoPage> {
    let mut body = Vec::new();
    let mut memory = budget.reserve(0).map_err(other)?;
    while let Some(chunk) = answer.chunk().await.map_err(|error| NoPage::Other(describe(&error)))? {
        if body.len() + chunk.len() > limit {
            return Err(NoPage::TooLarge);
        }
        memory.resize(body.len() + chunk.len()).map_err(other)?;
        body.extend_from_slice(&chunk);
    }
    Ok((body, memory))
}

fn decompress(body: &[u8], limit: usize) -> Result<Vec<u8>, NoPage> {
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut out = Vec::with_capacity(body.len().saturating_mul(8).min(limit));
    flate2::read::MultiGzDecoder::new(body).take(most).read_to_end(&mut out).map_err(other)?;
    if out.len() > limit {
        return Err(NoPage::TooLarge);
    }
    Ok(out)
}

/// How long a stop waits for a scrape that is under way.
pub(super) const STOP_TIMEOUT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_is_what_prometheus_sends() {
        let protocols = [
            Protocol::PrometheusProto,
            Protocol::OpenMetricsText1_0_0,
            Protocol::PrometheusText0_0_4,
        ];
        assert_eq!(
            accept(&protocols, Escaping::AllowUtf8),
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=\
             delimited;q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             text/plain;version=0.0.4;q=0.4,*/*;q=0.3"
        );
    }

    #[test]
    fn a_bomb_is_too_large() {
        use std::io::Write as _;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&vec![b'a'; 1 << 20]).expect("compresses");
        let bomb = encoder.finish().expect("compresses");
        assert_eq!(decompress(&bomb, 1000), Err(NoPage::TooLarge));
        assert_eq!(decompress(&bomb, 1 << 20).map(|body| body.len()), Ok(1 << 20));
    }
}
