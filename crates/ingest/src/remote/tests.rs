//! Remote write through the router, and the codec back and forth.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use model::metric::{
    Batch, Exemplar, Float, Histogram, HistogramSample, Labels, Metadata, MetricType, ResetHint,
    Span, stale_nan,
};
use stdx::clock::Clock;
use stdx::memory::Budget;
use tower::ServiceExt as _;

use super::*;
use crate::metric_sink::Rejection;
use crate::metrics::testing::{MemorySink, display};
use crate::metrics::{MetricLimits, MetricReceiver, MetricReceiverOptions};
use crate::sink::SinkError;

const NOW_MS: i64 = 1_700_000_000_000;

struct Server {
    sink: Arc<MemorySink>,
    budget: Budget,
    router: Router,
}

struct Answer {
    status: StatusCode,
    headers: http::HeaderMap,
    text: String,
}

impl Server {
    fn new(sink: MemorySink) -> Server {
        Server::with(sink, MetricLimits::default(), 64 << 20)
    }

    fn with(sink: MemorySink, limits: MetricLimits, budget_bytes: usize) -> Server {
        let sink = Arc::new(sink);
        let budget = Budget::new("ingest", budget_bytes);
        let clock = Clock::manual(NOW_MS * 1_000_000);
        let options = MetricReceiverOptions::new(Arc::clone(&sink) as _, budget.clone(), clock);
        let receiver = MetricReceiver::new(MetricReceiverOptions { limits, ..options });
        Server { sink, budget, router: router(receiver) }
    }

    async fn post(&self, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let mut request = Request::post("/api/v1/write");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body)).expect("a valid request");
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let (parts, body) = response.into_parts();
        let body: Bytes = body.collect().await.expect("in memory").to_bytes();
        let text = String::from_utf8_lossy(&body).trim_end().to_owned();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    fn written(&self) -> String {
        let writes = self.sink.writes.lock().expect("not poisoned");
        writes.iter().map(|write| display(&write.batch)).collect()
    }
}

impl Answer {
    fn counts(&self) -> Vec<&str> {
        [SAMPLES_WRITTEN, HISTOGRAMS_WRITTEN, EXEMPLARS_WRITTEN]
            .iter()
            .filter_map(|name| self.headers.get(*name)?.to_str().ok())
            .collect()
    }
}

fn histogram() -> Histogram {
    Histogram {
        reset_hint: ResetHint::Gauge,
        schema: 3,
        zero_threshold: 0.001,
        zero_count: 2.0,
        count: 12.0,
        sum: 18.5,
        positive_spans: vec![Span { offset: -3, length: 2 }, Span { offset: 1, length: 1 }],
        negative_spans: vec![Span { offset: 0, length: 1 }],
        positive_buckets: vec![1.0, 5.0, 3.0],
        negative_buckets: vec![1.0],
        custom_values: Vec::new(),
    }
}

fn full_batch() -> Batch {
    let mut batch = Batch::new();
    batch.begin_with(&Labels::from_pairs(&[
        ("__name__", "http_requests_total"),
        ("instance", "a:80"),
        ("größe", &"x".repeat(200)),
    ]));
    batch.float(Float { timestamp: NOW_MS, value: 1.5, start: NOW_MS - 9 });
    batch.float(Float { timestamp: NOW_MS + 1, value: stale_nan(), start: 0 });
    batch.exemplar(Exemplar {
        labels: Labels::from_pairs(&[("trace_id", "abc")]),
        value: 0.25,
        timestamp: NOW_MS - 1,
    });
    batch.begin_with(&Labels::from_pairs(&[("__name__", "latency_seconds")]));
    batch.histogram(HistogramSample { timestamp: NOW_MS, start: 7, histogram: histogram() });
    let floats = Histogram {
        count: 1.25,
        zero_count: 0.25,
        positive_spans: vec![Span { offset: 0, length: 2 }],
        positive_buckets: vec![0.5, 0.5],
        schema: Histogram::CUSTOM_BUCKETS_SCHEMA,
        custom_values: vec![1.0, 2.5],
        ..Histogram::default()
    };
    batch.histogram(HistogramSample { timestamp: NOW_MS + 1, start: 0, histogram: floats });
    for (metric, kind) in
        [("http_requests_total", MetricType::Counter), ("latency_seconds", MetricType::Histogram)]
    {
        let (help, unit) = ("what it is".to_owned(), "seconds".to_owned());
        batch.metadata(Metadata { metric: metric.to_owned(), kind, help, unit });
    }
    batch
}

