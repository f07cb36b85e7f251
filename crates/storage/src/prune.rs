//! What a query's filters rule out before a row is read: files by the statistics in their
//! entries, granules of rows by token filters.
//!
//! Pruning only ever leaves out rows that no filter can accept; the filters themselves are
//! evaluated on what is left.

use std::ops::Range;
use std::sync::Arc;

use arrow_schema::Schema;
use datafusion::catalog::Session;
use datafusion::common::pruning::PrunableStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{DFSchema, Result, ScalarValue, Statistics};
use datafusion::datasource::physical_plan::parquet::{ParquetAccessPlan, RowGroupAccess};
use datafusion::logical_expr::{Expr, utils::conjunction};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use object_store::ObjectStore;
use object_store::path::Path;
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};

use crate::file::index::TokenIndex;
use crate::snapshot::FileEntry;
use crate::token;

pub(crate) mod condition;

pub(crate) use condition::Condition;

/// What is left of a file.
#[derive(Debug)]
pub(crate) enum Access {
    /// Everything, as far as is known.
    All,
    /// Some row groups or some of their rows.
    Some(ParquetAccessPlan),
}

/// The files that may have rows which `filters` accept.
pub(crate) fn prune_files(
    state: &dyn Session,
    schema: &Schema,
    filters: &[Expr],
    files: Vec<Arc<FileEntry>>,
) -> Result<Vec<Arc<FileEntry>>> {
    let Some(filter) = conjunction(filters.to_vec()) else { return Ok(files) };
    let df_schema = DFSchema::try_from(schema.clone())?;
    let filter = state.create_physical_expr(filter, &df_schema)?;
    let known = known_columns(schema);
    // A filter that cannot be turned into one on statistics rules nothing out.
    let predicate = PruningPredicateBuilder::new().with_file_schema(Arc::new(schema.clone()));
    let Some(predicate) = predicate.build(filter) else { return Ok(files) };
    let statistics = files.iter().map(|file| Arc::new(statistics(&known, file))).collect();
    let kept = predicate.prune(&PrunableStatistics::new(statistics, Arc::new(known)))?;
    Ok(files.into_iter().zip(kept).filter_map(|(file, kept)| kept.then_some(file)).collect())
}

/// The columns of `schema` that a file's entry tells the range of.
fn known_columns(schema: &Schema) -> Schema {
    let known = schema.fields().iter().filter(|f| f.name() == "time" || f.name() == "tenant");
    Schema::new(known.cloned().collect::<Vec<_>>())
}

/// What a file's entry tells of the columns of `schema`.
pub(crate) fn statistics(schema: &Schema, file: &FileEntry) -> Statistics {
    let mut statistics = Statistics::new_unknown(schema);
    statistics.num_rows = Precision::Exact(usize::try_from(file.rows).unwrap_or(usize::MAX));
    for (field, column) in schema.fields().iter().zip(&mut statistics.column_statistics) {
        let (min, max) = match field.name().as_str() {
            "time" => {
                let value =
                    |us| ScalarValue::TimestampMicrosecond(Some(us), Some(Arc::from("UTC")));
                (value(file.time_min_us), value(file.time_max_us))
            }
            "tenant" => {
                let value = |name: &str| ScalarValue::Utf8View(Some(name.to_owned()));
                (value(&file.tenant_min), value(&file.tenant_max))
            }
            _ => continue,
        };
        column.null_count = Precision::Exact(0);
        column.min_value = Precision::Exact(min);
        column.max_value = Precision::Exact(max);
    }
    statistics
}

/// Which granules of a file are left.
#[derive(Debug, Clone)]
struct Granules {
    /// For each granule of the file, row group by row group.
    kept: Vec<bool>,
}

/// A granule: its row group and its number in that.
#[derive(Debug, Clone, Copy)]
struct Granule {
    row_group: usize,
    number: usize,
}

/// A file whose token filters are asked.
struct Probe<'a> {
    object_store: &'a dyn ObjectStore,
    path: &'a Path,
    index: &'a TokenIndex,
    granules: Vec<Granule>,
}

