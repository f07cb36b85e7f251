//! The list of everything that can be set.

/// One setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its place in the file, with dots.
    pub(crate) path: &'static str,
    /// What its values look like.
    pub(crate) kind: Kind,
    /// What it is when nobody says.
    pub(crate) default: &'static str,
    /// What it does.
    pub(crate) doc: &'static str,
}

/// What values look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `127.0.0.1:3000`.
    Address,
    /// The same, or `off`.
    OptionalAddress,
    /// `true` or `false`.
    Switch,
    /// Any text.
    Text,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `64MiB`.
    Bytes,
    /// The same, or `off`.
    OptionalBytes,
    /// A whole number.
    Count,
    /// `30s`.
    Duration,
    /// The same, or `off`.
    OptionalDuration,
    /// A URL, or nothing.
    OptionalUrl,
    /// A list of keys.
    Keys,
    /// A list of some of these words.
    Words(&'static [&'static str]),
    /// Names and values.
    Map,
}

impl Kind {
    /// What the reference says of it.
    pub(crate) fn doc(self) -> String {
        match self {
            Kind::Address => "address".to_owned(),
            Kind::OptionalAddress => "address or `off`".to_owned(),
            Kind::Switch => "`true` or `false`".to_owned(),
            Kind::Text => "text".to_owned(),
            Kind::Choice(words) => {
                words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
            }
            Kind::Bytes => "bytes".to_owned(),
            Kind::OptionalBytes => "bytes or `off`".to_owned(),
            Kind::Count => "number".to_owned(),
            Kind::Duration => "duration".to_owned(),
            Kind::OptionalDuration => "duration or `off`".to_owned(),
            Kind::OptionalUrl => "URL".to_owned(),
            Kind::Keys => "list".to_owned(),
            Kind::Words(words) => {
                let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
                format!("list of {}", words.join(", "))
            }
            Kind::Map => "names and values".to_owned(),
        }
    }
}

const fn setting(
    path: &'static str,
    kind: Kind,
    default: &'static str,
    doc: &'static str,
) -> Setting {
    Setting { path, kind, default, doc }
}

