//! What the standard library lacks: time as a value, dates, memory under a ceiling, tasks with a
//! name, YAML with places.
//!
//! It knows no product noun. Beside the binary it is the only place that reads the clock.

#![warn(missing_docs)]

pub mod calendar;
pub mod clock;
pub mod glob;
pub mod memory;
pub mod task;
pub mod yaml;
