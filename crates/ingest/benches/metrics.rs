//! How fast metrics are taken in, on one core: `cargo bench -p ingest --bench metrics`.
//!
//! Series have 10 labels and 250 bytes, as those of a node exporter behind a scraper; the best of
//! several rounds is shown. Processor time is measured, not the clock's, so that a busy machine gives
//! about the same figures.
#![expect(clippy::print_stdout, reason = "this is what it is for")]

#[path = "decode/time.rs"]
mod time;

use ingest::MetricLimits;
use ingest::exposition::{Entry, Format, Options, Parser};
use ingest::otlp::metrics::{Translation, decode_metrics};
use ingest::remote::{Version, decode_write, encode};
use model::metric::{Batch, Float, Labels};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use prost::Message as _;
use stdx::memory::Budget;

const SERIES: usize = 2_000;

fn main() {
    let batch = batch();
    for (name, version) in [("remote write 1", Version::V1), ("remote write 2", Version::V2)] {
        let body = encode(version, &batch);
        measure(name, body.len(), || {
            let memory = Budget::new("bench", 1 << 30).reserve(body.len()).expect("room");
            let decoded = decode_write(version, &body, &MetricLimits::default(), memory);
            decoded.expect("a valid body").0.series_len()
        });
        measure(&format!("{name}, written"), body.len(), || {
            assert_eq!(encode(version, &batch).len(), body.len());
            SERIES
        });
    }
    for (name, format, decodes) in [
        ("text, labels not asked for", Format::Text, false),
        ("text, labels decoded", Format::Text, true),
        ("openmetrics, labels not asked for", Format::OpenMetrics, false),
    ] {
        let page = page(&batch, format);
        measure(name, page.len(), || read(&page, format, decodes));
    }
    let body = otlp();
    measure("otlp gauges", body.len(), || {
        let memory = Budget::new("bench", 1 << 30).reserve(body.len()).expect("room");
        let decoded =
            decode_metrics(&Translation::default(), &body, &MetricLimits::default(), memory);
        decoded.expect("a valid body").0.series_len()
    });
}

fn measure(name: &str, bytes: usize, mut run: impl FnMut() -> usize) {
    const ROUNDS: usize = 9;
    const REPEATS: usize = 60;
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = time::Processor::start();
        for _ in 0..REPEATS {
            assert_eq!(std::hint::black_box(run()), SERIES);
        }
        best = best.min(start.seconds());
    }
    let samples = f64::from(u32::try_from(REPEATS * SERIES).expect("few"));
    println!(
        "{name:<36} {:>6.0} ns a sample {:>7.2} M samples/s {:>5} bytes a sample",
        1e9 * best / samples,
        samples / best / 1e6,
        bytes / SERIES,
    );
}

fn read(page: &[u8], format: Format, decodes: bool) -> usize {
    let mut parser = Parser::new(page, format, Options::default()).expect("a page");
    let mut count = 0;
    while let Some(entry) = parser.next() {
        if let Entry::Series(series) = entry.expect("a valid line") {
            std::hint::black_box((series.value, series.labels.key()));
            if decodes {
                for label in series.labels {
                    std::hint::black_box(label);
                }
            }
            count += 1;
        }
    }
    count
}

fn batch() -> Batch {
    let mut batch = Batch::new();
    for index in 0..SERIES {
        let number = index.to_string();
        let labels = Labels::from_pairs(&[
            ("__name__", "node_network_receive_bytes_total"),
            ("cluster", "eu-central-1-production"),
            ("container", "node-exporter"),
            ("device", number.as_str()),
            ("endpoint", "http-metrics"),
            ("instance", "10.0.13.37:9100"),
            ("job", "node-exporter"),
            ("namespace", "monitoring"),
            ("pod", "node-exporter-x7k2p"),
            ("service", "prometheus-node-exporter"),
        ]);
        batch.begin_with(&labels);
        let value = f64::from(u32::try_from(index).expect("few")) * 1_234.5;
        batch.float(Float { timestamp: 1_700_000_000_123, value, start: 0 });
    }
    batch
}

fn page(batch: &Batch, format: Format) -> Vec<u8> {
    let mut page = String::from("# TYPE node_network_receive_bytes_total unknown\n");
    if format == Format::Text {
        page = page.replace("unknown", "untyped");
    }
    for series in batch.series() {
        let labels: Vec<String> = series
            .iter_labels()
            .filter(|(name, _)| *name != "__name__")
            .map(|(name, value)| format!("{name}=\"{value}\""))
            .collect();
        let value = series.floats[0].value;
        page += &format!("node_network_receive_bytes_total{{{}}} {value}\n", labels.join(","));
    }
    if format == Format::OpenMetrics {
        page += "# EOF\n";
    }
    page.into_bytes()
}

fn otlp() -> Vec<u8> {
    let text = |key: &str, value: &str| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) }),
        ..KeyValue::default()
    };
    let points = (0..SERIES).map(|index| NumberDataPoint {
        attributes: vec![
            text("network.device", &index.to_string()),
            text("network.io.direction", "receive"),
            text("host.name", "ip-10-0-13-37.eu-central-1.compute.internal"),
            text("cluster", "eu-central-1-production"),
            text("namespace", "monitoring"),
            text("pod", "node-exporter-x7k2p"),
        ],
        time_unix_nano: 1_700_000_000_123_000_000,
        value: Some(number_data_point::Value::AsDouble(1.5)),
        ..NumberDataPoint::default()
    });
    let data = Some(metric::Data::Gauge(Gauge { data_points: points.collect() }));
    let metrics = vec![Metric {
        name: "system.network.io".to_owned(),
        unit: "By".to_owned(),
        data,
        ..Metric::default()
    }];
    let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
    let resource_metrics = vec![ResourceMetrics { scope_metrics, ..ResourceMetrics::default() }];
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
}
