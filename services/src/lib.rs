//! The reference services: a fraud-detection API, the preprocessing service that it calls, and
//! traffic for both. They show what a service looks like that is instrumented with the SDK, and
//! they fill the demo with living data.
//!
//! The model, the feature store, the calls between them and their failures are real; the
//! transactions are made up, from a seed. Nothing here is used by the product itself.

pub mod cli;
mod error;
mod fault;
pub mod feature_store;
pub mod features;
pub mod fraud_api;
mod http;
mod latency;
pub mod load;
pub mod model;
pub mod preprocessing;
mod serve;
pub mod transaction;

pub use error::Error;

/// The port that the fraud API listens on where nothing else is said.
pub const FRAUD_API_PORT: u16 = 8000;
/// The port that the preprocessing service listens on where nothing else is said.
pub const PREPROCESSING_PORT: u16 = 8031;
