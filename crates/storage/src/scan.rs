//! A [`Snapshot`] as a table for queries.
//!
//! The plan is a union of the buffered rows and plain Parquet scans, so that everything that
//! DataFusion does for Parquet works: filters are pushed into the decoder, "latest N" stops at the
//! files and row groups that cannot have newer rows, counts come from statistics. Before that,
//! files are left out by time and tenant, and granules of rows by token filters.
//!
//! A plan holds the snapshot's buffers and opens the files that the snapshot lists, whatever
//! happens to the table meanwhile.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{Datum, RecordBatch, StringViewArray};
use arrow_schema::{ArrowError, SchemaRef, SortOptions};
use async_trait::async_trait;
use datafusion::catalog::memory::{DataSourceExec, MemorySourceConfig};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::config::TableParquetOptions;
use datafusion::common::{DataFusionError, Result, ScalarValue, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfig, FileScanConfigBuilder, FileSource, ParquetSource,
};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, Operator, TableProviderFilterPushDown};
use datafusion::physical_expr::expressions::{BinaryExpr, Column, lit};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalSortExpr};
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExecBuilder;
use datafusion::physical_plan::metrics::MetricBuilder;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{ExecutionPlan, SortOrderPushdownResult};
use futures::{StreamExt as _, TryStreamExt as _};

use crate::prune::{self, Condition};
use crate::snapshot::{FileEntry, Snapshot};

pub(crate) mod cache;
mod latest;
mod merge;
mod reader;

pub use cache::ReadCache;
pub use merge::{MergeOptions, merge_sorted};

/// Files whose footers and token filters are read at the same time.
const FILES_AT_ONCE: usize = 8;

/// The table's name in errors and plans does not matter: the reader has its own object store, but
/// DataFusion wants a URL of one that it knows.
fn known_url() -> ObjectStoreUrl {
    ObjectStoreUrl::local_filesystem()
}

#[async_trait]
impl TableProvider for Snapshot {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Every filter is of use; that rows which it refuses never come back is up to the plan's own
    /// filters, which the optimiser pushes into the decoder.
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
        let scan = Scan { snapshot: self, state, projection, filters, limit };
        let mut parts = Vec::new();
        parts.extend(scan.buffers()?);
        let files = scan.surviving_files().await?;
        let (own, mixed): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|file| file.entry.single_tenant().is_some());
        // What was looked at and left out is counted once, with the first part.
        let mut looked_at = self.files.len();
        if !own.is_empty() {
            let own = scan.latest_first(own).await?;
            parts.push(scan.files(own, projection.cloned(), limit, looked_at)?);
            looked_at = 0;
        }
        if !mixed.is_empty() {
            parts.push(scan.mixed_files(mixed, looked_at)?);
        }
        match parts.len() {
            0 => Ok(Arc::new(EmptyExec::new(scan.projected_schema()?))),
            1 => Ok(parts.remove(0)),
            _ => UnionExec::try_new(parts),
        }
    }
}

/// One call of [`TableProvider::scan`].
struct Scan<'a> {
    snapshot: &'a Snapshot,
    state: &'a dyn Session,
    projection: Option<&'a Vec<usize>>,
    filters: &'a [Expr],
    limit: Option<usize>,
}

/// A file with what is left of it, as far as is known.
struct Survivor {
    entry: Arc<FileEntry>,
    access: Option<prune::Access>,
}

impl Survivor {
    fn partitioned(self, schema: &SchemaRef) -> PartitionedFile {
        let mut statistics = prune::statistics(schema, &self.entry);
        let mut file = PartitionedFile::new(self.entry.path.to_string(), self.entry.size_bytes);
        // The path as it is: made of text it would be encoded once more.
        file.object_meta.location = self.entry.path.clone();
        if let Some(prune::Access::Some(plan)) = self.access {
            statistics.num_rows = statistics.num_rows.to_inexact();
            file = file.with_extension(plan);
        }
        file.with_statistics(Arc::new(statistics))
    }
}

