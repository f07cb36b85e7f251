//! The order of items within queries: realised from relevance, query by query.
//!
//! A query belongs to the window, and to the chunk of the reference, that its first row lies in, so that
//! none is measured in halves. In a segment a query has the items that lie in it.

use arrow_array::cast::AsArray;

use super::{Past, Performance, Task, Windows, chunks, labels, longest, numbers, point};
use crate::Error;
use crate::monitor::{Monitor, Table};
use crate::performance::ranking::Answer;

const METRICS: [&str; 5] = ["ndcg", "map", "mrr", "hit_rate", "answerable"];
const LIMITS: (f64, f64) = (0.0, 1.0);

/// What is known of a query.
#[derive(Clone, Copy)]
enum Query {
    /// None of its rows has a label.
    Unknown,
    /// No item is relevant.
    Unanswerable,
    /// How good the ranking is.
    Answered(Answer),
}

/// The queries of a table, each at its first row.
struct Queries {
    starts: Vec<Option<Query>>,
    labelled: Vec<bool>,
}

impl Queries {
    fn of(monitor: &Monitor, table: &Table, query: &str) -> Result<Queries, Error> {
        let (Some(target), Some(score)) = (&monitor.target, &monitor.score) else {
            return Err(Error::Option(
                "a ranking needs a target (the relevance) and a score (the order)".to_owned(),
            ));
        };
        let (relevance, scores) = (labels(table, target)?, numbers(table, score)?);
        let array =
            table.get(query).ok_or_else(|| Error::Option(format!("no column {query:?}")))?;
        let names = arrow_cast::cast(array, &arrow_schema::DataType::Utf8)
            .map_err(|_| Error::Type(array.data_type().to_string()))?;
        let names = names.as_string::<i32>();
        // Rows without a query belong to none.
        let mut rows: Vec<(&str, usize)> =
            names.iter().enumerate().filter_map(|(row, name)| Some((name?, row))).collect();
        rows.sort_unstable();
        let mut starts = vec![None; table.rows()];
        for rows in rows.chunk_by(|left, right| left.0 == right.0) {
            let items = rows.iter().map(|(_, row)| (scores[*row], relevance[*row]));
            starts[rows[0].1] = Some(match Answer::of(items.collect(), monitor.top) {
                Some(answer) => Query::Answered(answer),
                None if rows.iter().all(|(_, row)| relevance[*row].is_nan()) => Query::Unknown,
                None => Query::Unanswerable,
            });
        }
        let labelled = relevance.iter().map(|label| !label.is_nan()).collect();
        Ok(Queries { starts, labelled })
    }

    /// Each metric over the queries that begin in these rows.
    fn realized(&self, rows: impl Iterator<Item = usize>) -> [Option<f64>; METRICS.len()] {
        let (mut sums, mut answered, mut known) = ([0.0; 4], 0.0, 0.0);
        for query in rows.filter_map(|row| self.starts[row]) {
            match query {
                Query::Unknown => {}
                Query::Unanswerable => known += 1.0,
                Query::Answered(one) => {
                    known += 1.0;
                    answered += 1.0;
                    let terms = [one.ndcg, one.average_precision, one.reciprocal_rank, one.hit];
                    sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
                }
            }
        }
        let [ndcg, map, mrr, hit] =
            sums.map(|sum| (answered > 0.0).then(|| (sum / answered).clamp(0.0, 1.0)));
        [ndcg, map, mrr, hit, (known > 0.0).then(|| answered / known)]
    }
}

pub(super) fn measure(
    monitor: &Monitor,
    (reference, current): (&Table, &Table),
    windows: &Windows,
    query: &str,
) -> Result<Performance, Error> {
    let before = Queries::of(monitor, reference, query)?;
    if !before.starts.iter().any(|start| matches!(start, Some(Query::Answered(_)))) {
        return Err(Error::Option("no query of the reference has a relevant item".to_owned()));
    }
    let chunked: Vec<_> = chunks(reference.rows(), longest(windows))
        .map(|rows| before.realized(rows.into_iter()))
        .collect();
    let now = Queries::of(monitor, current, query)?;
    let of_window = |(window, rows): &'_ (String, Vec<u32>)| {
        let realized = now.realized(rows.iter().map(|row| *row as usize));
        let labelled = rows.iter().filter(|row| now.labelled[**row as usize]).count() as f64;
        (window.clone(), realized, labelled / rows.len().max(1) as f64)
    };
    let measured: Vec<_> = windows.iter().map(of_window).collect();
    let series = METRICS.into_iter().enumerate().map(|(place, name)| {
        let past = Past::of(chunked.iter().filter_map(|chunk| chunk[place]), LIMITS);
        let points = measured.iter().map(|(window, realized, labelled)| {
            point(window, realized[place], *labelled, None, &past.band)
        });
        let points = points.collect();
        past.series(name, points)
    });
    let mut found = Performance::of(Task::Ranking, series);
    found.top = Some(monitor.top);
    Ok(found)
}