const V1: [(&str, &str); 3] = [
    ("content-type", "application/x-protobuf"),
    ("content-encoding", "snappy"),
    ("x-prometheus-remote-write-version", "0.1.0"),
];
const V2: [(&str, &str); 3] = [
    ("content-type", "application/x-protobuf;proto=io.prometheus.write.v2.Request"),
    ("content-encoding", "snappy"),
    ("x-prometheus-remote-write-version", "2.0.0"),
];

#[tokio::test]
async fn both_versions_are_taken_in_whole() {
    for (version, headers) in [(Version::V1, V1), (Version::V2, V2)] {
        let server = Server::new(MemorySink::default());
        let batch = full_batch();
        let answer = server.post(&headers, compress(&encode(version, &batch))).await;
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::NO_CONTENT, ""));
        assert_eq!(answer.counts(), ["2", "2", "1"]);
        let mut expected = display(&batch);
        if version == Version::V1 {
            // It has no start timestamps.
            expected = expected.replace(&format!("(since {})", NOW_MS - 9), "");
            expected = expected.replace("(since 7)", "(since 0)");
        }
        assert_eq!(server.written(), expected);
        let writes = server.sink.writes.lock().expect("not poisoned");
        assert_eq!(server.budget.used_bytes(), writes[0].memory.bytes());
        assert_eq!(writes[0].memory.bytes(), writes[0].batch.size_bytes());
        let stale = writes[0].batch.series().next().expect("a series").floats[1].value;
        assert!(model::metric::is_stale(stale));
    }
}

