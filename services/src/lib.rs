//! The reference services: a fraud-detection API with the preprocessing service that it calls, a
//! pricing service that learns, an ingest pipeline of an API and a consumer, and traffic for all.
//! They show what a service looks like that is instrumented with the SDK, and they fill the demo
//! with living data.
//!
//! The models, the feature store, the calls between them and their failures are real; the
//! transactions, guests and events are made up, from a seed. Nothing here is used by the product itself.

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
pub mod options;
pub mod pipeline;
pub mod preprocessing;
pub mod pricing;
mod serve;
pub mod transaction;

pub use error::Error;

/// The port that the fraud API listens on where nothing else is said.
pub const FRAUD_API_PORT: u16 = 8000;
/// The port that the preprocessing service listens on where nothing else is said.
pub const PREPROCESSING_PORT: u16 = 8031;
/// The port that the pricing service listens on where nothing else is said.
pub const PRICING_PORT: u16 = 8010;
/// The port that the ingest API listens on where nothing else is said.
pub const INGEST_API_PORT: u16 = 8020;
/// The port that the consumer shows its metrics on where nothing else is said.
pub const CONSUMER_PORT: u16 = 8001;
