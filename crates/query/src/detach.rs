//! Rows that were picked out of many do not keep the pages that they lay in.
//!
//! A text in memory points into the decoded page that it was read from. Where a scan passes on few
//! rows, such as the candidates for "the hundred slowest", each batch would keep whole pages alive,
//! hundreds of times the memory of its rows, and a statement would end at its limit for nothing. Such
//! a batch gets its texts copied out, right above the scan.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, GenericByteViewArray, RecordBatch};
use arrow::buffer::Buffer;
use arrow::datatypes::{BinaryViewType, ByteViewType, DataType, Schema, SchemaRef, StringViewType};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode as _, TreeNodeRecursion};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt as _;

/// A column is copied when it keeps more than so many times what it shows. Scans that pass on most
/// rows stay below: a page has a few batches.
const KEPT_TIMES_MAX: usize = 4;
/// What a column may keep in any case, bytes.
const KEPT_BYTES: usize = 64 << 10;

/// Puts a [`DetachExec`] above each scan that has texts. The last of the rules: others look for scans.
#[derive(Debug)]
pub(crate) struct DetachTexts;

impl PhysicalOptimizerRule for DetachTexts {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let wrapped = plan.transform_up(|node| {
            let is_scan = node.downcast_ref::<DataSourceExec>().is_some();
            Ok(match is_scan && has_texts(&node.schema()) {
                true => Transformed::yes(Arc::new(DetachExec(node)) as _),
                false => Transformed::no(node),
            })
        });
        Ok(wrapped?.data)
    }

    fn name(&self) -> &'static str {
        "detach_texts"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn has_texts(schema: &Schema) -> bool {
    let is_text = |kind: &DataType| matches!(kind, DataType::Utf8View | DataType::BinaryView);
    schema.fields().iter().any(|field| is_text(field.data_type()))
}

/// Passes on what its input gives, without pages of which little is used.
#[derive(Debug)]
struct DetachExec(Arc<dyn ExecutionPlan>);

impl DisplayAs for DetachExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DetachExec")
    }
}

impl ExecutionPlan for DetachExec {
    fn name(&self) -> &'static str {
        "DetachExec"
    }

    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.0.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.0]
    }

    fn apply_expressions(
        &self,
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let [input] = <[_; 1]>::try_from(children)
            .map_err(|_| DataFusionError::Internal("DetachExec has one input".to_owned()))?;
        Ok(Arc::new(DetachExec(input)))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let batches = self.0.execute(partition, context)?.map(|batch| batch.and_then(detached));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}

fn detached(batch: RecordBatch) -> Result<RecordBatch> {
    let rows = batch.num_rows();
    let (schema, columns, _) = batch.into_parts();
    let columns = columns.into_iter().map(|column| match column.data_type() {
        DataType::Utf8View => without_pages::<StringViewType>(column),
        DataType::BinaryView => without_pages::<BinaryViewType>(column),
        _ => column,
    });
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema, columns.collect(), &options)?)
}

fn without_pages<T: ByteViewType>(column: ArrayRef) -> ArrayRef {
    let texts: &GenericByteViewArray<T> = column.as_byte_view();
    let kept: usize = texts.data_buffers().iter().map(Buffer::len).sum();
    if kept <= KEPT_BYTES || kept / KEPT_TIMES_MAX <= texts.total_buffer_bytes_used() {
        return column;
    }
    Arc::new(texts.gc())
}

#[cfg(test)]
mod tests {
    use arrow::array::StringViewArray;
    use arrow::compute::filter_record_batch;

    use super::*;

    #[test]
    fn few_rows_do_not_keep_a_page_and_most_rows_are_not_copied() {
        let lines =
            (0..1_000).map(|row| format!("{row:08} {}", "a line of some length ".repeat(9)));
        let body: ArrayRef = Arc::new(StringViewArray::from_iter_values(lines));
        let page = RecordBatch::try_from_iter([("body", body)]).expect("one column");
        let check = |every: usize, copied: bool| {
            let picked = (0..1_000).map(|row| Some(row % every == 0)).collect();
            let rows = filter_record_batch(&page, &picked).expect("rows");
            let kept = rows.get_array_memory_size();
            let detached = detached(rows.clone()).expect("rows");
            assert_eq!(detached, rows);
            assert_eq!(detached.get_array_memory_size() < kept / 4, copied, "every {every}");
        };
        check(100, true);
        check(2, false);
    }
}
