//! Immutable blocks of samples on a [`BlockStore`](crate::store::BlockStore).
//!
//! What the head needs, as it will be (bodies follow):
//!
//! ```text
//! pub struct Cache;            // decompressed index parts and pages of data, of all blocks; bounded
//! impl Cache { pub fn new(bytes_max: usize) -> Arc<Cache>; }
//!
//! pub struct Blocks;           // the blocks of one tenant; one writer of each kind at a time, any readers
//! impl Blocks {
//!     /// Lists and opens what is there; `prefix` like "metrics/default"; `scratch` is a local
//!     /// directory for files being made (emptied of left-overs).
//!     pub fn open(store: Arc<dyn BlockStore>, prefix: &str, scratch: &Path, cache: Arc<Cache>) -> Result<Blocks, Error>;
//!     pub fn all(&self) -> Arc<Vec<Arc<Reader>>>;             // now, by min_time; a snapshot
//!     pub fn writer(&self, effort: Effort) -> Result<Writer, Error>;
//!     pub fn add(&self, writer: Writer) -> Result<Option<Arc<Reader>>, Error>;   // durable and visible when it returns; None when empty
//!     /// What answers a query: which readers, each with the part of the time and the column to read.
//!     pub fn plan(&self, ask: &Ask) -> Vec<Part>;
//!     pub fn delete(&self, matchers: &[Matcher], range: TimeRange) -> Result<usize, Error>;
//! }
//! pub struct Ask<'a> { pub start: i64, pub end: i64, pub step: i64, pub range: i64, pub function: Option<&'a str> }
//! pub struct Part { pub reader: Arc<Reader>, pub time: TimeRange, pub column: Column /* raw for raw blocks */ }
//!
//! impl Writer {
//!     /// Series ascend by labels; any number of samples, ascending; split into chunks here.
//!     pub fn add(&mut self, labels: &Labels, points: &Points) -> Result<(), Error>;
//!     /// A number the caller finds again in Meta::mark of the block (say, the log's position).
//!     pub fn set_mark(&mut self, mark: u64);
//! }
//! impl Reader {
//!     pub fn meta(&self) -> &Meta;                              // id, min_time, max_time, resolution_ms, mark, stats
//!     pub fn select(&self, matchers: &[Matcher]) -> Result<RoaringBitmap, Error>;   // numbers of series; ascend as labels do
//!     pub fn labels(&self, series: u32) -> Result<Labels, Error>;
//!     /// Adds the series' samples within `time`, less what is deleted, to `into` (which may hold
//!     /// other samples: merged, first come stays).
//!     pub fn read(&self, series: u32, time: TimeRange, column: Column, into: &mut Points) -> Result<(), Error>;
//!     pub fn label_names(&self, of: Option<&RoaringBitmap>) -> Result<Vec<String>, Error>;
//!     pub fn label_values(&self, name: &str, of: Option<&RoaringBitmap>) -> Result<Vec<String>, Error>;
//! }
//! ```
