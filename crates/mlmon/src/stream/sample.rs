//! Some rows of a table, each with the same chance, in the order of the table (reservoir sampling,
//! Vitter's algorithm R). The draw is seeded: the same rows give the same sample.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, UInt32Array};
use arrow_select::interleave::interleave_record_batch;
use arrow_select::take::take_record_batch;

use crate::Error;
use crate::stat::random::Random;

/// Rows that what needs values is computed from.
pub const SAMPLE_ROWS: usize = 100_000;
const SEED: u64 = 0x7265_666f;

/// The rows.
#[derive(Debug)]
pub struct Sample {
    limit: usize,
    seen: u64,
    /// Of each row its place in the table, its block and its row there.
    slots: Vec<(u64, usize, usize)>,
    blocks: Vec<RecordBatch>,
    /// Rows in blocks, of which those that lost their slot are still there.
    held: usize,
    random: Random,
}

impl Sample {
    /// A sample of at most so many rows.
    pub fn new(limit: usize) -> Sample {
        Sample {
            limit,
            seen: 0,
            slots: Vec::new(),
            blocks: Vec::new(),
            held: 0,
            random: Random::new(SEED),
        }
    }

    /// Looks at further rows.
    pub fn take(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let block = self.blocks.len();
        let mut chosen: Vec<u32> = Vec::new();
        for row in 0..u32::try_from(batch.num_rows()).unwrap_or(u32::MAX) {
            let slot = if self.slots.len() < self.limit {
                self.slots.push((0, 0, 0));
                self.slots.len() - 1
            } else {
                let seen = usize::try_from(self.seen).unwrap_or(usize::MAX - 1);
                let slot = self.random.below(seen + 1);
                if slot >= self.limit {
                    self.seen += 1;
                    continue;
                }
                slot
            };
            self.slots[slot] = (self.seen, block, chosen.len());
            chosen.push(row);
            self.seen += 1;
        }
        if chosen.is_empty() {
            return Ok(());
        }
        self.held += chosen.len();
        let rows = UInt32Array::from(chosen);
        self.blocks.push(take_record_batch(batch, &rows).map_err(mismatch)?);
        if self.held > 2 * self.limit + batch.num_rows() { self.settle() } else { Ok(()) }
    }

    /// Puts the rows into one block, in the order of the table.
    pub fn settle(&mut self) -> Result<(), Error> {
        if self.slots.is_empty() {
            return Ok(());
        }
        self.slots.sort_unstable();
        let blocks: Vec<&RecordBatch> = self.blocks.iter().collect();
        let places: Vec<(usize, usize)> =
            self.slots.iter().map(|(_, block, row)| (*block, *row)).collect();
        let whole = interleave_record_batch(&blocks, &places).map_err(mismatch)?;
        for (row, slot) in self.slots.iter_mut().enumerate() {
            (slot.1, slot.2) = (0, row);
        }
        self.held = whole.num_rows();
        self.blocks = vec![whole];
        Ok(())
    }

    /// The rows, after [`settle`](Sample::settle).
    pub fn batch(&self) -> Option<&RecordBatch> {
        self.blocks.first()
    }

    /// A column of them.
    pub fn column(&self, name: &str) -> Option<ArrayRef> {
        self.batch()?.column_by_name(name).map(Arc::clone)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn mismatch(error: arrow_schema::ArrowError) -> Error {
    Error::Mismatch(error.to_string())
}
