//! What every target checks: a body is decoded or refused, twice the same, and takes no more memory
//! than its size justifies.

use bytes::Bytes;
use ingest::otlp::metrics::Translation;
use ingest::remote::Version;
use ingest::{Format, Limits, MetricLimits, exposition, otlp, remote};
use model::Tenant;
use model::metric::{Batch, Labels};
use stdx::memory::Budget;

/// Decodes `body` and checks what must hold for every body.
pub fn check(format: Format, body: &Bytes) {
    let limits = Limits { attribute_columns_per_batch_max: 20, ..Limits::default() };
    let tenant = Tenant::default();
    let decode = || otlp::decode(format, &tenant, 1_700_000_000_000_000_000, &limits, body);
    match (decode(), decode()) {
        (Ok(one), Ok(two)) => {
            // Doubles that are not a number differ from themselves; text tells them apart.
            if one.batch != two.batch {
                assert_eq!(format!("{:?}", one.batch), format!("{:?}", two.batch));
            }
            assert_eq!(one.report, two.report);
            let bytes_max = (4 << 20) + 64 * body.len();
            assert!(one.memory_bytes <= bytes_max, "{} bytes held", one.memory_bytes);
        }
        (Err(one), Err(two)) => assert_eq!(one, two),
        (one, two) => panic!("{one:?}, then {two:?}"),
    }
}

/// Reads a page and checks what must hold for every page.
pub fn check_page(page: &[u8], format: exposition::Format) {
    let read = |options: exposition::Options| -> Result<usize, exposition::Error> {
        let mut parser = exposition::Parser::new(page, format, options)?;
        let mut entries = 0;
        while let Some(entry) = parser.next() {
            let labels = match entry? {
                exposition::Entry::Series(series) => Some(series.labels),
                exposition::Entry::Histogram(native) => Some(native.labels),
                _ => None,
            };
            if let Some(labels) = labels {
                let first = labels.iter().next().expect("a name");
                assert_eq!((first.0.as_ref(), first.1), ("__name__", labels.name()));
                assert!(!labels.key().is_empty());
            }
            entries += 1;
        }
        assert!(parser.next().is_none(), "nothing comes behind the end");
        Ok(entries)
    };
    let options = exposition::Options::default();
    let lenient = read(options.clone());
    if let Ok(entries) = &lenient {
        assert!(*entries <= page.len());
    }
    let strict = read(exposition::Options { strict: true, ..options.clone() });
    assert!(strict.is_err() || strict == lenient, "{strict:?}, {lenient:?}");
    let starts =
        exposition::Options { start_timestamps: true, classic_histograms: true, ..options };
    assert_eq!(read(starts).is_ok(), lenient.is_ok());
}

/// What must hold for every batch that a decoder made of `bytes` bytes.
fn check_batch(batch: &Batch, bytes: usize) {
    for series in batch.series() {
        let labels: Vec<_> = series.iter_labels().collect();
        assert!(labels.is_sorted_by(|one, two| one.0 < two.0), "{labels:?}");
        assert!(labels.iter().all(|(name, value)| !name.is_empty() && !value.is_empty()));
        assert!(labels.iter().any(|(name, _)| *name == "__name__"), "{labels:?}");
        assert_eq!(Labels::from_pairs(&labels).as_bytes(), series.labels);
    }
    let bytes_max = (1 << 20) + 2_000 * bytes;
    assert!(batch.size_bytes() <= bytes_max, "{} bytes held", batch.size_bytes());
}

/// Decodes a remote write request; what it says is said again when it is written again.
pub fn check_write(version: Version, body: &[u8]) {
    let decode = |body: &[u8]| {
        let memory = Budget::new("fuzz", 256 << 20).reserve(body.len()).expect("room");
        remote::decode_write(version, body, &MetricLimits::default(), memory)
    };
    let Ok((batch, _)) = decode(body) else { return };
    check_batch(&batch, body.len());
    let (again, rejected) = decode(&remote::encode(version, &batch)).expect("as it was written");
    assert_eq!(rejected, 0);
    let text = |batch: &Batch| {
        batch
            .series()
            .map(|series| format!("{:?} {:?}", series.labels, series.floats))
            .collect::<Vec<_>>()
    };
    if version == Version::V2 {
        assert_eq!(text(&batch), text(&again));
    } else {
        assert_eq!(batch.samples_len(), again.samples_len());
    }
}

/// Decodes OTLP metrics.
pub fn check_metrics(translation: &Translation, body: &[u8]) {
    let memory = Budget::new("fuzz", 256 << 20).reserve(body.len()).expect("room");
    let limits = MetricLimits::default();
    if let Ok((batch, _)) = otlp::metrics::decode_metrics(translation, body, &limits, memory) {
        check_batch(&batch, body.len());
    }
}
