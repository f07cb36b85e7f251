//! Reads files for DataFusion, with footers from the store's cache.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{ParquetFileMetrics, ParquetFileReaderFactory};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::{AsyncFileReader, MetadataFetch};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use super::ReadCache;

/// How much of a file's end is read at first: footer and page index of most files.
const FOOTER_GUESS_BYTES: usize = 256 << 10;

/// Makes [`Reader`]s.
#[derive(Debug)]
pub(crate) struct ReaderFactory {
    pub(super) object_store: Arc<dyn ObjectStore>,
    pub(super) cache: ReadCache,
}

impl ParquetFileReaderFactory for ReaderFactory {
    fn create_reader(
        &self,
        partition_index: usize,
        file: PartitionedFile,
        _metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> datafusion::common::Result<Box<dyn AsyncFileReader + Send>> {
        let path = file.object_meta.location;
        Ok(Box::new(Reader {
            metrics: ParquetFileMetrics::new(partition_index, path.as_ref(), metrics),
            object_store: Arc::clone(&self.object_store),
            cache: self.cache.clone(),
            size_bytes: file.object_meta.size,
            path,
        }))
    }
}

struct Reader {
    metrics: ParquetFileMetrics,
    object_store: Arc<dyn ObjectStore>,
    cache: ReadCache,
    path: Path,
    size_bytes: u64,
}

impl Reader {
    fn count(&self, ranges: &[Range<u64>]) {
        let bytes: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        self.metrics.bytes_scanned.add(usize::try_from(bytes).unwrap_or(usize::MAX));
    }
}

impl AsyncFileReader for Reader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        self.count(std::slice::from_ref(&range));
        async move { self.object_store.get_range(&self.path, range).await.map_err(external) }
            .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        self.count(&ranges);
        async move { self.object_store.get_ranges(&self.path, &ranges).await.map_err(external) }
            .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let footer = self.cache.footer(&self.object_store, &self.path, self.size_bytes).await?;
            Ok(Arc::clone(&footer.metadata))
        }
        .boxed()
    }
}

/// Reads a file's footer and page index.
pub(super) async fn read_metadata(
    object_store: &Arc<dyn ObjectStore>,
    path: &Path,
    size_bytes: u64,
) -> Result<ParquetMetaData> {
    ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Optional)
        .with_prefetch_hint(Some(FOOTER_GUESS_BYTES))
        .load_and_finish(Fetch { object_store, path }, size_bytes)
        .await
}

struct Fetch<'a> {
    object_store: &'a Arc<dyn ObjectStore>,
    path: &'a Path,
}

impl MetadataFetch for Fetch<'_> {
    fn fetch(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move { self.object_store.get_range(self.path, range).await.map_err(external) }.boxed()
    }
}

fn external(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}
