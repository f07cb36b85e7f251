//! Points of 5 minutes and of 1 hour from samples.
//!
//! Windows end at multiples of their length and include that end, as range selectors do. Of each
//! window there are the sum, the count, the smallest and the largest value, at the time of its last
//! sample; stale markers are not counted. The column of last samples is a selection of the samples
//! as they came, at their own times: the first of all, the last of each window, and both samples
//! around each fall of the value. Increases over whole windows are therefore those of the samples,
//! counter resets included.

use std::sync::Arc;

use model::metric::is_stale;

use super::merge::{Series, apart};
use super::{Done, FIVE_MINUTES_MS, HOUR_MS, Policy, millis};
use crate::block::{Blocks, ChunkKind, Column, Error, Reader, Writer, WriterOptions};
use crate::chunk::{Effort, TimeRange};
use crate::points::{HistogramPoint, Points};

/// Makes the downsampled blocks that are due.
pub(crate) fn make_due(
    blocks: &Blocks,
    policy: &Policy,
    now_ms: i64,
    stop: &dyn Fn() -> bool,
    done: &mut Done,
) -> Result<(), Error> {
    let steps = [
        (0, FIVE_MINUTES_MS, policy.downsample_5m_after),
        (FIVE_MINUTES_MS, HOUR_MS, policy.downsample_1h_after),
    ];
    for (from_ms, to_ms, after) in steps.into_iter().filter(|(_, _, after)| !after.is_zero()) {
        let before_ms = now_ms.saturating_sub(millis(after));
        for block in blocks.all().iter() {
            let meta = block.meta();
            let exists = blocks.all().iter().any(|other| {
                other.meta().resolution_ms == to_ms
                    && meta.origins.iter().all(|origin| other.meta().origins.contains(origin))
            });
            if meta.resolution_ms != from_ms || meta.max_time >= before_ms || exists {
                continue;
            }
            if stop() {
                return Ok(());
            }
            downsample(blocks, block, to_ms)?;
            done.downsampled += 1;
        }
    }
    Ok(())
}

/// Makes a block of coarser points beside `source`.
pub(crate) fn downsample(
    blocks: &Blocks,
    source: &Arc<Reader>,
    resolution_ms: i64,
) -> Result<(), Error> {
    let readers = apart(std::slice::from_ref(source));
    let mut writer = blocks.writer_of(WriterOptions {
        scratch: blocks.scratch().to_owned(),
        effort: Effort::Small,
        resolution_ms,
        level: source.meta().level,
        sources: Vec::new(),
        origins: source.meta().origins.clone(),
    })?;
    let mut series = Series::of(&readers)?;
    while let Some((labels, places)) = series.next()? {
        for (source, number) in places {
            let input = Input::read(&readers[source], number)?;
            let windows = Windows::of(&input, resolution_ms);
            windows.write(&labels, &mut writer)?;
        }
    }
    blocks.replace(&[], writer.finish()?)?;
    Ok(())
}

/// What windows are made from: samples, or finer windows.
#[derive(Debug, Default)]
struct Input {
    /// At the times of `timestamps`; of samples as they came their values, all three.
    timestamps: Vec<i64>,
    sums: Vec<f64>,
    counts: Vec<f64>,
    minima: Vec<f64>,
    maxima: Vec<f64>,
    last: Points,
}

impl Input {
    fn read(reader: &Reader, series: u32) -> Result<Input, Error> {
        if reader.meta().resolution_ms == 0 {
            let mut samples = Points::default();
            reader.read(series, TimeRange::ALL, Column::Last, &mut samples)?;
            return Ok(Input::of_samples(samples));
        }
        let sums = reader.read_stored(series, Column::Sum)?;
        Ok(Input {
            counts: reader.read_stored(series, Column::Count)?.values,
            minima: reader.read_stored(series, Column::Min)?.values,
            maxima: reader.read_stored(series, Column::Max)?.values,
            last: reader.read_stored(series, Column::Last)?,
            timestamps: sums.timestamps,
            sums: sums.values,
        })
    }

    fn of_samples(samples: Points) -> Input {
        let mut input = Input::default();
        let floats = samples.timestamps.iter().zip(&samples.values);
        for (&timestamp, &value) in floats.filter(|&(_, &value)| !is_stale(value)) {
            input.timestamps.push(timestamp);
            input.sums.push(value);
        }
        input.counts = vec![1.0; input.sums.len()];
        input.minima.clone_from(&input.sums);
        input.maxima.clone_from(&input.sums);
        input.last = samples;
        input
    }
}