#[tokio::test]
async fn headers_decide_and_may_be_missing() {
    let server = Server::new(MemorySink::default());
    let body = compress(&encode(Version::V1, &full_batch()));
    let check = async |headers: &[(&str, &str)], status: u16, text: &str| {
        let answer = server.post(headers, body.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{headers:?}: {}", answer.text);
        assert!(answer.text.contains(text), "{}", answer.text);
    };
    check(&[], 204, "").await;
    check(&[("content-type", "application/x-protobuf;proto=prometheus.WriteRequest")], 204, "")
        .await;
    check(&[("content-type", "text/plain")], 415, "expected application/x-protobuf").await;
    check(&[("content-type", "application/x-protobuf;proto=x.Y")], 415, "message x.Y").await;
    check(&[("content-encoding", "zstd")], 415, "only snappy is acceptable").await;
    // The other message has no fields in common: nothing is written, nothing is wrong.
    check(&V2, 204, "").await;
}

#[tokio::test]
async fn what_can_be_written_is_and_the_rest_is_told() {
    let mut batch = Batch::new();
    let series = |batch: &mut Batch, labels: &[(&str, &str)], timestamp: i64| {
        batch.begin();
        labels.iter().for_each(|(name, value)| batch.label(name, value));
        batch.float(Float { timestamp, value: 1.0, start: 0 });
    };
    series(&mut batch, &[("__name__", "good")], NOW_MS);
    series(&mut batch, &[("job", "no name")], NOW_MS);
    series(&mut batch, &[("__name__", "twice"), ("a", "1"), ("a", "2")], NOW_MS);
    series(&mut batch, &[("__name__", "late")], NOW_MS + 700_000);
    series(&mut batch, &[("__name__", "b"), ("Z", "1")], NOW_MS);
    let rejects = vec![Rejection {
        reason: "out of order sample".to_owned(),
        count: 2,
        example: r#"{__name__="good"}"#.to_owned(),
    }];
    for (version, headers) in [(Version::V1, V1), (Version::V2, V2)] {
        let server = Server::new(MemorySink { rejects: rejects.clone(), ..MemorySink::default() });
        let answer = server.post(&headers, compress(&encode(version, &batch))).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert_eq!(answer.counts(), ["2", "0", "0"]);
        assert_eq!(
            answer.text.lines().collect::<Vec<_>>(),
            [
                r#"invalid metric name or labels for series {job="no name"}"#,
                r#"invalid labels, a label comes twice for series {__name__="twice", a="1", a="2"}"#,
                r#"out of bounds for series {__name__="late"}"#,
                r#"out of order sample for series {__name__="good"} (2 samples)"#,
            ]
        );
        assert_eq!(
            server.written(),
            format!("{{__name__=\"good\"}} 1@{NOW_MS}\n{{Z=\"1\", __name__=\"b\"}} 1@{NOW_MS}\n")
        );
    }
}

#[tokio::test]
async fn broken_bodies_are_refused_with_the_place() {
    let server = Server::new(MemorySink::default());
    let check = async |body: Vec<u8>, status: u16, text: &str| {
        let answer = server.post(&V1, body).await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
        assert!(answer.text.contains(text), "{}", answer.text);
        assert_eq!(server.budget.used_bytes(), 0);
    };
    check(b"no snappy".to_vec(), 400, "cannot decompress the body as snappy").await;
    check(compress(b"\x0a\x05"), 400, "cannot decode the write request: 5 bytes needed").await;
    check(compress(b"\x0a\x02\x12\x09"), 400, "timeseries[0]: 9 bytes needed, 0 left").await;
    // Says that it is 1 GiB, and is not.
    check(vec![0x80, 0x80, 0x80, 0x80, 0x04, 0], 413, "the decompressed body is over").await;
    check(vec![0x80, 0x80, 0x80, 0x08, 0], 400, "shorter than it says").await;
}

#[tokio::test]
async fn limits_hold_and_memory_is_counted() {
    let limits = MetricLimits { series_per_body_max: 1, ..MetricLimits::default() };
    let server = Server::with(MemorySink::default(), limits, 64 << 20);
    let answer = server.post(&V1, compress(&encode(Version::V1, &full_batch()))).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.text.contains("too many series in one request"), "{}", answer.text);
    assert_eq!(answer.counts(), ["2", "0", "1"]);

    // A million empty samples are 2 MB on the wire and 24 MB decoded.
    let mut message = b"\x0a\x0e\x0a\x08__name__\x12\x02up".to_vec();
    message.extend(std::iter::repeat_n([0x12, 0x00], 1_000_000).flatten());
    let mut writer = crate::wire::Writer::default();
    writer.bytes(1, &message);
    let server = Server::with(MemorySink::default(), MetricLimits::default(), 16 << 20);
    let answer = server.post(&V1, compress(&writer.finish())).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(server.budget.used_bytes(), 0);
}

#[tokio::test]
async fn back_pressure_reaches_the_sender() {
    let retry_after = Duration::from_millis(2_500);
    for (error, status, seconds) in [
        (SinkError::Full { retry_after }, 429, "3"),
        (SinkError::Unavailable { reason: "disk".to_owned(), retry_after }, 503, "3"),
        (SinkError::ShuttingDown, 503, "1"),
    ] {
        let server = Server::new(MemorySink { refuses_with: Some(error), ..MemorySink::default() });
        let answer = server.post(&V1, compress(&encode(Version::V1, &full_batch()))).await;
        assert_eq!(answer.status.as_u16(), status);
        assert_eq!(answer.headers["retry-after"], seconds);
        assert_eq!(server.budget.used_bytes(), 0);
    }
}

