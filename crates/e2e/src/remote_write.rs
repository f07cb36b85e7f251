//! Remote write 1.0, as a Prometheus sends it.

use crate::otlp::{Reply, post};

/// One series and its samples: milliseconds since 1970 and values.
#[derive(Debug, Clone)]
pub struct Series {
    labels: Vec<(String, String)>,
    samples: Vec<(i64, f64)>,
}

impl Series {
    /// `labels` in any order; the name is one of them.
    #[must_use]
    pub fn new(name: &str, labels: &[(&str, &str)], samples: &[(i64, f64)]) -> Series {
        let name = ("__name__".to_owned(), name.to_owned());
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut labels: Vec<_> = std::iter::once(name).chain(labels).collect();
        labels.sort();
        Series { labels, samples: samples.to_vec() }
    }
}

/// The request's message.
#[must_use]
pub fn request(series: &[Series]) -> Vec<u8> {
    let mut request = Vec::new();
    for one in series {
        let mut message = Vec::new();
        for (name, value) in &one.labels {
            let mut label = Vec::new();
            put_bytes(&mut label, 1, name.as_bytes());
            put_bytes(&mut label, 2, value.as_bytes());
            put_bytes(&mut message, 1, &label);
        }
        for (time, value) in &one.samples {
            let mut sample = vec![1 << 3 | 1];
            sample.extend_from_slice(&value.to_le_bytes());
            sample.push(2 << 3);
            put_varint(&mut sample, time.cast_unsigned());
            put_bytes(&mut message, 2, &sample);
        }
        put_bytes(&mut request, 1, &message);
    }
    request
}

/// Sends series to `base`, the address of a server that speaks Prometheus's API.
///
/// # Errors
/// When there is no answer.
pub async fn write(http: &reqwest::Client, base: &str, series: &[Series]) -> anyhow::Result<Reply> {
    let body = snap::raw::Encoder::new().compress_vec(&request(series))?;
    let headers = [
        ("content-encoding", "snappy"),
        ("content-type", "application/x-protobuf"),
        ("x-prometheus-remote-write-version", "0.1.0"),
    ];
    Ok(post(http, &format!("{base}/api/v1/write"), &headers, body).await?)
}

fn put_varint(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push(u8::try_from(value & 0x7f).expect("seven bits") | 0x80);
        value >>= 7;
    }
    into.push(u8::try_from(value).expect("seven bits"));
}

fn put_bytes(into: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    into.push(field << 3 | 2);
    put_varint(into, bytes.len() as u64);
    into.extend_from_slice(bytes);
}