impl Scan<'_> {
    fn projected_schema(&self) -> Result<SchemaRef> {
        match self.projection {
            Some(indices) => Ok(Arc::new(self.snapshot.schema.project(indices)?)),
            None => Ok(Arc::clone(&self.snapshot.schema)),
        }
    }

    /// The buffered rows, in the wanted columns.
    fn buffers(&self) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let schema = self.projected_schema()?;
        let mut batches = Vec::new();
        for batch in &self.snapshot.buffers {
            if let Some(rows) = rows_of_tenant(batch, self.snapshot.tenant.as_str())? {
                batches.push(self.snapshot.registry.project(&rows, &schema)?);
            }
        }
        if batches.is_empty() {
            return Ok(None);
        }
        Ok(Some(memory(batches, schema, self.limit)?))
    }

    /// The files that statistics and token filters leave, newest first.
    async fn surviving_files(&self) -> Result<Vec<Survivor>> {
        let Snapshot { table, tenant, schema, files, .. } = self.snapshot;
        let files = files.iter().filter(|file| file.may_hold(tenant)).cloned().collect();
        let mut files = prune::prune_files(self.state, schema, self.filters, files)?;
        files.sort_by_key(|file| std::cmp::Reverse((file.time_max_us, file.time_min_us)));
        let condition = Condition::of_filters(*table, schema, self.filters);
        let survivors = if condition.is_anything() {
            files.into_iter().map(|entry| Survivor { entry, access: None }).collect()
        } else {
            self.ask_token_filters(files, &condition).await?
        };
        metrics::counter!("trefoil_storage_scanned_files_total", "table" => table.as_str())
            .increment(survivors.len() as u64);
        Ok(survivors)
    }

    async fn ask_token_filters(
        &self,
        files: Vec<Arc<FileEntry>>,
        condition: &Condition,
    ) -> Result<Vec<Survivor>> {
        let Snapshot { object_store, cache, .. } = self.snapshot;
        futures::stream::iter(files)
            .map(|entry| async move {
                let access = cache.prune(object_store, &entry, condition).await?;
                Ok::<_, DataFusionError>(
                    access.map(|access| Survivor { entry, access: Some(access) }),
                )
            })
            .buffered(FILES_AT_ONCE)
            .try_filter_map(|survivor| async move { Ok(survivor) })
            .try_collect()
            .await
    }

    /// The newest file in pieces, so that its latest rows are read first; see [`latest`].
    async fn latest_first(&self, files: Vec<Survivor>) -> Result<Vec<PartitionedFile>> {
        let Snapshot { schema, object_store, cache, .. } = self.snapshot;
        let partitions = self.state.config_options().execution.target_partitions;
        // Files before it in the plan's own order are small and give the start as well.
        let newest = files.iter().map(|file| file.entry.time_min_us).max();
        let mut pieces = Vec::with_capacity(files.len() + 8);
        for survivor in files {
            let is_newest = Some(survivor.entry.time_min_us) == newest;
            if !is_newest || survivor.access.is_some() {
                pieces.push(survivor.partitioned(schema));
                continue;
            }
            let Survivor { entry, .. } = &survivor;
            let footer = cache.footer(object_store, &entry.path, entry.size_bytes).await?;
            match latest::split(&footer.metadata, partitions) {
                None => pieces.push(survivor.partitioned(schema)),
                Some(split) => {
                    let entry = Arc::clone(entry);
                    pieces.extend(split.into_iter().map(|p| partitioned_piece(schema, &entry, p)));
                }
            }
        }
        Ok(pieces)
    }

    fn files(
        &self,
        files: Vec<PartitionedFile>,
        projection: Option<Vec<usize>>,
        limit: Option<usize>,
        looked_at: usize,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = &self.snapshot.schema;
        let statistics = files.iter().filter_map(|file| file.statistics.as_deref());
        let total = Statistics::try_merge_iter(statistics, schema)?;
        let source = self.parquet_source()?;
        MetricBuilder::new(source.metrics()).global_counter("files_total").add(looked_at);
        let config = FileScanConfigBuilder::new(known_url(), source)
            .with_file_groups(vec![FileGroup::new(files)])
            .with_statistics(total)
            .with_projection_indices(projection)?
            .with_limit(limit)
            .build();
        let config = self.spread(config)?;
        Ok(DataSourceExec::from_data_source(config))
    }

    /// Divides the files over the partitions that the session wants.
    fn spread(&self, config: FileScanConfig) -> Result<FileScanConfig> {
        let options = self.state.config_options();
        if !options.optimizer.repartition_file_scans {
            return Ok(config);
        }
        let source = Arc::clone(&config.file_source);
        let spread = source.repartitioned(
            options.execution.target_partitions,
            options.optimizer.repartition_file_min_size,
            None,
            &config,
        )?;
        Ok(spread.unwrap_or(config))
    }

    /// Files that have rows of other tenants too: these are filtered away.
    fn mixed_files(
        &self,
        files: Vec<Survivor>,
        looked_at: usize,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = &self.snapshot.schema;
        let tenant = schema.index_of("tenant")?;
        let all: Vec<usize> = (0..schema.fields().len()).collect();
        let mut columns = self.projection.cloned().unwrap_or(all);
        let wanted: Vec<usize> = (0..columns.len()).collect();
        if !columns.contains(&tenant) {
            columns.push(tenant);
        }
        let at = columns.iter().position(|&c| c == tenant).unwrap_or_default();
        let files = files.into_iter().map(|file| file.partitioned(schema)).collect();
        let input = self.files(files, Some(columns), None, looked_at)?;
        let name = ScalarValue::Utf8View(Some(self.snapshot.tenant.to_string()));
        let is_own = BinaryExpr::new(Arc::new(Column::new("tenant", at)), Operator::Eq, lit(name));
        let filter = FilterExecBuilder::new(Arc::new(is_own), input)
            .apply_projection(Some(wanted))?
            .build()?;
        Ok(Arc::new(filter))
    }

    /// Reads row groups with the latest rows first: that is the order most often asked for, and
    /// none is worse for other questions. Said here, because a union does not pass on what the
    /// query's own order is.
    fn parquet_source(&self) -> Result<Arc<dyn FileSource>> {
        let schema = &self.snapshot.schema;
        let global = self.state.config_options().execution.parquet.clone();
        let options = TableParquetOptions { global, ..TableParquetOptions::default() };
        let factory = self.snapshot.cache.reader_factory(Arc::clone(&self.snapshot.object_store));
        let source = ParquetSource::new(Arc::clone(schema))
            .with_table_parquet_options(options)
            .with_pushdown_filters(true)
            .with_reorder_filters(true)
            .with_enable_page_index(true)
            .with_bloom_filter_on_read(true)
            .with_parquet_file_reader_factory(factory);
        let latest_first = PhysicalSortExpr::new(
            Arc::new(Column::new_with_schema("time", schema)?),
            SortOptions { descending: true, nulls_first: false },
        );
        let unordered = EquivalenceProperties::new(Arc::clone(schema));
        match source.try_pushdown_sort(&[latest_first], &unordered)? {
            SortOrderPushdownResult::Inexact { inner } => Ok(inner),
            _ => Ok(Arc::new(source)),
        }
    }
}