#[test]
fn labels_behind_samples_and_unpacked_fields_are_read() {
    let budget = Budget::new("test", 1 << 20);
    let decode = |version, body: &[u8]| {
        let memory = budget.reserve(body.len()).expect("room");
        let (batch, rejected) =
            decode_write(version, body, &MetricLimits::default(), memory).expect("valid");
        assert_eq!(rejected, 0);
        display(&batch)
    };
    let mut writer = crate::wire::Writer::default();
    let series = writer.open(1);
    let sample = writer.open(2);
    writer.varint(2, 5);
    writer.close(sample);
    let label = writer.open(1);
    writer.bytes(2, b"up");
    writer.bytes(1, b"__name__");
    writer.close(label);
    writer.close(series);
    assert_eq!(decode(Version::V1, &writer.finish()), "{__name__=\"up\"} 0@5\n");

    let mut writer = crate::wire::Writer::default();
    let series = writer.open(5);
    writer.varint(1, 1);
    writer.varint(1, 2);
    writer.varint(6, 3);
    let sample = writer.open(2);
    writer.varint(2, 5);
    writer.close(sample);
    writer.close(series);
    ["", "__name__", "up"].iter().for_each(|text| writer.bytes(4, text.as_bytes()));
    // The created timestamp of before samples had one.
    assert_eq!(decode(Version::V2, &writer.finish()), "{__name__=\"up\"} 0@5(since 3)\n");
}

mod read {
    use super::*;
    use crate::wire::{Field, Reader, Writer};
    use model::Tenant;

    /// Two series of floats, or one of native histograms.
    #[derive(Debug)]
    struct Source {
        native: bool,
        asked: std::sync::Mutex<Vec<String>>,
    }

    struct Found {
        native: bool,
    }

    impl ReadSeries for Found {
        fn len(&self) -> usize {
            2
        }

        fn labels(&self, index: usize) -> Labels {
            Labels::from_pairs(&[("__name__", "up"), ("i", &index.to_string())])
        }

        fn read(&self, index: usize, points: &mut ReadPoints) -> Result<(), ReadError> {
            if self.native {
                let sample = HistogramSample { timestamp: 5, start: 0, histogram: histogram() };
                points.histograms.push(sample);
                return Ok(());
            }
            let samples = if index == 0 { 130 } else { 1 };
            points.floats.extend((0..samples).map(|at| Float {
                timestamp: NOW_MS + at * 1_000,
                value: 2.0,
                start: 0,
            }));
            Ok(())
        }
    }

    impl ReadSource for Source {
        fn select(
            &self,
            tenant: &Tenant,
            query: &ReadQuery,
        ) -> Result<Box<dyn ReadSeries>, ReadError> {
            let ReadQuery { start, end, matchers, step, function } = query;
            let text = format!("{tenant} {start}..{end} {matchers:?} {step} {function}");
            self.asked.lock().expect("not poisoned").push(text);
            Ok(Box::new(Found { native: self.native }))
        }
    }

    fn request(types: &[u64]) -> Vec<u8> {
        let mut writer = Writer::default();
        let query = writer.open(1);
        writer.varint(1, 10);
        writer.varint(2, 20);
        for (kind, name, value) in [(0, "__name__", "up"), (2, "i", "0|1")] {
            let matcher = writer.open(3);
            writer.varint(1, kind);
            writer.bytes(2, name.as_bytes());
            writer.bytes(3, value.as_bytes());
            writer.close(matcher);
        }
        let hints = writer.open(4);
        writer.varint(1, 15_000);
        writer.bytes(2, b"rate");
        writer.close(hints);
        writer.close(query);
        types.iter().for_each(|kind| writer.varint(2, *kind));
        compress(&writer.finish())
    }