/// One series' windows.
#[derive(Debug, Default)]
struct Windows {
    timestamps: Vec<i64>,
    sums: Vec<f64>,
    counts: Vec<f64>,
    minima: Vec<f64>,
    maxima: Vec<f64>,
    last: Points,
}

/// The window of a time: those after `(n - 1) * resolution` up to and with `n * resolution`.
fn window_of(timestamp: i64, resolution_ms: i64) -> i64 {
    timestamp.saturating_sub(1).div_euclid(resolution_ms)
}

impl Windows {
    fn of(input: &Input, resolution_ms: i64) -> Windows {
        let mut windows = Windows::default();
        let mut open = None;
        for (at, &timestamp) in input.timestamps.iter().enumerate() {
            let window = window_of(timestamp, resolution_ms);
            let (sum, count) = (input.sums[at], input.counts[at]);
            let (min, max) = (input.minima[at], input.maxima[at]);
            if open == Some(window) {
                let place = windows.timestamps.len() - 1;
                windows.timestamps[place] = timestamp;
                windows.sums[place] += sum;
                windows.counts[place] += count;
                // A number wins over NaN, as in Prometheus's functions.
                windows.minima[place] = windows.minima[place].min(min);
                windows.maxima[place] = windows.maxima[place].max(max);
            } else {
                open = Some(window);
                windows.timestamps.push(timestamp);
                windows.sums.push(sum);
                windows.counts.push(count);
                windows.minima.push(min);
                windows.maxima.push(max);
            }
        }
        windows.last = last_samples(&input.last, resolution_ms);
        windows
    }

    fn write(&self, labels: &model::metric::Labels, writer: &mut Writer) -> Result<(), Error> {
        let mut columns: Vec<(ChunkKind, &[i64], &[f64])> = Vec::new();
        let aggregates = [
            (Column::Sum, &self.sums),
            (Column::Count, &self.counts),
            (Column::Min, &self.minima),
            (Column::Max, &self.maxima),
        ];
        for (column, values) in aggregates {
            if !values.is_empty() {
                columns.push((ChunkKind::Downsampled(column), &self.timestamps, values));
            }
        }
        if !self.last.timestamps.is_empty() {
            let kind = ChunkKind::Downsampled(Column::Last);
            columns.push((kind, &self.last.timestamps, &self.last.values));
        }
        let raw: f64 = self.counts.iter().sum();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a sum of counts"
        )]
        let raw = raw as u64;
        writer.add_columns(labels, &columns, &self.last.histograms, raw)
    }
}

/// The samples that stand for all: see the top of the file.
fn last_samples(samples: &Points, resolution_ms: i64) -> Points {
    let mut kept = Points::default();
    let len = samples.timestamps.len();
    for at in 0..len {
        let (timestamp, value) = (samples.timestamps[at], samples.values[at]);
        let window = window_of(timestamp, resolution_ms);
        let next = samples.timestamps.get(at + 1);
        let ends_window = next.is_none_or(|&next| window_of(next, resolution_ms) != window);
        let falls_next = at + 1 < len && samples.values[at + 1] < value;
        let fell = at > 0 && value < samples.values[at - 1];
        // A marker in between parts what is before it from what is behind.
        let by_marker = is_stale(value)
            || (at + 1 < len && is_stale(samples.values[at + 1]))
            || (at > 0 && is_stale(samples.values[at - 1]));
        if at == 0 || ends_window || falls_next || fell || by_marker {
            kept.push(timestamp, value, 0);
        }
    }
    kept.histograms = last_histograms(&samples.histograms, resolution_ms);
    kept
}

fn last_histograms(samples: &[HistogramPoint], resolution_ms: i64) -> Vec<HistogramPoint> {
    let is_kept = |at: usize| {
        let window = window_of(samples[at].timestamp, resolution_ms);
        let next = samples.get(at + 1);
        let count = |point: &HistogramPoint| point.histogram.count;
        let stale = |point: &HistogramPoint| point.histogram.is_stale();
        at == 0
            || next.is_none_or(|next| {
                window_of(next.timestamp, resolution_ms) != window
                    || count(next) < count(&samples[at])
                    || stale(next)
            })
            || count(&samples[at]) < count(&samples[at - 1])
            || stale(&samples[at])
            || stale(&samples[at - 1])
    };
    (0..samples.len()).filter(|&at| is_kept(at)).map(|at| samples[at].clone()).collect()
}
