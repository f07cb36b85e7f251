//! The table `metrics`: the samples of all series as rows, over any engine of series.
//!
//! Nothing is read before the plan runs, and then series by series, so that a statement holds a few
//! thousand rows at a time. Conditions on the time, the name and single labels
//! (`labels['job'] = 'api'`) choose the series; all others are the plan's own.

mod filter;

use std::fmt::Debug;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, Float64Builder, MapBuilder, RecordBatch, RecordBatchOptions, StringBuilder,
    StringViewBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::TableType;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use model::metric::{Labels, Matcher, is_stale};

/// Where samples come from: one tenant's series.
pub trait Samples: Send + Sync + Debug {
    /// The series that satisfy the matchers and have samples in the time, milliseconds, both ends
    /// included.
    fn select(
        &self,
        matchers: Vec<Matcher>,
        start: i64,
        end: i64,
    ) -> std::result::Result<Arc<dyn SampleSet>, String>;
}

/// Series that were selected.
pub trait SampleSet: Send + Sync {
    /// How many.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The labels of one.
    fn labels(&self, index: usize) -> &Labels;

    /// Replaces `into` by the samples of one.
    fn read(&self, index: usize, into: &mut SampleColumns) -> std::result::Result<(), String>;
}

/// The samples of one series, in columns; times are milliseconds since 1970.
#[derive(Debug, Default)]
pub struct SampleColumns {
    /// Of the floats.
    pub timestamps: Vec<i64>,
    /// As many as timestamps.
    pub values: Vec<f64>,
    /// Native histograms: time, observations, their sum.
    pub histograms: Vec<(i64, f64, f64)>,
}

/// The table over one tenant's samples.
#[must_use]
pub fn samples_table(samples: Arc<dyn Samples>) -> Arc<dyn TableProvider> {
    Arc::new(SamplesTable { samples })
}

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let entries = Field::new_map(
        "labels",
        "entries",
        Field::new("keys", DataType::Utf8, false),
        Field::new("values", DataType::Utf8, true),
        false,
        false,
    );
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("time", time, false),
        Field::new("name", DataType::Utf8View, false),
        entries,
        Field::new("value", DataType::Float64, true),
        Field::new("count", DataType::Float64, true),
        Field::new("sum", DataType::Float64, true),
    ]))
});

#[derive(Debug)]
struct SamplesTable {
    samples: Arc<dyn Samples>,
}

#[async_trait]
impl TableProvider for SamplesTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&SCHEMA)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let wanted = filter::Wanted::of(filters);
        let samples = Arc::clone(&self.samples);
        // Looking the series up takes processor time, and so belongs to no thread that waits.
        let set = tokio::task::spawn_blocking(move || {
            samples.select(wanted.matchers, wanted.start, wanted.end)
        });
        let set = set.await.map_err(|error| DataFusionError::External(Box::new(error)))?;
        let set = set.map_err(DataFusionError::Execution)?;
        let columns: Vec<usize> = match projection {
            Some(columns) => columns.clone(),
            None => (0..SCHEMA.fields().len()).collect(),
        };
        let schema = Arc::new(SCHEMA.project(&columns)?);
        let partitions = state.config_options().execution.target_partitions.max(1);
        let each = set.len().div_ceil(partitions).max(1);
        let parts: Vec<Arc<dyn PartitionStream>> = (0..set.len().max(1))
            .step_by(each)
            .map(|from| {
                let part = Part {
                    set: Arc::clone(&set),
                    series: from..(from + each).min(set.len()),
                    schema: Arc::clone(&schema),
                    columns: columns.clone(),
                };
                Arc::new(part) as Arc<dyn PartitionStream>
            })
            .collect();
        let plan = StreamingTableExec::try_new(schema, parts, None, [], false, limit)?;
        Ok(Arc::new(plan))
    }
}

/// Some of the series, read one after the other.
struct Part {
    set: Arc<dyn SampleSet>,
    series: Range<usize>,
    schema: SchemaRef,
    columns: Vec<usize>,
}

impl Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Part").field("series", &self.series).finish_non_exhaustive()
    }
}

impl PartitionStream for Part {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = Rows {
            set: Arc::clone(&self.set),
            series: self.series.clone(),
            schema: Arc::clone(&self.schema),
            columns: self.columns.clone(),
            batch_rows: context.session_config().batch_size(),
            read: SampleColumns::default(),
            at: 0,
            current: None,
        };
        let stream = futures::stream::iter(rows);
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), stream))
    }
}

