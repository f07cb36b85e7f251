//! Runs statements: admission, planning, execution under limits, on threads of its own.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::arrow::temporal_conversions::timestamp_ns_to_datetime;
use datafusion::catalog::{
    CatalogProvider as _, CatalogProviderList as _, MemoryCatalogProvider,
    MemoryCatalogProviderList, SchemaProvider,
};
use datafusion::execution::FunctionRegistry as _;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, MemoryPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::{SQLOptions, SessionConfig};
use futures::StreamExt as _;
use model::Tenant;
use serde_json::Value as Json;
use stdx::clock::{Clock, Stopwatch};
use stdx::memory::Budget;
use tokio::runtime::Runtime;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use crate::admission::Admission;
use crate::detach::DetachTexts;
use crate::memory::{BudgetPool, StatementPool};
use crate::stream::{AbortOnDrop, Outcome};
use crate::tables::Pinned;
use crate::{Error, QueryStream, Stats, Tables, functions, rewrite, statement, stats};

const CATALOG: &str = "trefoil";
const SCHEMA: &str = "public";

/// Batches on their way out that the reader has not taken.
const BATCHES_AHEAD: usize = 2;

/// How an [`Engine`] is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Threads, and the parallelism of a plan.
    pub threads: usize,
    /// What all statements together may hold: usually a child of the process's budget.
    pub memory: Budget,
    /// Where sorts, joins and groupings go when memory is short; `None` makes them fail.
    pub spill_directory: Option<PathBuf>,
    /// The most bytes that may lie there.
    pub spill_bytes_max: u64,
    /// Statements that run at once.
    pub running_max: usize,
    /// Statements that wait.
    pub queue_max: usize,
    /// How long one waits before it is refused.
    pub queue_wait_max: Duration,
    /// The limits of a statement that asks for none, and the most that one can ask for.
    pub limits: Limits,
    /// What `now()` is.
    pub clock: Clock,
}

/// What one statement may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time from admission to the last row.
    pub time: Duration,
    /// Rows of the answer; what is beyond is left out and [`Stats::truncated`] says so.
    pub rows: usize,
    /// Memory.
    pub memory_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { time: Duration::from_secs(30), rows: 100_000, memory_bytes: 256 * 1024 * 1024 }
    }
}

impl Limits {
    /// The stricter of both, limit by limit.
    #[must_use]
    pub fn within(self, other: Limits) -> Limits {
        Limits {
            time: self.time.min(other.time),
            rows: self.rows.min(other.rows),
            memory_bytes: self.memory_bytes.min(other.memory_bytes),
        }
    }
}

impl Options {
    /// Defaults, with that memory.
    #[must_use]
    pub fn new(memory: Budget) -> Options {
        Options {
            threads: std::thread::available_parallelism().map_or(2, usize::from),
            memory,
            spill_directory: None,
            spill_bytes_max: 10 * 1024 * 1024 * 1024,
            running_max: 8,
            queue_max: 64,
            queue_wait_max: Duration::from_secs(10),
            limits: Limits::default(),
            clock: Clock::system(),
        }
    }
}

/// Answers statements. Cheap to clone; the last clone stops the threads.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    tables: Arc<dyn Tables>,
    admission: Admission,
    /// What every statement's session is a copy of: functions, rules, configuration.
    template: SessionState,
    pool: Arc<dyn MemoryPool>,
    limits: Limits,
    clock: Clock,
    /// `None` only while dropping.
    runtime: Option<Runtime>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("limits", &self.0.limits).finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.admission.close();
        if let Some(runtime) = self.runtime.take() {
            // Waiting is not allowed where this may be dropped: inside another runtime.
            runtime.shutdown_background();
        }
    }
}

