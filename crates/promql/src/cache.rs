//! Results of range queries, kept for the next time a dashboard asks.
//!
//! Only what is settled is kept: steps that lie at least [`SETTLED_AFTER`] before now, of queries
//! whose result at a step depends on nothing later than the step and not on where the query begins
//! or ends, while the store says by its version that nothing settled has changed
//! ([`crate::source::SeriesSource::version`]). The rest is evaluated each time. When in doubt
//! nothing is kept.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;
use model::metric::Labels;
use stdx::memory::{Budget, Reservation};

use crate::annotations::Annotations;
use crate::ast::{At, DurationExpr, DurationKind, DurationValue, Expr, Extended, VectorSelector};
use crate::engine::{Engine, Outcome, QueryError, Run, Series, Stats, Value};
use crate::histogram::weight;
use crate::source::SeriesSource;

/// How old a step has to be for its result to be kept, milliseconds.
pub const SETTLED_AFTER: i64 = 600_000;

/// What all kept results may take when nobody says otherwise, bytes.
pub const CACHE_BYTES_DEFAULT: usize = 64 << 20;

/// What makes a query the same query.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    tenant: String,
    query: String,
    step: i64,
    /// Where the steps lie.
    phase: i64,
    lookback: i64,
}

#[derive(Debug)]
struct Entry {
    version: u64,
    start: i64,
    end: i64,
    series: Vec<Series>,
    annotations: Annotations,
    _memory: Reservation,
    used: u64,
}

#[derive(Debug, Default)]
struct Kept {
    entries: HashMap<Key, Entry>,
    clock: u64,
    counts: Counts,
}

/// How useful the cache is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Queries of which a part was there.
    pub hits: u64,
    /// Queries that may be kept and were not there.
    pub misses: u64,
    /// Queries that may not be kept.
    pub refused: u64,
    /// What the results take, bytes.
    pub bytes: usize,
    /// How many queries are kept.
    pub entries: usize,
}

/// A range query to be answered with the help of the cache.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Whose data it asks for.
    pub tenant: &'a str,
    /// The text of the query; annotations point into it.
    pub query: &'a str,
    /// The parsed query.
    pub expr: &'a Expr,
    /// The first step, milliseconds.
    pub start: i64,
    /// The last step, milliseconds, inclusive.
    pub end: i64,
    /// The distance of the steps, milliseconds.
    pub step: i64,
    /// The time, milliseconds.
    pub now: i64,
}

/// Keeps results.
#[derive(Debug)]
pub struct ResultCache {
    kept: Mutex<Kept>,
    memory: Budget,
}

impl Default for ResultCache {
    fn default() -> ResultCache {
        ResultCache::new(Budget::new("kept results", CACHE_BYTES_DEFAULT))
    }
}

impl ResultCache {
    /// That keeps results in `memory`; with a limit of 0 it keeps nothing.
    #[must_use]
    pub fn new(memory: Budget) -> ResultCache {
        ResultCache { kept: Mutex::default(), memory }
    }