/// Asks a file's token filters which granules may have rows that meet the condition. `None` when
/// none has; row groups have `row_group_rows` rows.
pub(crate) async fn prune_granules(
    object_store: &dyn ObjectStore,
    path: &Path,
    index: &TokenIndex,
    row_group_rows: &[usize],
    condition: &Condition,
) -> object_store::Result<Option<ParquetAccessPlan>> {
    let granules: Vec<Granule> = (0..index.row_groups())
        .flat_map(|row_group| {
            (0..index.granules(row_group)).map(move |number| Granule { row_group, number })
        })
        .collect();
    let all = Granules { kept: vec![true; granules.len()] };
    let probe = Probe { object_store, path, index, granules };
    let left = probe.eval(condition, all).await?;
    if !left.kept.contains(&true) {
        return Ok(None);
    }
    Ok(Some(probe.access_plan(&left, row_group_rows)))
}

impl Probe<'_> {
    /// Which of `candidates` may meet the condition.
    fn eval<'a>(
        &'a self,
        condition: &'a Condition,
        mut candidates: Granules,
    ) -> BoxFuture<'a, object_store::Result<Granules>> {
        async move {
            match condition {
                Condition::Anything => {}
                Condition::Token { set, hash } => {
                    self.probe(*set, *hash, &mut candidates).await?;
                }
                Condition::All(conditions) => {
                    for condition in conditions {
                        candidates = self.eval(condition, candidates).await?;
                    }
                }
                Condition::Any(conditions) => {
                    let mut left = Granules { kept: vec![false; candidates.kept.len()] };
                    for condition in conditions {
                        let some = self.eval(condition, candidates.clone()).await?;
                        for (kept, more) in left.kept.iter_mut().zip(some.kept) {
                            *kept |= more;
                        }
                    }
                    candidates = left;
                }
            }
            Ok(candidates)
        }
        .boxed()
    }

    /// Reads the one block of each candidate's filter that the token's bits would be in.
    async fn probe(
        &self,
        set: crate::file::index::Set,
        hash: u64,
        candidates: &mut Granules,
    ) -> object_store::Result<()> {
        let mut at = Vec::new();
        let mut ranges = Vec::new();
        for (position, kept) in candidates.kept.iter_mut().enumerate().filter(|(_, kept)| **kept) {
            let Granule { row_group, number } = self.granules[position];
            match block_of(&self.index.filters(row_group, set)[number], hash) {
                Some(range) => {
                    at.push(position);
                    ranges.push(range);
                }
                None => *kept = false,
            }
        }
        if ranges.is_empty() {
            return Ok(());
        }
        let blocks = self.object_store.get_ranges(self.path, &ranges).await?;
        for (position, block) in at.into_iter().zip(blocks) {
            candidates.kept[position] = token::may_contain(&block, hash);
        }
        Ok(())
    }

    fn access_plan(&self, left: &Granules, row_group_rows: &[usize]) -> ParquetAccessPlan {
        let mut granules = self.granules.iter().zip(&left.kept).peekable();
        let accesses = row_group_rows.iter().enumerate().map(|(row_group, &rows)| {
            let mut kept = Vec::new();
            while let Some((_, &k)) = granules.next_if(|(g, _)| g.row_group == row_group) {
                kept.push(k);
            }
            if !kept.contains(&true) {
                RowGroupAccess::Skip
            } else if kept.contains(&false) {
                RowGroupAccess::Selection(selection(&kept, self.index.granule_rows, rows))
            } else {
                RowGroupAccess::Scan
            }
        });
        ParquetAccessPlan::new(accesses.collect())
    }
}

/// Where in a filter the token's block is; `None` in the filter of no tokens.
fn block_of(filter: &Range<u64>, hash: u64) -> Option<Range<u64>> {
    let blocks = usize::try_from((filter.end - filter.start) / token::BLOCK_BYTES as u64).ok()?;
    if blocks == 0 {
        return None;
    }
    let start = filter.start + (token::block_index(hash, blocks) * token::BLOCK_BYTES) as u64;
    Some(start..start + token::BLOCK_BYTES as u64)
}

fn selection(kept: &[bool], granule_rows: usize, rows: usize) -> RowSelection {
    let selectors = kept.iter().enumerate().map(|(number, &kept)| {
        let count = granule_rows.min(rows - number * granule_rows);
        if kept { RowSelector::select(count) } else { RowSelector::skip(count) }
    });
    selectors.collect::<Vec<_>>().into()
}