fn partitioned_piece(
    schema: &SchemaRef,
    entry: &Arc<FileEntry>,
    piece: latest::Piece,
) -> PartitionedFile {
    let mut entry = FileEntry::clone(entry);
    entry.rows = piece.rows as u64;
    if let Some((min, max)) = piece.time_us {
        (entry.time_min_us, entry.time_max_us) = (min, max);
    }
    let statistics = Arc::new(prune::statistics(schema, &entry));
    let file = Survivor { entry: Arc::new(entry), access: None }.partitioned(schema);
    let file = file.with_extension(piece.access).with_statistics(statistics);
    PartitionedFile { range: piece.range, ..file }
}

/// A plan over batches that are in memory.
fn memory(
    batches: Vec<RecordBatch>,
    schema: SchemaRef,
    limit: Option<usize>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let source = MemorySourceConfig::try_new(&[batches], schema, None)?.with_limit(limit);
    Ok(DataSourceExec::from_data_source(source))
}

/// The tenant's rows of a batch; `None` when there are none.
fn rows_of_tenant(batch: &RecordBatch, tenant: &str) -> Result<Option<RecordBatch>, ArrowError> {
    let column = batch
        .column_by_name("tenant")
        .ok_or_else(|| ArrowError::SchemaError("column tenant is missing".to_owned()))?;
    let wanted = StringViewArray::new_scalar(tenant);
    let own = arrow::compute::kernels::cmp::eq(&column.as_string_view(), &wanted as &dyn Datum)?;
    match own.true_count() {
        0 => Ok(None),
        all if all == batch.num_rows() => Ok(Some(batch.clone())),
        _ => arrow::compute::filter_record_batch(batch, &own).map(Some),
    }
}

#[cfg(test)]
mod tests;