    /// How useful it has been.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let kept = self.lock();
        let bytes = self.memory.used_bytes();
        Counts { bytes, entries: kept.entries.len(), ..kept.counts }
    }

    /// Forgets everything.
    pub fn clear(&self) {
        let mut kept = self.lock();
        kept.entries.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a range query, evaluating only the steps that are not kept.
    pub fn range(
        &self,
        engine: &Engine,
        source: &dyn SeriesSource,
        question: &Question<'_>,
        run: &Run,
    ) -> Result<Outcome, QueryError> {
        let &Question { expr, start, end, step, now, .. } = question;
        let settled = now.saturating_sub(SETTLED_AFTER);
        let keepable = self.memory.limit_bytes() > 0 && step > 0 && start <= settled;
        let keepable = keepable && is_keepable(expr, settled);
        let Some(version) = keepable.then(|| source.version(settled)).flatten() else {
            self.lock().counts.refused += 1;
            return engine.range(source, expr, (start, end, step), run);
        };
        let key = Key {
            tenant: question.tenant.to_owned(),
            query: question.query.to_owned(),
            step,
            phase: start.rem_euclid(step),
            lookback: run.lookback.unwrap_or(engine.options().lookback),
        };
        let Some(mut known) = self.find(&key, version, (start, end)) else {
            let outcome = engine.range(source, expr, (start, end, step), run)?;
            self.keep(key, version, (question, settled), &outcome);
            return Ok(outcome);
        };
        if known.end < end {
            let from = known.end.saturating_add(step);
            if from <= end {
                let rest = engine.range(source, expr, (from, end, step), run)?;
                known.append(rest);
            }
        }
        let outcome = Outcome {
            value: Value::Matrix(known.series.into_values().collect()),
            annotations: known.annotations,
            stats: known.stats,
        };
        self.keep(key, version, (question, settled), &outcome);
        Ok(outcome)
    }

    /// The part of a result from `start` on that is known.
    fn find(&self, key: &Key, version: u64, (start, end): (i64, i64)) -> Option<Known> {
        let mut kept = self.lock();
        kept.clock += 1;
        let clock = kept.clock;
        let found = kept
            .entries
            .get_mut(key)
            .filter(|entry| entry.version == version && entry.start <= start && entry.end >= start);
        let known = found.map(|entry| {
            entry.used = clock;
            Known::part(entry, start, end)
        });
        match known {
            Some(_) => kept.counts.hits += 1,
            None => kept.counts.misses += 1,
        }
        known
    }

    fn keep(
        &self,
        key: Key,
        version: u64,
        (question, settled): (&Question<'_>, i64),
        outcome: &Outcome,
    ) {
        let &Question { start, step, .. } = question;
        let until = question.end.min(settled);
        // What the store had to say may not hold the next time.
        let complete = outcome.annotations.as_slice().iter().all(|one| one.position.is_some());
        let Value::Matrix(series) = &outcome.value else { return };
        if until < start || !complete {
            return;
        }
        let end = start + (until - start) / step * step;
        let series: Vec<Series> =
            series.iter().filter_map(|series| cut(series, start, end)).collect();
        let bytes = key.query.len() + 256 + series.iter().map(size).sum::<usize>();
        if bytes > self.memory.limit_bytes() / 4 {
            return;
        }
        let mut kept = self.lock();
        kept.clock += 1;
        let used = kept.clock;
        // A shorter range does not push out the longer one that has it.
        let has =
            |known: &Entry| known.version == version && known.start <= start && known.end >= end;
        if kept.entries.get(&key).is_some_and(has) {
            return;
        }
        kept.entries.remove(&key);
        let Some(memory) = self.room(&mut kept, bytes) else { return };
        let annotations = outcome.annotations.clone();
        kept.entries
            .insert(key, Entry { version, start, end, series, annotations, _memory: memory, used });
    }

    /// Room for a result; what was not used for the longest time goes.
    fn room(&self, kept: &mut Kept, bytes: usize) -> Option<Reservation> {
        loop {
            match self.memory.reserve(bytes) {
                Ok(memory) => return Some(memory),
                // It is those who ask who need the memory, not what is kept.
                Err(full) if full.limit_bytes != self.memory.limit_bytes() => return None,
                Err(_) => {}
            }
            let oldest = kept.entries.iter().min_by_key(|(_, entry)| entry.used);
            let oldest = oldest.map(|(key, _)| key.clone())?;
            kept.entries.remove(&oldest);
        }
    }
}

/// The known part of a result.
struct Known {
    series: BTreeMap<Labels, Series>,
    annotations: Annotations,
    stats: Stats,
    end: i64,
}

impl Known {
    fn part(entry: &Entry, start: i64, end: i64) -> Known {
        let end = end.min(entry.end);
        let cut = entry.series.iter().filter_map(|series| cut(series, start, end));
        Known {
            series: cut.map(|series| (series.labels.clone(), series)).collect(),
            annotations: entry.annotations.clone(),
            stats: Stats::default(),
            end,
        }
    }

    fn append(&mut self, rest: Outcome) {
        let Value::Matrix(series) = rest.value else { return };
        for mut one in series {
            match self.series.get_mut(&one.labels) {
                Some(known) => {
                    known.floats.append(&mut one.floats);
                    known.histograms.append(&mut one.histograms);
                }
                None => {
                    self.series.insert(one.labels.clone(), one);
                }
            }
        }
        self.annotations.merge(rest.annotations);
        self.stats = rest.stats;
    }
}

/// The samples from `start` to `end`, if there are any.
fn cut(series: &Series, start: i64, end: i64) -> Option<Series> {
    fn inside<T: Clone>(samples: &[(i64, T)], start: i64, end: i64) -> Vec<(i64, T)> {
        let from = samples.partition_point(|(time, _)| *time < start);
        let to = samples.partition_point(|(time, _)| *time <= end).max(from);
        samples[from..to].to_vec()
    }
    let floats = inside(&series.floats, start, end);
    let histograms = inside(&series.histograms, start, end);
    let labels = series.labels.clone();
    (!floats.is_empty() || !histograms.is_empty()).then_some(Series { labels, floats, histograms })
}

fn size(series: &Series) -> usize {
    let histograms = series.histograms.iter().map(|(_, one)| weight(one)).sum::<u64>();
    let histograms = usize::try_from(histograms).unwrap_or(usize::MAX / 32);
    128 + series.labels.as_bytes().len() + series.floats.len() * 16 + histograms * 16
}

/// Whether the result at a settled step stays what it is.
fn is_keepable(expr: &Expr, settled: i64) -> bool {
    let mut keepable = true;
    expr.walk(&mut |expr| {
        keepable &= match expr {
            Expr::Vector(vector) => is_settled(vector, settled),
            Expr::Matrix(matrix) => is_settled(&matrix.vector, settled) && is_fixed(&matrix.range),
            Expr::Subquery(subquery) => {
                is_past(&subquery.offset)
                    && is_fixed(&subquery.range)
                    && is_fixed(&subquery.step)
                    && is_early(subquery.at, settled)
            }
            // They say where the query begins and ends.
            Expr::Call(call) => !matches!(call.function.name, "start" | "end" | "range" | "step"),
            _ => true,
        };
    });
    keepable
}

fn is_settled(vector: &VectorSelector, settled: i64) -> bool {
    vector.extended != Some(Extended::Smoothed)
        && is_past(&vector.offset)
        && is_early(vector.at, settled)
}

fn is_early(at: Option<At>, settled: i64) -> bool {
    match at {
        None => true,
        Some(At::Time(time)) => time <= settled,
        Some(At::Start | At::End) => false,
    }
}

/// A length that is known and does not look ahead.
fn is_past(duration: &DurationValue) -> bool {
    matches!(duration, DurationValue::Fixed(millis) if *millis >= 0)
}

fn is_fixed(duration: &DurationValue) -> bool {
    fn depends(expr: &DurationExpr) -> bool {
        match &expr.kind {
            DurationKind::Step | DurationKind::Range => true,
            DurationKind::Literal(_) => false,
            DurationKind::Negative(inner) | DurationKind::Positive(inner) => depends(inner),
            DurationKind::Binary(_, left, right) => depends(left) || depends(right),
        }
    }
    match duration {
        DurationValue::Fixed(_) => true,
        DurationValue::Expr(expr) => !depends(expr),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemorySource;
    use crate::parser;

    const MINUTE: i64 = 60_000;

    fn source(minutes: i64) -> MemorySource {
        let mut source = MemorySource::new();
        for job in ["a", "b"] {
            let labels = Labels::from_pairs(&[("__name__", "m_total"), ("job", job)]);
            for minute in 0..minutes {
                let value = f64::from(i32::try_from(minute * minute).expect("small"));
                source.float(&labels, minute * MINUTE, value, 0);
            }
        }
        source
    }

    fn ask(
        cache: &ResultCache,
        source: &MemorySource,
        query: &str,
        start: i64,
        end: i64,
    ) -> Outcome {
        let expr = parser::parse(query, parser::Options::ALL).expect("a query");
        let (step, now) = (MINUTE, end * MINUTE);
        let (start, end) = (start * MINUTE, end * MINUTE);
        let question = Question { tenant: "t", query, expr: &expr, start, end, step, now };
        let engine = Engine::default();
        let kept = cache.range(&engine, source, &question, &Run::default()).expect("a result");
        let fresh = engine.range(source, &expr, (start, end, step), &Run::default());
        let fresh = fresh.expect("a result");
        assert_eq!(kept.value, fresh.value, "{query}");
        assert_eq!(kept.annotations, fresh.annotations, "{query}");
        kept
    }

    #[test]
    fn a_moving_dashboard_evaluates_what_is_new() {
        let cache = ResultCache::default();
        let source = source(200);
        let query = "sum by (job) (rate(m_total[5m]))";
        let first = ask(&cache, &source, query, 10, 100);
        let second = ask(&cache, &source, query, 11, 101);
        assert!(second.stats.total_samples * 4 < first.stats.total_samples);
        assert_eq!((cache.counts().hits, cache.counts().misses), (1, 1));
        // Another phase and an earlier start are not there.
        ask(&cache, &source, query, 5, 102);
        assert_eq!((cache.counts().hits, cache.counts().misses), (1, 2));
        assert!(cache.counts().bytes > 0);
    }

    #[test]
    fn what_may_change_is_not_kept() {
        let cache = ResultCache::default();
        let source = source(200);
        for query in [
            "m_total @ end()",
            "m_total offset -5m",
            "m_total + end()",
            "rate(m_total[5m] smoothed)",
            "rate(m_total[step()])",
            "m_total @ 1e9",
        ] {
            ask(&cache, &source, query, 10, 100);
        }
        assert_eq!((cache.counts().entries, cache.counts().refused), (0, 6));
    }

    #[test]
    fn a_new_version_empties_and_the_limit_holds() {
        let cache = ResultCache::new(Budget::new("test", 40_000));
        let mut data = source(200);
        ask(&cache, &data, "m_total", 10, 100);
        data.clear();
        ask(&cache, &data, "m_total", 10, 100);
        assert_eq!(cache.counts().hits, 0);
        let data = source(200);
        for number in 0..40 {
            ask(&cache, &data, &format!("m_total + {number}"), 10, 100);
        }
        assert!(cache.counts().bytes <= 40_000 && cache.counts().entries > 1);
    }
}
