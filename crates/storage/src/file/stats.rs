//! What Delta wants to know of a file: how many rows, and of the columns that queries filter by
//! the least and the greatest value and the number of nulls.

use model::Table;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;
use serde_json::{Map, Value, json};
use stdx::calendar::Date;

use super::Summary;

/// The columns that statistics are kept of, where a file has them. Few, because every reader of
/// the table holds the statistics of every file.
const fn key_columns(table: Table) -> &'static [&'static str] {
    match table {
        Table::Spans => {
            &["tenant", "time", "service", "environment", "name", "kind", "status", "duration_ns"]
        }
        Table::Logs => &["tenant", "time", "service", "environment", "level", "severity_number"],
    }
}

/// Delta's statistics as JSON.
pub(super) fn delta_stats(table: Table, metadata: &ParquetMetaData, summary: &Summary) -> String {
    let mut min_values = Map::new();
    let mut max_values = Map::new();
    let mut null_count = Map::new();
    for &name in key_columns(table) {
        let range = if name == "time" {
            Range::time(summary)
        } else {
            Range::from_parquet(metadata, name, summary.rows)
        };
        if let Some(Range { min, max, nulls }) = range {
            if let (Some(min), Some(max)) = (min, max) {
                min_values.insert(name.to_owned(), min);
                max_values.insert(name.to_owned(), max);
            }
            null_count.insert(name.to_owned(), nulls.into());
        }
    }
    json!({
        "numRecords": summary.rows,
        "minValues": min_values,
        "maxValues": max_values,
        "nullCount": null_count,
    })
    .to_string()
}

struct Range {
    min: Option<Value>,
    max: Option<Value>,
    nulls: u64,
}

impl Range {
    fn time(summary: &Summary) -> Option<Range> {
        let (min, max) = summary.time_us?;
        let value = |us| Some(Value::from(timestamp(us)));
        Some(Range { min: value(min), max: value(max), nulls: 0 })
    }

    /// Joins the statistics of all row groups; `None` when one is missing.
    fn from_parquet(metadata: &ParquetMetaData, name: &str, rows: u64) -> Option<Range> {
        let columns = metadata.file_metadata().schema_descr();
        let Some(index) = columns.columns().iter().position(|c| c.name() == name) else {
            // All null: the column was left out.
            return Some(Range { min: None, max: None, nulls: rows });
        };
        let mut joined: Option<Range> = None;
        for group in metadata.row_groups() {
            let statistics = group.column(index).statistics()?;
            let nulls = statistics.null_count_opt()?;
            let (min, max) = ends(statistics);
            joined = Some(match joined {
                None => Range { min, max, nulls },
                Some(before) => Range {
                    min: join(before.min, min, std::cmp::Ordering::Less),
                    max: join(before.max, max, std::cmp::Ordering::Greater),
                    nulls: before.nulls + nulls,
                },
            });
        }
        joined
    }
}

/// The ends as JSON; of text, Parquet's may be cut, downwards and upwards.
fn ends(statistics: &Statistics) -> (Option<Value>, Option<Value>) {
    match statistics {
        Statistics::Int64(s) => (s.min_opt().map(|&v| v.into()), s.max_opt().map(|&v| v.into())),
        Statistics::ByteArray(s) => {
            let text = |bytes: Option<&[u8]>| {
                bytes.and_then(|b| std::str::from_utf8(b).ok()).map(Value::from)
            };
            (text(s.min_bytes_opt()), text(s.max_bytes_opt()))
        }
        _ => (None, None),
    }
}

/// Of two ends the outer one. A row group without an end is all null.
fn join(left: Option<Value>, right: Option<Value>, outer: std::cmp::Ordering) -> Option<Value> {
    let (Some(left), Some(right)) = (&left, &right) else { return left.or(right) };
    let ordering = match (left, right) {
        (Value::String(a), Value::String(b)) => b.cmp(a),
        (a, b) => b.as_i64().cmp(&a.as_i64()),
    };
    Some(if ordering == outer { right.clone() } else { left.clone() })
}

/// `2026-11-21T04:05:06.789012Z`, from microseconds since 1970.
fn timestamp(us: i64) -> String {
    let days = us.div_euclid(86_400_000_000);
    let us = us.rem_euclid(86_400_000_000);
    let Date { year, month, day } = Date::of_day(days);
    let (seconds, micros) = (us / 1_000_000, us % 1_000_000);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{micros:06}Z",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_those_of_the_calendar() {
        let check = |us: i64, expect: &str| assert_eq!(timestamp(us), expect);
        check(0, "1970-01-01T00:00:00.000000Z");
        check(-1, "1969-12-31T23:59:59.999999Z");
        check(951_782_400_000_001, "2000-02-29T00:00:00.000001Z");
        check(1_795_233_906_789_012, "2026-11-21T04:05:06.789012Z");
        check(4_107_542_399_000_000, "2100-02-28T23:59:59.000000Z");
        check(4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z");
    }
}
