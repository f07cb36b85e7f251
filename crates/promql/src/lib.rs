//! `PromQL`: the language and its evaluator over a `SeriesSource`.
//!
//! It does no I/O and keeps no samples.

#![warn(missing_docs)]

pub mod annotations;
pub mod ast;
pub mod ast_json;
pub mod cache;
mod calendar;
pub mod control;
pub mod duration;
pub mod engine;
pub mod error;
mod eval;
pub mod features;
mod functions;
pub mod histogram;
pub mod memory;
pub mod number;
pub mod parser;
pub mod position;
pub mod prettier;
mod printer;
pub mod series;
pub mod signature;
pub mod source;
pub mod text;
