//! `PromQL`: the language and its evaluator over a `SeriesSource`.
//!
//! It does no I/O and keeps no samples.

#![warn(missing_docs)]

pub mod annotations;
pub mod ast;
mod calendar;
pub mod control;
pub mod duration;
pub mod engine;
pub mod error;
mod eval;
mod functions;
pub mod histogram;
pub mod number;
pub mod parser;
pub mod position;
mod printer;
pub mod signature;
pub mod source;
pub mod text;