impl Engine {
    /// Starts the threads.
    pub fn new(options: Options, tables: Arc<dyn Tables>) -> Result<Engine, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(options.threads.max(1))
            .thread_name("query")
            // Plans of generated statements are deep.
            .thread_stack_size(8 * 1024 * 1024)
            .enable_all()
            .build()
            .map_err(|error| Error::Internal(format!("cannot start query threads: {error}")))?;
        let shared = FairSpillPool::new(options.memory.limit_bytes());
        let pool: Arc<dyn MemoryPool> =
            Arc::new(BudgetPool::new(Arc::new(shared), options.memory.clone()));
        Ok(Engine(Arc::new(Inner {
            tables,
            admission: Admission::new(
                options.running_max,
                options.queue_max,
                options.queue_wait_max,
            ),
            template: template(&options, &pool)?,
            pool,
            limits: options.limits,
            clock: options.clock,
            runtime: Some(runtime),
        })))
    }

    /// The limits of a statement that asks for none.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.0.limits
    }

    /// The schema of a table as it is now, for that tenant: its columns, and in the metadata what
    /// may be in `rest`.
    #[must_use]
    pub fn schema(&self, table: &str, tenant: &Tenant) -> Option<SchemaRef> {
        self.0.tables.table(table, tenant).map(|table| table.schema())
    }

    /// Runs one statement. The answer begins when the plan stands; mistakes in the statement are
    /// told here, mishaps on the way by the stream.
    pub async fn sql(
        &self,
        tenant: &Tenant,
        sql: &str,
        params: &[Json],
        limits: Limits,
    ) -> Result<QueryStream, Error> {
        let pinned = Pinned::new(Arc::clone(&self.0.tables), tenant.clone());
        self.run(pinned, sql, params, limits).await
    }

    /// Runs one statement as if `table` had just these rows.
    pub async fn sql_over(
        &self,
        tenant: &Tenant,
        table: &str,
        batches: Vec<RecordBatch>,
        sql: &str,
        params: &[Json],
        limits: Limits,
    ) -> Result<QueryStream, Error> {
        let provider = self
            .0
            .tables
            .over(table, batches)
            .ok_or_else(|| Error::statement(format!("there is no table '{table}'")))?;
        let pinned = Pinned::new(Arc::clone(&self.0.tables), tenant.clone()).with(table, provider);
        self.run(pinned, sql, params, limits).await
    }

    async fn run(
        &self,
        pinned: Pinned,
        sql: &str,
        params: &[Json],
        limits: Limits,
    ) -> Result<QueryStream, Error> {
        let limits = limits.within(self.0.limits);
        let permit = self.0.admission.enter().await.inspect_err(observe_error)?;
        let runtime = self.0.runtime.as_ref().ok_or(Error::ShuttingDown)?;
        let outcome: Outcome = Arc::new(Mutex::new(None));
        let (started, start) = oneshot::channel();
        let (batches, reader) = mpsc::channel(BATCHES_AHEAD);
        let run = Run {
            inner: Arc::clone(&self.0),
            pinned: Arc::new(pinned),
            sql: sql.to_owned(),
            params: params.to_vec(),
            limits,
            started: Some(started),
            batches,
            outcome: Arc::clone(&outcome),
            _permit: permit,
        };
        // On the engine's own threads; dropping the stream aborts it.
        let task = AbortOnDrop(runtime.handle().spawn(run.run_to_end()).abort_handle());
        match start.await {
            Ok(schema) => Ok(QueryStream::new(schema, reader, outcome, task)),
            Err(_) => {
                let outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner).take();
                match outcome {
                    Some(Err(error)) => Err(error),
                    _ => Err(Error::Internal("the query's task ended early".to_owned())),
                }
            }
        }
    }
}

/// One statement, running.
struct Run {
    inner: Arc<Inner>,
    pinned: Arc<Pinned>,
    sql: String,
    params: Vec<Json>,
    limits: Limits,
    started: Option<oneshot::Sender<SchemaRef>>,
    batches: mpsc::Sender<RecordBatch>,
    outcome: Outcome,
    _permit: OwnedSemaphorePermit,
}

impl Run {
    /// The outcome is there before the channels close, because they close with `self`.
    async fn run_to_end(mut self) {
        let watch = Stopwatch::start();
        let limit = self.limits.time;
        let execution = Box::pin(self.execute(watch));
        let result = match tokio::time::timeout(limit, execution).await {
            Ok(result) => result,
            Err(_) => Err(Error::Timeout(limit)),
        };
        observe(&result, watch.elapsed());
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
    }

    async fn execute(&mut self, watch: Stopwatch) -> Result<Stats, Error> {
        let pool =
            Arc::new(StatementPool::new(Arc::clone(&self.inner.pool), self.limits.memory_bytes));
        let state = self.session(Arc::clone(&pool) as Arc<dyn MemoryPool>)?;
        let plan = self.plan(&state).await?;
        let mut stream = execute_stream(Arc::clone(&plan), state.task_ctx())?;
        if let Some(started) = self.started.take()
            && started.send(stream.schema()).is_err()
        {
            return Err(Error::ShuttingDown);
        }
        let mut rows = 0;
        let mut truncated = false;
        while let Some(batch) = stream.next().await {
            let mut batch = batch?;
            let room = self.limits.rows - rows;
            if batch.num_rows() > room {
                truncated = true;
                batch = batch.slice(0, room);
            }
            rows += batch.num_rows();
            if batch.num_rows() > 0 && self.batches.send(batch).await.is_err() {
                return Err(Error::ShuttingDown);
            }
            if truncated {
                break;
            }
        }
        drop(stream);
        Ok(Stats {
            rows: rows.try_into().unwrap_or(u64::MAX),
            truncated,
            memory_bytes: pool.peak_bytes().try_into().unwrap_or(u64::MAX),
            ..stats::collect(&plan, watch.elapsed())
        })
    }