    async fn post(
        native: bool,
        body: Vec<u8>,
    ) -> (StatusCode, http::HeaderMap, Vec<u8>, Vec<String>) {
        let source = Arc::new(Source { native, asked: std::sync::Mutex::default() });
        let budget = Budget::new("read", 16 << 20);
        let router = read_router(Arc::clone(&source) as _, budget.clone(), ReadLimits::default());
        let request = Request::post("/api/v1/read").body(Body::from(body)).expect("valid");
        let response = router.oneshot(request).await.expect("infallible");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("in memory").to_bytes().to_vec();
        assert_eq!(budget.used_bytes(), 0);
        let asked = source.asked.lock().expect("not poisoned").clone();
        (parts.status, parts.headers, body, asked)
    }

    fn all(message: &[u8], number: u32) -> Vec<&[u8]> {
        let mut reader = Reader::new(message);
        let mut found = Vec::new();
        while let Some((at, field)) = reader.next().expect("valid") {
            if let (true, Field::Bytes(bytes)) = (at == number, field) {
                found.push(bytes);
            }
        }
        found
    }

    #[tokio::test]
    async fn samples_are_answered_as_a_whole() {
        let (status, headers, body, asked) = post(false, request(&[])).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers["content-encoding"], "snappy");
        assert_eq!(asked, [r#"default 10..20 [__name__="up", i=~"0|1"] 15000 rate"#]);
        let body = snap::raw::Decoder::new().decompress_vec(&body).expect("snappy");
        let results = all(&body, 1);
        assert_eq!(results.len(), 1);
        let series = all(results[0], 1);
        assert_eq!(series.iter().map(|s| all(s, 2).len()).collect::<Vec<_>>(), [130, 1]);
    }

    #[tokio::test]
    async fn chunks_are_streamed_in_frames() {
        let (status, headers, body, _) = post(false, request(&[1, 0])).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(
            headers["content-type"],
            "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse"
        );
        let mut rest = &body[..];
        let mut chunks = Vec::new();
        while !rest.is_empty() {
            // Lengths here are over 127 once, and under it once.
            let (length, head) = if rest[0] < 0x80 {
                (usize::from(rest[0]), 1)
            } else {
                (usize::from(rest[0] & 0x7f) | usize::from(rest[1]) << 7, 2)
            };
            let (sum, after) = rest[head..].split_at(4);
            let (message, next) = after.split_at(length);
            assert_eq!(sum, xor::crc32c(message).to_be_bytes());
            let series = all(message, 1);
            chunks.push(series.iter().map(|s| all(s, 2).len()).sum::<usize>());
            rest = next;
        }
        assert_eq!(chunks, [2, 1]);
    }

    #[tokio::test]
    async fn native_histograms_are_samples_or_chunks() {
        let (status, headers, body, _) = post(true, request(&[0, 1])).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers["content-type"], "application/x-protobuf");
        let body = snap::raw::Decoder::new().decompress_vec(&body).expect("snappy");
        assert_eq!(all(all(all(&body, 1)[0], 1)[0], 4).len(), 1);
        let (status, _, body, _) = post(true, request(&[1])).await;
        assert_eq!(status, StatusCode::OK);
        let (length, rest) = (usize::from(body[0] & 0x7f), &body[1..]);
        assert!(body[0] < 0x80, "a short message");
        let chunks = all(all(&rest[4..4 + length], 1)[0], 2);
        assert_eq!(chunks.len(), 1);
        let encodings = Reader::new(chunks[0]).next().expect("valid").map(|(number, _)| number);
        assert_eq!(encodings, Some(1));
        assert_eq!(all(chunks[0], 4)[0][..2], [0, 1]);
    }

    #[tokio::test]
    async fn a_request_that_does_not_parse_is_refused_with_its_place() {
        let (status, _, body, _) = post(true, compress(b"\x0a\x02\x1a\x05")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        let text = String::from_utf8_lossy(&body).into_owned();
        assert!(text.contains("queries[0]: 5 bytes needed, 0 left"), "{text}");
    }
}
