//! Random queries over random data.

mod agreement;
mod grammar;
mod prometheus;