/// All of them, in the order of the reference.
pub(crate) const SETTINGS: &[Setting] = &[
    setting(
        "listen.main",
        Kind::Address,
        "127.0.0.1:3000",
        "The main port: pages, API, and OTLP over HTTP. Port 0 takes a free one.",
    ),
    setting("listen.otlp_grpc", Kind::OptionalAddress, "127.0.0.1:4317", "OTLP over gRPC."),
    setting("listen.otlp_http", Kind::OptionalAddress, "127.0.0.1:4318", "OTLP over HTTP."),
    setting(
        "listen.prometheus",
        Kind::OptionalAddress,
        "127.0.0.1:9090",
        "Prometheus's HTTP API at Prometheus's own address, remote write included; the same is \
         under `/prometheus` of the main port.",
    ),
    setting(
        "insecure",
        Kind::Switch,
        "false",
        "Allows listening beyond loopback although no keys are set.",
    ),
    setting(
        "data_dir",
        Kind::Text,
        "trefoil-data",
        "The directory of the write-ahead log, the lock and, unless `storage.url` says \
         otherwise, the tables.",
    ),
    setting(
        "auth.keys",
        Kind::Keys,
        "[]",
        "API keys. With any, every request needs one: `Authorization: Bearer KEY`, the password of \
         basic authentication, or `X-API-Key`. An entry is a key, or `{key: …, tenant: …}`; a key \
         may be given as `sha256:` and its hash in hexadecimal.",
    ),
    setting(
        "log.format",
        Kind::Choice(&["text", "json"]),
        "text",
        "The shape of the server's own log, on standard error.",
    ),
    setting(
        "log.level",
        Kind::Text,
        "info",
        "What is logged: `error`, `warn`, `info`, `debug`, `trace`, or a filter such as \
         `info,storage=debug`.",
    ),
    setting(
        "telemetry.traces",
        Kind::Text,
        "off",
        "Where the server's own traces go: `off`, `self` (its own OTLP port), or a collector's URL \
         for OTLP over gRPC.",
    ),
    setting(
        "memory.limit",
        Kind::Bytes,
        "1GiB",
        "The ceiling of the process. Of what is over 100 MiB, which are the program's own, a quarter \
         goes to metrics that are in no block yet, a sixth to questions, an eighth to rows that are \
         in no file yet, a twelfth to requests on their way in, a thirty-second to caches; the rest \
         is work on files. When a part is full, or the whole process near its ceiling, clients are \
         told to come back. At least 128MiB.",
    ),
    setting(
        "ingest.body_bytes_max",
        Kind::Bytes,
        "16MiB",
        "The largest request body, as it comes over the wire.",
    ),
    setting(
        "ingest.decompressed_bytes_max",
        Kind::Bytes,
        "64MiB",
        "The largest request body after decompression.",
    ),
    setting(
        "ingest.body_timeout",
        Kind::Duration,
        "30s",
        "How long a client may take to send a body.",
    ),
    setting(
        "ingest.attributes_per_record_max",
        Kind::Count,
        "128",
        "Attributes of one span, log record, event, link, resource or scope; more are dropped and \
         counted.",
    ),
    setting(
        "ingest.attribute_value_bytes_max",
        Kind::Bytes,
        "32KiB",
        "The longest text of an attribute; longer ones are cut off and counted.",
    ),
    setting(
        "ingest.log_body_bytes_max",
        Kind::Bytes,
        "1MiB",
        "The longest log line; longer ones are cut off and counted.",
    ),
    setting(
        "prometheus.config",
        Kind::Text,
        "",
        "A `prometheus.yml`: what it scrapes, its rules and where it forwards samples to. Read \
         again on SIGHUP and `POST /-/reload`.",
    ),
    setting(
        "prometheus.features",
        Kind::Words(promql::features::Features::NAMES),
        "[]",
        "Experimental PromQL that is switched on, by the names of Prometheus's \
         `--enable-feature`; `trefoil check` and `trefoil test rules` take them too.",
    ),
    setting(
        "prometheus.external_url",
        Kind::OptionalUrl,
        "",
        "Where users reach Prometheus's API, for links in alerts (`$externalURL`, \
         `--web.external-url`). Empty: the address of `listen.prometheus` or of the main port.",
    ),
    setting(
        "prometheus.cors_origin",
        Kind::Text,
        ".*",
        "Origins whose web pages may ask Prometheus's API: a regular expression that has to match \
         all of it (`--web.cors.origin`).",
    ),
    setting(
        "prometheus.lifecycle",
        Kind::Choice(&["off", "reload", "on"]),
        "reload",
        "Whether `POST /-/reload` reads `prometheus.config` again; with `on`, `POST /-/quit` ends \
         the server (`--web.enable-lifecycle`).",
    ),
    setting(
        "metrics.series_max",
        Kind::Count,
        "5000000",
        "The most active series of a tenant; samples of further ones are refused.",
    ),
    setting(
        "metrics.exemplars_max",
        Kind::Count,
        "100000",
        "The most exemplars of a tenant; the oldest go first. `0` keeps none.",
    ),
    setting(
        "metrics.out_of_order_window",
        Kind::Duration,
        "30m",
        "Samples that come out of order may be this much older than the tenant's newest. `0s` \
         refuses them, as Prometheus does by default.",
    ),
    setting(
        "storage.url",
        Kind::OptionalUrl,
        "",
        "Where the tables and the blocks of metrics are: empty for the data directory, or \
         `s3://bucket/prefix`, `gs://…`, `az://…`.",
    ),
    setting(
        "storage.options",
        Kind::Map,
        "{}",
        "Options of the object store, `aws_access_key_id` for one, by the names that the crate \
         `object_store` has for them.",
    ),
    setting(
        "storage.flush_bytes",
        Kind::OptionalBytes,
        "off",
        "A table's rows in memory are written to a file when they have grown to this. Off: the \
         smaller of 64MiB and a third of the memory for such rows.",
    ),
    setting(
        "storage.flush_age",
        Kind::Duration,
        "30s",
        "Rows in memory are written to a file when the oldest is of this age.",
    ),
    setting(
        "storage.compact_interval",
        Kind::Duration,
        "10s",
        "How often the tables are looked at for files to merge and to remove.",
    ),
    setting(
        "storage.compact_bytes",
        Kind::Bytes,
        "256MiB",
        "Files are merged until they have this size.",
    ),
    setting(
        "storage.vacuum_grace",
        Kind::Duration,
        "15m",
        "How long files stay that no longer belong to a table, for readers that still use them.",
    ),
    setting(
        "storage.columns_soft_max",
        Kind::Count,
        "200",
        "Up to this many attribute columns, a table gives a new attribute a column at once; then \
         only where one row in a hundred has it.",
    ),
    setting(
        "storage.columns_max",
        Kind::Count,
        "1000",
        "The most attribute columns of a table; further attributes share the column `rest`.",
    ),
    setting(
        "retention.spans.age",
        Kind::OptionalDuration,
        "30d",
        "Spans older than this are removed.",
    ),
    setting(
        "retention.spans.bytes",
        Kind::OptionalBytes,
        "off",
        "The oldest spans are removed when their files take more than this.",
    ),
    setting(
        "retention.logs.age",
        Kind::OptionalDuration,
        "744h",
        "Log records older than this are removed.",
    ),
    setting(
        "retention.logs.bytes",
        Kind::OptionalBytes,
        "off",
        "The oldest log records are removed when their files take more than this.",
    ),
    setting(
        "retention.metrics.age",
        Kind::OptionalDuration,
        "30d",
        "Samples older than this are removed.",
    ),
    setting(
        "retention.metrics.bytes",
        Kind::OptionalBytes,
        "off",
        "The oldest blocks of samples are removed when a tenant's blocks take more than this.",
    ),
    setting(
        "retention.metrics.selectors",
        Kind::Map,
        "{}",
        "Shorter lives for some series: a PromQL selector and a duration each, such as \
         `{'{job=\"debug\"}': 2d}`.",
    ),
    setting(
        "retention.metrics.five_minutes_after",
        Kind::OptionalDuration,
        "off",
        "Samples older than this are kept as one a series and five minutes, with their sum, \
         count, least, greatest and last value.",
    ),
    setting(
        "retention.metrics.one_hour_after",
        Kind::OptionalDuration,
        "off",
        "Samples older than this are kept as one a series and hour. Where five_minutes_after is off or longer, this holds for it too.",
    ),
    setting("query.timeout", Kind::Duration, "30s", "The longest that a question may take."),
    setting(
        "query.rows_max",
        Kind::Count,
        "100000",
        "The most rows of an answer; it says when there would have been more.",
    ),
    setting(
        "query.samples_max",
        Kind::Count,
        "50000000",
        "The most samples that one PromQL query may hold in memory.",
    ),
    setting(
        "query.lookback",
        Kind::Duration,
        "5m",
        "How far back PromQL looks for the last sample of a series.",
    ),
    setting(
        "query.cache_bytes",
        Kind::OptionalBytes,
        "16MiB",
        "The most bytes of results of PromQL ranges that are kept for the next time the same is \
         asked; at most an eighth of the memory for questions.",
    ),
    setting("query.running_max", Kind::Count, "8", "Questions that are answered at once."),
    setting(
        "query.queue_max",
        Kind::Count,
        "64",
        "Questions that wait; more are refused with 429.",
    ),
    setting(
        "query.spill_bytes_max",
        Kind::Bytes,
        "10GiB",
        "The most bytes on disk for sorts and groupings that do not fit in memory.",
    ),
];

impl Setting {
    /// The setting of that path.
    pub(crate) fn find(path: &str) -> Option<&'static Setting> {
        SETTINGS.iter().find(|setting| setting.path == path)
    }

    /// Whether settings stand below that path.
    pub(crate) fn is_section(path: &str) -> bool {
        SETTINGS.iter().any(|setting| {
            setting.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'))
        })
    }
}
