//! From what discovery found to what is scraped.

use std::collections::BTreeMap;
use std::time::Duration;

use model::metric::{Labels, LabelsBuilder};
use reqwest::Url;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::prometheus::Job;
use crate::prometheus::discovery::Group;
use crate::relabel;

/// Something with a page of metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// As discovered, before relabelling.
    pub(crate) discovered: BTreeMap<String, String>,
    /// After relabelling, without those that begin with `__`.
    pub(crate) labels: Labels,
    /// Where the page is.
    pub(crate) url: Url,
    /// How often.
    pub(crate) interval: Duration,
    /// How long at most.
    pub(crate) timeout: Duration,
}

impl Target {
    /// Two targets with the same key are one target.
    pub(crate) fn key(&self) -> (Labels, String) {
        (self.labels.clone(), self.url.to_string())
    }

    /// When in each interval it is scraped, so that targets are spread over it, and those of
    /// another server (by `seed`) otherwise.
    pub(crate) fn offset(&self, seed: u64) -> Duration {
        let hash = xxh3_64_with_seed(self.labels.as_bytes(), seed)
            ^ xxh3_64_with_seed(self.url.as_str().as_bytes(), seed);
        let interval = u64::try_from(self.interval.as_nanos()).unwrap_or(u64::MAX).max(1);
        Duration::from_nanos(hash % interval)
    }
}

/// What became of one discovered target.
#[derive(Debug)]
pub(crate) enum Outcome {
    Kept(Box<Target>),
    /// Relabelling dropped it.
    Dropped(BTreeMap<String, String>),
}

/// The targets of a group, or why one of them cannot be scraped.
pub(crate) fn of_group(job: &Job, group: &Group) -> (Vec<Outcome>, Vec<String>) {
    let mut outcomes = Vec::with_capacity(group.targets.len());
    let mut errors = Vec::new();
    for (index, target) in group.targets.iter().enumerate() {
        let discovered = discovered_labels(job, target, &group.labels);
        match populate(job, discovered) {
            Ok(outcome) => outcomes.push(outcome),
            Err(error) => {
                errors.push(format!("instance {index} in group {}: {error}", group.source));
            }
        }
    }
    (outcomes, errors)
}

fn discovered_labels(
    job: &Job,
    target: &BTreeMap<String, String>,
    group: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut labels = target.clone();
    let mut default = |name: &str, value: &str| {
        if labels.get(name).is_none_or(String::is_empty) {
            labels.insert(name.to_owned(), value.to_owned());
        }
    };
    for (name, value) in group {
        default(name, value);
    }
    default("job", &job.name);
    default("__scrape_interval__", &model::duration::format(job.scrape_interval));
    default("__scrape_timeout__", &model::duration::format(job.scrape_timeout));
    default("__metrics_path__", &job.metrics_path);
    default("__scheme__", &job.scheme);
    for (name, values) in &job.params {
        if let Some(value) = values.first() {
            labels.insert(format!("__param_{name}"), value.clone());
        }
    }
    labels
}

fn populate(job: &Job, discovered: BTreeMap<String, String>) -> Result<Outcome, String> {
    let mut labels = LabelsBuilder::default();
    for (name, value) in &discovered {
        labels.set(name, value);
    }
    if !relabel::apply(&job.relabel, &mut labels) {
        return Ok(Outcome::Dropped(discovered));
    }
    let of = |name: &str| labels.get(name).unwrap_or("").to_owned();
    let address = of("__address__");
    if address.is_empty() {
        return Err("no address".to_owned());
    }
    if address.contains('/') {
        return Err(format!("{address:?} is not a valid hostname"));
    }
    let (interval, timeout) = (of("__scrape_interval__"), of("__scrape_timeout__"));
    let interval_read = read_duration(&interval, "interval")?;
    let timeout_read = read_duration(&timeout, "timeout")?;
    if timeout_read > interval_read {
        return Err(format!(
            "scrape timeout cannot be greater than scrape interval ({timeout:?} > {interval:?})"
        ));
    }
    let url = url(job, &labels, &address)?;
    if labels.get("instance").is_none() {
        labels.set("instance", &address);
    }
    let mut public = LabelsBuilder::default();
    for (name, value) in labels.iter().filter(|(name, _)| !name.starts_with("__")) {
        if !job.name_scheme.allows_label(name) {
            return Err(format!("{name:?} is not a valid label name"));
        }
        public.set(name, value);
    }
    Ok(Outcome::Kept(Box::new(Target {
        discovered,
        labels: public.build(),
        url,
        interval: interval_read,
        timeout: timeout_read,
    })))
}

fn read_duration(text: &str, what: &str) -> Result<Duration, String> {
    let duration = model::duration::parse(text)
        .map_err(|error| format!("error parsing scrape {what}: {error}"))?;
    if duration.is_zero() {
        return Err(format!("scrape {what} cannot be 0"));
    }
    Ok(duration)
}

fn url(job: &Job, labels: &LabelsBuilder, address: &str) -> Result<Url, String> {
    let scheme = labels.get("__scheme__").unwrap_or("http");
    let path = labels.get("__metrics_path__").unwrap_or("");
    let slash = if path.starts_with('/') || path.is_empty() { "" } else { "/" };
    let mut url = Url::parse(&format!("{scheme}://{address}"))
        .map_err(|error| format!("parse \"{scheme}://{address}\": {error}"))?;
    // The path may come with a query, as in `/federate?match[]=up`.
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    url.set_path(&format!("{slash}{path}"));
    let mut params: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        params.entry(name.into_owned()).or_default().push(value.into_owned());
    }
    for (name, values) in &job.params {
        params.insert(name.clone(), values.clone());
    }
    for (name, value) in labels.iter() {
        let Some(name) = name.strip_prefix("__param_") else { continue };
        let values = params.entry(name.to_owned()).or_default();
        match values.first_mut() {
            Some(first) => value.clone_into(first),
            None => values.push(value.to_owned()),
        }
    }
    if !params.is_empty() {
        let mut pairs = url.query_pairs_mut();
        for (name, values) in &params {
            for value in values {
                pairs.append_pair(name, value);
            }
        }
    }
    Ok(url)
}
