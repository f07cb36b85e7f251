//! `PromQL`: the language and its evaluator over a `SeriesSource`.
//!
//! It does no I/O and keeps no samples.

#![warn(missing_docs)]

pub mod ast;
pub mod control;
pub mod position;
pub mod signature;
pub mod source;