/// Batches of rows; a large series fills several, small ones share one.
struct Rows {
    set: Arc<dyn SampleSet>,
    series: Range<usize>,
    schema: SchemaRef,
    columns: Vec<usize>,
    batch_rows: usize,
    read: SampleColumns,
    /// The next of the current series' samples, histograms behind floats.
    at: usize,
    current: Option<usize>,
}

impl Iterator for Rows {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Result<RecordBatch>> {
        let mut builder = Builder::new(&self.columns);
        while builder.rows < self.batch_rows {
            let Some(series) = self.current else {
                let Some(next) = self.series.next() else { break };
                if let Err(error) = self.set.read(next, &mut self.read) {
                    return Some(Err(DataFusionError::Execution(error)));
                }
                (self.current, self.at) = (Some(next), 0);
                continue;
            };
            let room = self.batch_rows - builder.rows;
            let end = self.read.timestamps.len() + self.read.histograms.len();
            let until = end.min(self.at + room);
            builder.add(self.set.labels(series), &self.read, self.at..until);
            self.at = until;
            if until == end {
                self.current = None;
            }
        }
        (builder.rows > 0).then(|| builder.finish(&self.schema))
    }
}

/// Builds the columns that are wanted.
struct Builder {
    columns: Vec<Column>,
    rows: usize,
}

enum Column {
    Time(TimestampMicrosecondBuilder),
    Name(StringViewBuilder),
    Labels(MapBuilder<StringBuilder, StringBuilder>),
    Value(Float64Builder),
    Count(Float64Builder),
    Sum(Float64Builder),
}

/// One row.
#[derive(Clone, Copy)]
struct Row {
    time: i64,
    value: Option<f64>,
    count: Option<f64>,
    sum: Option<f64>,
}

impl Builder {
    fn new(columns: &[usize]) -> Builder {
        let column = |&column: &usize| match column {
            0 => Column::Time(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
            1 => Column::Name(StringViewBuilder::new().with_deduplicate_strings()),
            2 => Column::Labels(MapBuilder::new(None, StringBuilder::new(), StringBuilder::new())),
            3 => Column::Value(Float64Builder::new()),
            4 => Column::Count(Float64Builder::new()),
            _ => Column::Sum(Float64Builder::new()),
        };
        Builder { columns: columns.iter().map(column).collect(), rows: 0 }
    }

    fn add(&mut self, labels: &Labels, read: &SampleColumns, samples: Range<usize>) {
        let floats = read.timestamps.len();
        for at in samples {
            let row = if at < floats {
                if is_stale(read.values[at]) {
                    continue;
                }
                Row {
                    time: read.timestamps[at],
                    value: Some(read.values[at]),
                    count: None,
                    sum: None,
                }
            } else {
                let (time, count, sum) = read.histograms[at - floats];
                if is_stale(sum) {
                    continue;
                }
                Row { time, value: None, count: Some(count), sum: Some(sum) }
            };
            for column in &mut self.columns {
                column.add(labels, row);
            }
            self.rows += 1;
        }
    }

    fn finish(self, schema: &SchemaRef) -> Result<RecordBatch> {
        let arrays = self.columns.into_iter().zip(schema.fields()).map(|(column, field)| {
            let array = column.finish();
            // The builder names a map's parts in its own way.
            if array.data_type() == field.data_type() {
                Ok(array)
            } else {
                Ok(arrow::compute::cast(&array, field.data_type())?)
            }
        });
        let arrays = arrays.collect::<Result<Vec<ArrayRef>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        Ok(RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)?)
    }
}

impl Column {
    fn add(&mut self, labels: &Labels, row: Row) {
        match self {
            Column::Time(times) => times.append_value(row.time.saturating_mul(1_000)),
            Column::Name(names) => names.append_value(labels.name().unwrap_or_default()),
            Column::Labels(maps) => {
                for (name, value) in labels.iter().filter(|(name, _)| *name != "__name__") {
                    maps.keys().append_value(name);
                    maps.values().append_value(value);
                }
                // As many keys as values were added.
                drop(maps.append(true));
            }
            Column::Value(values) => values.append_option(row.value),
            Column::Count(counts) => counts.append_option(row.count),
            Column::Sum(sums) => sums.append_option(row.sum),
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Column::Time(mut times) => Arc::new(times.finish()),
            Column::Name(mut names) => Arc::new(names.finish()),
            Column::Labels(mut maps) => Arc::new(maps.finish()),
            Column::Value(mut column) | Column::Count(mut column) | Column::Sum(mut column) => {
                Arc::new(column.finish())
            }
        }
    }
}

#[cfg(test)]
mod tests;
