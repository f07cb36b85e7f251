//! Model health: drift, data quality and performance statistics over Arrow arrays.
//!
//! Built for merging and streaming: a column's past is a [`profile::Profile`] of counters under edges
//! that the reference froze, and most detectors compute from two of those alone. What needs every
//! value (rank tests, distances of distribution functions) sorts once and shares one pass.
//!
//! It promises the numbers of SciPy, scikit-learn, Evidently and NannyML where it offers their
//! methods (`testdata/golden.py` makes them again), a typed error or a documented value for any input,
//! and the same answer for the same input every time. It refuses to read files, to know a server, and
//! to look at a clock.

#![warn(missing_docs)]

pub mod attribution;
pub mod catalogue;
pub mod column;
pub mod compare;
pub mod detector;
mod documentation;
pub mod embedding;
mod error;
pub mod estimate;
pub mod experiment;
pub mod gbdt;
pub mod monitor;
pub mod multivariate;
pub mod pair;
pub mod performance;
pub mod profile;
pub mod quality;
pub mod report;
pub mod sequential;
pub mod stat;
pub mod stream;
pub mod threshold;

pub use error::Error;
