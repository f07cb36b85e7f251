//! The settings as `/api/v1/status/flags` tells them: by the names of Prometheus's flags.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::Config;

/// Every flag of Prometheus that has something to it here.
pub(super) fn of(config: &Config) -> BTreeMap<String, String> {
    let prometheus = &config.prometheus;
    let duration = model::duration::format;
    let path = |path: Option<&std::path::PathBuf>| {
        path.map(|path| path.display().to_string()).unwrap_or_default()
    };
    let bytes = config.metrics.retention.bytes;
    let kept = config.metrics.retention.age.map_or(Duration::ZERO, |age| age);
    let url = prometheus.external_url.as_ref().map(ToString::to_string);
    let listen = config.listen.prometheus.map(|address| address.to_string());
    let format = if config.log.json { "json" } else { "logfmt" };
    let flags = [
        ("config.file", path(prometheus.config.as_ref())),
        ("enable-feature", prometheus.features.join(",")),
        ("log.format", format.to_owned()),
        ("log.level", config.log.level.clone()),
        ("query.lookback-delta", duration(config.query.lookback)),
        ("query.max-concurrency", api::prometheus::CONCURRENCY_DEFAULT.to_string()),
        ("query.max-samples", config.query.samples_max.to_string()),
        ("query.timeout", duration(config.query.timeout)),
        ("storage.tsdb.path", path(Some(&config.data_dir.join("metrics")))),
        ("storage.tsdb.retention.size", format!("{}B", bytes.unwrap_or(0))),
        ("storage.tsdb.retention.time", duration(kept)),
        ("web.cors.origin", prometheus.cors_origin.clone()),
        ("web.enable-admin-api", "true".to_owned()),
        ("web.enable-lifecycle", prometheus.reload.to_string()),
        ("web.enable-otlp-receiver", "true".to_owned()),
        ("web.enable-remote-write-receiver", "true".to_owned()),
        ("web.external-url", url.unwrap_or_default()),
        ("web.listen-address", listen.unwrap_or_default()),
        (
            "web.max-notifications-subscribers",
            api::prometheus::notifications::SUBSCRIBERS_MAX.to_string(),
        ),
    ];
    flags.map(|(name, value)| (name.to_owned(), value)).into()
}
