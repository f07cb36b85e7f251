//! SQL over the tables of events.
//!
//! An [`Engine`] runs one statement at a time per permit, on threads of its own, over tables that
//! are pinned for the statement's life. It knows the two things that plain SQL does not: that
//! `attributes['http.status_code']` is a column, a few columns or a value in `rest` (module `rewrite`),
//! and that a tenant sees its own rows only (the [`Tables`] it is given see to that).
//!
//! It promises that a statement ends: by its rows, its time, its memory or because nobody listens
//! any more. It refuses everything that writes, sets or reads files.
//!
//! No other crate but `storage` names DataFusion; what leaves here is Arrow.

#![warn(missing_docs)]

mod admission;
mod detach;
mod engine;
mod error;
mod functions;
mod memory;
mod rewrite;
mod samples;
mod statement;
mod stats;
mod stream;
mod tables;
pub mod testing;

pub use arrow;
pub use datafusion::catalog::TableProvider;
pub use engine::{Engine, Limits, Options};
pub use error::{Error, Position, Problem};
pub use rewrite::{quote_identifier, quote_text};
pub use samples::{SampleColumns, SampleSet, Samples, samples_table};
pub use stats::Stats;
pub use stream::{Collected, QueryStream};
pub use tables::{JSON_COLUMNS, REST_KEYS, REST_MORE, Tables};
