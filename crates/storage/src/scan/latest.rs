//! Gives "latest N" a start: a few rows from the end of the newest file are read first.
//!
//! Rows of a file are sorted by service and only then by time. Read in that order, each batch is
//! newer than the one before, so that every row of a row group makes its way into the N latest
//! and out again. When the last rows of the newest pages were seen first, DataFusion's dynamic
//! filter knows nearly all other rows to be too old. For other questions the pieces add up to the
//! same file.

use datafusion::datasource::listing::FileRange;
use datafusion::datasource::physical_plan::parquet::{ParquetAccessPlan, RowGroupAccess};
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;

/// Rows of a piece that is read first; few in tests, whose files are small.
const HEAD_ROWS: usize = if cfg!(test) { 10 } else { 2_048 };

/// Smaller files are read as they are.
const FILE_ROWS_MIN: usize = 16 * HEAD_ROWS;

/// A part of a file.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) access: ParquetAccessPlan,
    /// Where its row groups begin, so that its size is known.
    pub(super) range: Option<FileRange>,
    pub(super) rows: usize,
    /// The range of `time` in microseconds, where it is narrower than the file's.
    pub(super) time_us: Option<(i64, i64)>,
}

/// The last rows of a page.
#[derive(Debug, Clone, Copy)]
struct Head {
    row_group: usize,
    /// First row in the row group.
    start: usize,
    end: usize,
    time_us: (i64, i64),
}

/// Divides a file so that `count` short pieces with its latest rows come first. `None` when it is
/// too small for that to pay or has no page index.
pub(super) fn split(metadata: &ParquetMetaData, count: usize) -> Option<Vec<Piece>> {
    if metadata.row_groups().iter().map(rows_of).sum::<usize>() < FILE_ROWS_MIN {
        return None;
    }
    let mut heads = heads(metadata)?;
    // By the earliest row: a page that has the end of one service and the start of the next ends
    // with old rows.
    heads.sort_by_key(|head| std::cmp::Reverse(head.time_us));
    heads.truncate(count);
    let groups = metadata.row_groups();
    let mut pieces: Vec<Piece> =
        heads.iter().map(|head| piece(groups, head.row_group, &[*head], true)).collect();
    let mut split_groups: Vec<usize> = heads.iter().map(|head| head.row_group).collect();
    split_groups.sort_unstable();
    split_groups.dedup();
    for &row_group in &split_groups {
        let taken: Vec<Head> = heads.iter().filter(|h| h.row_group == row_group).copied().collect();
        pieces.push(piece(groups, row_group, &taken, false));
    }
    let mut others = ParquetAccessPlan::new_all(groups.len());
    split_groups.iter().for_each(|&row_group| others.skip(row_group));
    let rows = (0..groups.len()).filter(|g| !split_groups.contains(g)).map(|g| rows_of(&groups[g]));
    let rows: usize = rows.sum();
    if rows > 0 {
        pieces.push(Piece { access: others, range: None, rows, time_us: None });
    }
    Some(pieces)
}

/// The last rows of each page of `time`.
fn heads(metadata: &ParquetMetaData) -> Option<Vec<Head>> {
    let columns = metadata.file_metadata().schema_descr().columns();
    let time = columns.iter().position(|column| column.name() == "time")?;
    let mut heads = Vec::new();
    for (row_group, group) in metadata.row_groups().iter().enumerate() {
        let ColumnIndexMetaData::INT64(index) =
            metadata.column_index()?.get(row_group)?.get(time)?
        else {
            return None;
        };
        let pages = metadata.offset_index()?.get(row_group)?.get(time)?.page_locations();
        let firsts = pages.iter().map(|page| usize::try_from(page.first_row_index).ok());
        let firsts = firsts.collect::<Option<Vec<_>>>()?;
        let ends = firsts.iter().skip(1).copied().chain([rows_of(group)]);
        for (page, (&first, end)) in firsts.iter().zip(ends).enumerate() {
            let time_us = (*index.min_value(page)?, *index.max_value(page)?);
            let start = end.saturating_sub(HEAD_ROWS).max(first);
            heads.push(Head { row_group, start, end, time_us });
        }
    }
    Some(heads)
}

/// The rows of a row group that are in `heads`, or those that are not. The heads are of different
/// pages.
fn piece(groups: &[RowGroupMetaData], row_group: usize, heads: &[Head], in_heads: bool) -> Piece {
    let group = &groups[row_group];
    let selection = selection(rows_of(group), heads, in_heads);
    let rows = selection.row_count();
    let mut access = ParquetAccessPlan::new_none(groups.len());
    access.set(row_group, RowGroupAccess::Selection(selection));
    let time_us = match heads {
        [head] if in_heads => Some(head.time_us),
        _ => None,
    };
    Piece { access, range: Some(range_of(group)), rows, time_us }
}

fn selection(rows: usize, heads: &[Head], in_heads: bool) -> RowSelection {
    let mut heads = heads.to_vec();
    heads.sort_by_key(|head| head.start);
    let mut selectors = Vec::new();
    let mut select = |rows: usize, selected: bool| {
        selectors.push(if selected { RowSelector::select(rows) } else { RowSelector::skip(rows) });
    };
    let mut at = 0;
    for head in &heads {
        select(head.start - at, !in_heads);
        select(head.end - head.start, in_heads);
        at = head.end;
    }
    select(rows - at, !in_heads);
    selectors.into()
}

fn range_of(group: &RowGroupMetaData) -> FileRange {
    let first = group.column(0);
    let start = first.dictionary_page_offset().unwrap_or_else(|| first.data_page_offset());
    FileRange { start, end: start + group.compressed_size().max(1) }
}

fn rows_of(group: &RowGroupMetaData) -> usize {
    usize::try_from(group.num_rows()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_and_its_complement_are_the_row_group() {
        let head = |start, end| Head { row_group: 0, start, end, time_us: (0, 0) };
        for heads in [vec![head(0, 10)], vec![head(90, 100), head(20, 30)], vec![head(0, 100)]] {
            let (inner, outer) = (selection(100, &heads, true), selection(100, &heads, false));
            assert_eq!(inner.row_count() + outer.row_count(), 100);
            assert_eq!(inner.intersection(&outer).row_count(), 0);
        }
    }
}
