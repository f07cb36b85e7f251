//! The series that are sent, and their values.

use std::time::{SystemTime, UNIX_EPOCH};

use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};

/// Seconds between two samples of a series.
pub(crate) const STEP_SECONDS: i64 = 15;
/// Series of one metric.
const SERIES_OF_A_METRIC: usize = 200;
/// Series of one request.
const REQUEST: usize = 5_000;

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "samples end when the load begins")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

/// How a value moves on.
#[derive(Debug, Clone, Copy)]
enum Class {
    Constant,
    Counter,
    DecimalCounter,
    Gauge,
    DecimalGauge,
}

/// How much later than planned samples come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Jitter {
    None,
    /// 0 to [`JITTER_MS`], one for all series of a target, as scrapes have it.
    Target,
    /// 0 to [`JITTER_MS`], one for each series, as some agents send it.
    Series,
}

const JITTER_MS: u64 = 6;

/// One series: its labels, encoded, and its present value.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    labels: Vec<u8>,
    /// Which target it is of.
    target: u64,
    class: Class,
    value: f64,
}

impl Series {
    /// So many, in metrics of 200; `generation` keeps loads apart. Of ten metrics three are
    /// constant, four whole counters, one counts hundredths, one is a whole gauge and one a gauge
    /// of thousandths.
    pub(crate) fn many(count: usize, generation: usize) -> Vec<Series> {
        (0..count).map(|index| Series::new(index, generation)).collect()
    }

    fn new(index: usize, generation: usize) -> Series {
        let metric = index / SERIES_OF_A_METRIC;
        let within = index % SERIES_OF_A_METRIC;
        let (class, name) = match metric % 10 {
            0..3 => (Class::Constant, format!("node_metric_{metric}_info")),
            3..7 => (Class::Counter, format!("node_metric_{metric}_total")),
            7 => (Class::DecimalCounter, format!("node_metric_{metric}_seconds_total")),
            8 => (Class::Gauge, format!("node_metric_{metric}_bytes")),
            _ => (Class::DecimalGauge, format!("node_metric_{metric}_ratio")),
        };
        let target = within / 2;
        let instance = format!("host-{target}-{generation}:9100");
        let device = if within.is_multiple_of(2) { "sda" } else { "sdb" };
        let mut labels = Vec::new();
        for (name, value) in [
            ("__name__", name.as_str()),
            ("device", device),
            ("instance", &instance),
            ("job", "node"),
            ("zone", if within < 100 { "a" } else { "b" }),
        ] {
            let mut label = Vec::new();
            put_bytes(&mut label, 1, name.as_bytes());
            put_bytes(&mut label, 2, value.as_bytes());
            put_bytes(&mut labels, 1, &label);
        }
        Series { labels, target: target as u64, class, value: float(index % 977) }
    }

    fn advance(&mut self, random: &mut SmallRng) -> f64 {
        match self.class {
            Class::Constant => {}
            Class::Counter => self.value += float(random.random_range(0..400)),
            Class::DecimalCounter => {
                self.value = ((self.value + float(random.random_range(0..1_500)) / 100.0) * 100.0)
                    .round()
                    / 100.0;
            }
            Class::Gauge => self.value += float(random.random_range(0..200)) - 100.0,
            Class::DecimalGauge => {
                let moved = self.value + (float(random.random_range(0..2_000)) - 1_000.0) / 1_000.0;
                self.value = (moved * 1_000.0).round() / 1_000.0;
            }
        }
        self.value
    }
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn float(number: usize) -> f64 {
    number as f64
}

/// Requests of remote write 1.0, one after the other.
#[derive(Debug)]
pub(crate) struct Load {
    series: Vec<Series>,
    samples: usize,
    jitter: Jitter,
    random: SmallRng,
    /// The time of the first sample.
    from_ms: i64,
    sample: usize,
    at: usize,
}

impl Load {
    /// The samples end now.
    pub(crate) fn new(series: Vec<Series>, samples: usize, jitter: Jitter) -> Load {
        let length = i64::try_from(samples).unwrap_or_default() * STEP_SECONDS * 1_000;
        let random = SmallRng::seed_from_u64(7);
        Load { series, samples, jitter, random, from_ms: now_ms() - length, sample: 0, at: 0 }
    }

    /// The next body, compressed.
    pub(crate) fn next_request(&mut self) -> Option<Vec<u8>> {
        if self.sample == self.samples {
            return None;
        }
        let end = (self.at + REQUEST).min(self.series.len());
        let time =
            self.from_ms + i64::try_from(self.sample).unwrap_or_default() * STEP_SECONDS * 1_000;
        let mut body = Vec::with_capacity((end - self.at) * 200);
        let mut one = Vec::new();
        for index in self.at..end {
            let late_ms = self.late_ms(index);
            let series = &mut self.series[index];
            let value = series.advance(&mut self.random);
            one.clear();
            one.extend_from_slice(&series.labels);
            let mut sample = vec![9];
            sample.extend_from_slice(&value.to_le_bytes());
            sample.push(16);
            put_varint(&mut sample, time.cast_unsigned() + late_ms);
            put_bytes(&mut one, 2, &sample);
            put_bytes(&mut body, 1, &one);
        }
        self.at = end;
        if self.at == self.series.len() {
            (self.at, self.sample) = (0, self.sample + 1);
        }
        snap::raw::Encoder::new().compress_vec(&body).ok()
    }

    /// How much later than planned a series' present sample comes.
    fn late_ms(&mut self, index: usize) -> u64 {
        match self.jitter {
            Jitter::None => 0,
            Jitter::Target => {
                let target = self.series[index].target;
                // The same for all that ask about this target and sample.
                SmallRng::seed_from_u64(target << 32 | self.sample as u64)
                    .random_range(0..=JITTER_MS)
            }
            Jitter::Series => self.random.random_range(0..=JITTER_MS),
        }
    }
}

fn put_varint(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push(u8::try_from(value & 0x7f).unwrap_or_default() | 0x80);
        value >>= 7;
    }
    into.push(u8::try_from(value).unwrap_or_default());
}

fn put_bytes(into: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    into.push(field << 3 | 2);
    put_varint(into, bytes.len() as u64);
    into.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_is_sent_at_every_time() {
        let mut load = Load::new(Series::many(7_000, 0), 3, Jitter::Target);
        let mut requests = 0;
        while let Some(body) = load.next_request() {
            let body = snap::raw::Decoder::new().decompress_vec(&body).expect("snappy");
            assert_eq!(body.first(), Some(&0x0a));
            requests += 1;
        }
        assert_eq!(requests, 6);
    }
}
