//! A series as a checkpoint keeps it: its chunks as they are.

use std::sync::Arc;

use model::metric::{Histogram, Labels};

use super::histograms;
use super::series::{Closed, Histograms, Late, LatePoints, More, Series};
use super::stream::{Last, Sample};
use crate::points::HistogramPoint;
use crate::varint;

const RUN: u8 = 1;
const MORE: u8 = 2;
const HISTOGRAMS: u8 = 1;
const LATE: u8 = 2;

/// Writes a series.
pub(crate) fn put(into: &mut Vec<u8>, series: &Series) {
    varint::put_bytes(into, series.labels.as_bytes());
    let Last { timestamp, bits, delta, count, run } = series.last;
    let more = series.more.as_deref();
    into.push(if run { RUN } else { 0 } | if more.is_some() { MORE } else { 0 });
    varint::put_signed(into, timestamp);
    into.extend_from_slice(&bits.to_le_bytes());
    varint::put_signed(into, i64::from(delta));
    varint::put(into, u64::from(count));
    varint::put_bytes(into, &series.open);
    if let Some(more) = more {
        put_more(into, more);
    }
}

fn put_more(into: &mut Vec<u8>, more: &More) {
    let histograms = more.histograms.as_deref();
    let late = more.late.as_deref();
    into.push(
        if histograms.is_some() { HISTOGRAMS } else { 0 } | if late.is_some() { LATE } else { 0 },
    );
    varint::put_signed(into, more.start);
    put_closed(into, &more.closed);
    if let Some(all) = histograms {
        put_closed(into, &all.closed);
        varint::put_bytes(into, &all.open);
        into.push(u8::from(all.open_empty));
        varint::put_signed(into, all.open_first);
        varint::put_signed(into, all.last_timestamp);
        histograms::put(into, &Histogram::default(), 0, &all.last);
    }
    if let Some(late) = late {
        varint::put(into, u64::from(late.epoch));
        put_late(into, &late.early);
        put_late(into, &late.points);
    }
}

fn put_closed(into: &mut Vec<u8>, chunks: &[Closed]) {
    varint::put(into, chunks.len() as u64);
    for chunk in chunks {
        varint::put_signed(into, chunk.first);
        varint::put_signed(into, chunk.last.wrapping_sub(chunk.first));
        varint::put_bytes(into, &chunk.bytes);
    }
}

fn put_late(into: &mut Vec<u8>, points: &LatePoints) {
    varint::put(into, points.floats.len() as u64);
    for sample in &points.floats {
        varint::put_signed(into, sample.timestamp);
        varint::put_signed(into, sample.start);
        varint::put_float(into, sample.value);
    }
    varint::put(into, points.histograms.len() as u64);
    for point in &points.histograms {
        varint::put_signed(into, point.timestamp);
        histograms::put(into, &Histogram::default(), point.start, &point.histogram);
    }
}

/// Reads what [`put`] wrote.
pub(crate) fn take(mut bytes: &[u8]) -> Option<Series> {
    let bytes = &mut bytes;
    let labels = Labels::from_canonical(varint::take_bytes(bytes)?);
    let hash = super::hash_of(labels.as_bytes());
    let [flags] = varint::take_array(bytes)?;
    let timestamp = varint::take_signed(bytes)?;
    let bits = u64::from_le_bytes(varint::take_array(bytes)?);
    let delta = i32::try_from(varint::take_signed(bytes)?).ok()?;
    let count = u32::try_from(varint::take(bytes)?).ok()?;
    let last = Last { timestamp, bits, delta, count, run: flags & RUN != 0 };
    let open = varint::take_bytes(bytes)?.to_vec();
    let more = if flags & MORE == 0 { None } else { Some(Box::new(take_more(bytes)?)) };
    Some(Series { labels, hash, last, open, more })
}

fn take_more(bytes: &mut &[u8]) -> Option<More> {
    let [flags] = varint::take_array(bytes)?;
    let start = varint::take_signed(bytes)?;
    let closed = take_closed(bytes)?;
    let mut more = More { closed, start, histograms: None, late: None };
    if flags & HISTOGRAMS != 0 {
        let closed = take_closed(bytes)?;
        let open = varint::take_bytes(bytes)?.to_vec();
        let [open_empty] = varint::take_array(bytes)?;
        let open_first = varint::take_signed(bytes)?;
        let last_timestamp = varint::take_signed(bytes)?;
        let (_, last) = histograms::take(bytes, &Histogram::default())?;
        let open_empty = open_empty != 0;
        let all = Histograms { closed, open, open_first, last_timestamp, last, open_empty };
        more.histograms = Some(Box::new(all));
    }
    if flags & LATE != 0 {
        let epoch = u32::try_from(varint::take(bytes)?).ok()?;
        let (early, points) = (take_late(bytes)?, take_late(bytes)?);
        more.late = Some(Box::new(Late { epoch, early, points }));
    }
    Some(more)
}

fn take_closed(bytes: &mut &[u8]) -> Option<Vec<Closed>> {
    let count = varint::take(bytes)?;
    (0..count)
        .map(|_| {
            let first = varint::take_signed(bytes)?;
            let last = first.wrapping_add(varint::take_signed(bytes)?);
            Some(Closed { first, last, bytes: Box::from(varint::take_bytes(bytes)?) })
        })
        .collect()
}

fn take_late(bytes: &mut &[u8]) -> Option<LatePoints> {
    let floats = (0..varint::take(bytes)?)
        .map(|_| {
            let timestamp = varint::take_signed(bytes)?;
            let start = varint::take_signed(bytes)?;
            Some(Sample { timestamp, start, value: varint::take_float(bytes)? })
        })
        .collect::<Option<_>>()?;
    let histograms = (0..varint::take(bytes)?)
        .map(|_| {
            let timestamp = varint::take_signed(bytes)?;
            let (start, histogram) = histograms::take(bytes, &Histogram::default())?;
            Some(HistogramPoint { timestamp, start, histogram: Arc::new(histogram) })
        })
        .collect::<Option<_>>()?;
    Some(LatePoints { floats, histograms })
}