    async fn plan(&self, state: &SessionState) -> Result<Arc<dyn ExecutionPlan>, Error> {
        let mut statement = statement::parse(&self.sql, &self.params)?;
        rewrite::rewrite(&mut statement, self.pinned.as_ref())?;
        let plan = state
            .statement_to_plan(statement)
            .await
            .map_err(|error| Error::from(error).with_tables(&self.inner.tables.names()))?;
        SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false)
            .verify_plan(&plan)?;
        let plan = limited(plan, self.limits.rows)?;
        Ok(state.create_physical_plan(&plan).await?)
    }

    /// A session of this statement's own: its tables, its memory, its time.
    fn session(&self, pool: Arc<dyn MemoryPool>) -> Result<SessionState, Error> {
        let template = &self.inner.template;
        let env = RuntimeEnv { memory_pool: pool, ..RuntimeEnv::clone(template.runtime_env()) };
        let catalog = MemoryCatalogProvider::new();
        catalog.register_schema(SCHEMA, Arc::clone(&self.pinned) as Arc<dyn SchemaProvider>)?;
        let catalogs = MemoryCatalogProviderList::new();
        catalogs.register_catalog(CATALOG.to_owned(), Arc::new(catalog));
        let mut state = SessionStateBuilder::new_from_existing(template.clone())
            .with_catalog_list(Arc::new(catalogs))
            .with_runtime_env(Arc::new(env))
            .build();
        state.mark_start_execution();
        if let Some(now) = timestamp_ns_to_datetime(self.inner.clock.now()) {
            state.execution_props_mut().query_execution_start_time = Some(now.and_utc());
        }
        Ok(state)
    }
}

/// One row more than allowed, so that the plan can be planned for few rows and it shows whether
/// there were more.
fn limited(plan: LogicalPlan, rows: usize) -> Result<LogicalPlan, Error> {
    match plan {
        LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) | LogicalPlan::DescribeTable(_) => {
            Ok(plan)
        }
        plan => {
            Ok(LogicalPlanBuilder::from(plan).limit(0, Some(rows.saturating_add(1)))?.build()?)
        }
    }
}

/// What each part of a plan that runs beside others has to itself, bytes. With less, parts are handed
/// on through files, although they would fit.
const PARTITION_BYTES: usize = 16 << 20;

/// The parts of a plan that run at once.
fn partitions(options: &Options) -> usize {
    (options.memory.limit_bytes() / PARTITION_BYTES).min(options.threads).max(1)
}

/// The rows that operators hand on at once: those of 2 KiB take an eighth of the memory at most. What
/// is on its way between operators is reserved by nobody, so it has to be small beside it.
fn batch_rows(options: &Options) -> usize {
    (options.memory.limit_bytes() / (8 * 2 * 1024)).clamp(1024, 8192)
}

fn template(options: &Options, pool: &Arc<dyn MemoryPool>) -> Result<SessionState, Error> {
    let mode = match &options.spill_directory {
        Some(directory) => DiskManagerMode::Directories(vec![directory.clone()]),
        None => DiskManagerMode::Disabled,
    };
    let env = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::clone(pool))
        .with_disk_manager_builder(
            DiskManagerBuilder::default()
                .with_mode(mode)
                .with_max_temp_directory_size(options.spill_bytes_max),
        )
        .build_arc()?;
    let mut config = SessionConfig::new()
        .with_target_partitions(partitions(options))
        .with_batch_size(batch_rows(options))
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(true);
    let settings = config.options_mut();
    settings.sql_parser.collect_spans = true;
    settings.execution.parquet.pushdown_filters = true;
    settings.execution.parquet.reorder_filters = true;
    settings.execution.time_zone = Some("UTC".to_owned());
    let mut state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(env)
        .with_default_features()
        .with_physical_optimizer_rule(Arc::new(DetachTexts))
        .build();
    for function in functions::all() {
        state.register_udf(Arc::new(function))?;
    }
    Ok(state)
}

fn observe(result: &Result<Stats, Error>, elapsed: Duration) {
    metrics::histogram!("trefoil_query_duration_seconds").record(elapsed.as_secs_f64());
    match result {
        Ok(stats) => {
            metrics::counter!("trefoil_query_statements_total", "result" => "ok").increment(1);
            metrics::counter!("trefoil_query_rows_scanned_total").increment(stats.rows_scanned);
            metrics::counter!("trefoil_query_bytes_scanned_total").increment(stats.bytes_scanned);
        }
        Err(error) => observe_error(error),
    }
}

fn observe_error(error: &Error) {
    metrics::counter!("trefoil_query_statements_total", "result" => error.kind()).increment(1);
}

#[cfg(test)]
mod tests;
