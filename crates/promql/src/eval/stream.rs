//! Series that are computed one at a time, on several threads, and need not be kept.

use model::metric::Labels;
use rayon::prelude::*;

use super::column::{Column, Series};
use super::value::{Tally, Vector};
use super::{Evaluator, Result};
use crate::annotations::Annotations;
use crate::source::Points;

/// What a thread keeps from series to series.
#[derive(Default)]
pub(crate) struct Scratch {
    /// The samples of the series.
    pub(crate) points: Points,
    /// What was found out.
    pub(crate) notes: Annotations,
}

/// Series to be computed.
pub(crate) trait Stream: Sync {
    /// How many.
    fn len(&self) -> usize;

    /// The labels that the result has.
    fn labels(&self, index: usize) -> &Labels;

    /// Whether the name has to go at the end.
    fn drops_name(&self, index: usize) -> bool;

    /// How many steps.
    fn steps(&self) -> usize;

    /// Whether some of the series have the same labels: they have to be joined, or refused, before
    /// anything is done with them.
    fn has_same_labels(&self) -> bool {
        false
    }

    /// Computes one into `column`, which has a cell for each step, all absent.
    fn compute(&self, index: usize, scratch: &mut Scratch, column: &mut Column) -> Result<()>;
}

/// Fewer are not worth a thread.
pub(crate) const SERIES_PER_TASK: usize = 64;

impl Evaluator<'_> {
    /// Calls `work` with ranges of the stream's series, on several threads when there are many;
    /// the results are in order of the series.
    pub(crate) fn in_parallel<T: Send>(
        &self,
        stream: &dyn Stream,
        work: impl Fn(std::ops::Range<usize>, &mut Scratch) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let count = stream.len();
        let run = |range: std::ops::Range<usize>| {
            let mut scratch = Scratch::default();
            let result = work(range, &mut scratch);
            self.note(scratch.notes);
            result
        };
        if count <= SERIES_PER_TASK {
            return Ok(vec![run(0..count)?]);
        }
        let tasks = (rayon::current_num_threads() * 4).min(count / SERIES_PER_TASK + 1).max(1);
        let each = count.div_ceil(tasks);
        (0..tasks)
            .into_par_iter()
            .map(|task| run((task * each).min(count)..((task + 1) * each).min(count)))
            .collect()
    }

    /// Computes all series and keeps those that are not empty.
    pub(crate) fn materialize(&self, stream: &dyn Stream) -> Result<Vector<'_>> {
        let parts = self.in_parallel(stream, |range, scratch| {
            let mut found = Vec::with_capacity(range.len());
            let mut tally = Tally::new(self.control);
            for index in range {
                self.control.check()?;
                let mut column = Column::absent(stream.steps());
                stream.compute(index, scratch, &mut column)?;
                if !column.is_empty() {
                    tally.add_column(&column)?;
                    let labels = stream.labels(index).clone();
                    found.push(Series { labels, drop_name: stream.drops_name(index), column });
                }
            }
            Ok(Vector::counted(found, tally))
        })?;
        let series = parts.into_iter().flat_map(Vector::into_series).collect();
        self.merge_same_labels(self.hold(series)?)
    }
}
